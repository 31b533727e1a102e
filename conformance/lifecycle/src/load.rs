//! Checkpoints, prunes and verifies beside writers under full load: each checkpoint is the model at its cut.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::TryStreamExt;
use statehold::{
    RecoverFrom, Result, ScanOrder, StateManager,
    archive::{CheckpointId, Metadata, Retention, Select},
};

use crate::{
    Context,
    dice::Dice,
    failure::{Failure, Verdict, ensure},
    place::Place,
};

const WRITERS: u64 = 4;
/// Keys of each writer.
const KEYS: u64 = 500;
/// Subkeys of each writer's map, and the most elements of his list.
const SUBS: u64 = 64;
/// What each writer writes.
const WRITES: u64 = 15_000;

/// How far a writer is: what has begun, and what is acknowledged.
#[derive(Debug, Default)]
struct Progress {
    begun: AtomicU64,
    done: AtomicU64,
}

/// Writes numbers from 1 on, each to three states in this order.
async fn writes(manager: StateManager, writer: u64, progress: Arc<Progress>, until: u64) -> Result<()> {
    let kv = manager.key_value::<u64, u64>("kv").await?;
    let list = manager.key_list::<u64, u64>("list").await?;
    let map = manager.key_map::<u64, u64, u64>("map").await?;
    for n in 1..=until {
        progress.begun.store(n, Ordering::SeqCst);
        kv.put(&(writer * KEYS + n % KEYS), n).await?;
        list.append(&writer, n).await?;
        if n > SUBS {
            list.pop_front(&writer).await?;
        }
        map.put(&writer, &(n % SUBS), n).await?;
        progress.done.store(n, Ordering::SeqCst);
        if n % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// The last `most` numbers up to `last`, by their remainder.
fn latest(last: u64, most: u64) -> Vec<(u64, u64)> {
    let mut rows: Vec<_> = (last.saturating_sub(most) + 1..=last).map(|n| (n % most, n)).collect();
    rows.sort_unstable();
    rows
}

/// A checkpoint with, for each writer, what it has at least and at most.
type Bounds = (CheckpointId, Vec<(u64, u64)>);

/// The job holds, of each writer, all up to some write within the bounds, and nothing of the next but its beginning.
async fn holds(manager: &StateManager, (id, bounds): &Bounds) -> Verdict {
    let kv = manager.key_value::<u64, u64>("kv").await?;
    let rows: Vec<(u64, u64)> = kv.scan(ScanOrder::Key).try_collect().await?;
    for (writer, (least, most)) in (0..).zip(bounds) {
        let own = rows.iter().filter(|(key, _)| key / KEYS == writer).map(|(key, n)| (key % KEYS, *n));
        let own: Vec<_> = own.collect();
        let last = own.iter().map(|(_, n)| *n).max().unwrap_or(0);
        let what = format!("checkpoint {id}, writer {writer} between {least} and {most}, the last is {last}");
        ensure!((least..=most).contains(&&last) && own == latest(last, KEYS), "{what}: wrong entries");
        let list = manager.key_list::<u64, u64>("list").await?.get(&writer).await?;
        let end = list.last().copied().unwrap_or(0);
        let (first, long) = (list.first().copied().unwrap_or(1), list.len() as u64);
        ensure!(end == last || end + 1 == last, "{what}: the list ends with {end}");
        ensure!(list == (first..=end).collect::<Vec<_>>(), "{what}: the list has a hole: {list:?}");
        let full = end.min(SUBS);
        // The element that goes is the next step.
        ensure!(long == full || (end == last && end > SUBS && long == SUBS + 1), "{what}: the list has {long}");
        let entries = manager.key_map::<u64, u64, u64>("map").await?.entries(&writer).await?;
        let newest = entries.iter().map(|(_, n)| *n).max().unwrap_or(0);
        let behind = newest == end || newest + 1 == end;
        ensure!(behind && entries == latest(newest, SUBS), "{what}: wrong map up to {newest}");
        let whole = newest == last || (newest + 1 == last);
        ensure!(whole, "{what}: the map ends with {newest}");
    }
    Ok(())
}

pub(crate) async fn life_2_checkpoints_beside_writers_under_load_are_the_model_at_their_cut(
    cx: &Context,
    dir: &Path,
    _: Dice,
) -> Verdict {
    let place = Place::new(&cx.subject, dir, cx.form, 1)?;
    let job = place.open(RecoverFrom::AsLeft).await?;
    let manager = &job.managers[0];
    let until = if cx.long { 20 * WRITES } else { WRITES };
    let progress: Vec<Arc<Progress>> = (0..WRITERS).map(|_| Arc::default()).collect();
    let writers: Vec<_> = (0..WRITERS)
        .zip(&progress)
        .map(|(writer, progress)| tokio::spawn(writes(manager.clone(), writer, progress.clone(), until)))
        .collect();
    let archive = manager.checkpoints()?.clone();
    let mut taken: Vec<Bounds> = Vec::new();
    let mut verifying: Option<tokio::task::JoinHandle<Result<()>>> = None;
    for number in 1.. {
        let over = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let id = CheckpointId(number);
        let least: Vec<u64> = progress.iter().map(|p| p.done.load(Ordering::SeqCst)).collect();
        let cut = manager.cut(id, &Metadata::new()).await?;
        let most = progress.iter().map(|p| p.begun.load(Ordering::SeqCst));
        taken.push((id, least.into_iter().zip(most).collect()));
        cut.persist().await?;
        if number % 3 == 0 {
            manager.prune(&Retention { keep_last: 3, keep_for: None }).await?;
        }
        if verifying.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
            if let Some(verified) = verifying.take() {
                verified.await??;
            }
            let archive = archive.clone();
            // What is pruned meanwhile may be gone in the middle: the latest never is, as long as it is the latest.
            verifying = Some(tokio::spawn(async move {
                match archive.verify(Select::Latest).await {
                    Err(e) if archive.resolve(Select::Id(id)).await.is_ok() => Err(e),
                    _ => Ok(()),
                }
            }));
        }
        // A slow disk: the last ones then have no writer beside them.
        if over && taken.len() > 4 {
            break;
        }
    }
    for writer in writers {
        writer.await??;
    }
    if let Some(verified) = verifying {
        verified.await??;
    }
    let listed: Vec<CheckpointId> = archive.list().await?.iter().map(|c| c.id).collect();
    ensure!(taken.len() > 4 && listed.len() >= 3, "{} checkpoints were taken, {} are kept", taken.len(), listed.len());
    for bounds in taken.iter().filter(|(id, _)| listed.contains(id)) {
        archive.verify(Select::Id(bounds.0)).await?;
    }
    for bounds in taken.iter().rev().filter(|(id, _)| listed.contains(id)) {
        manager.recover(bounds.0).await.map_err(|e| Failure::from(e).at(&format!("checkpoint {}", bounds.0)))?;
        holds(manager, bounds).await?;
    }
    Ok(job.close().await?)
}
