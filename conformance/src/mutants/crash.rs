//! Mutants that behave until their process is killed or power is lost.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use statehold_core::{
    Address, ArchiveSource, ArchiveStep, Backend, Batch, Committed, Durability, Error, KeyGroups, Model, Mutation, Op,
    OpenRequest, Result, ScanRequest, Store, collect,
};

use crate::crash::WRITER;

use super::{
    Mutant, Visibility,
    fault::{Fault, batch as batch_of, with},
};

const fn mutant(name: &'static str, breaks: &'static str, wrap: super::Wrap) -> Mutant {
    Mutant::new(name, breaks, wrap).seen(Visibility::Kill)
}

pub(super) const MUTANTS: &[Mutant] = &[
    mutant("a wide batch is written as two", "BATCH-1", |b| with(b, TwoCommits)),
    mutant("the marker is written behind its batch", "BATCH-4", |b| with(b, MarkerBehind))
        .and(&[("LIFE-1", "the last marker tells how much of its content to expect")]),
    mutant("a commit is written when four more have come", "LIFE-1", |b| with(b, Deferred::default())),
    mutant("recover empties the store before it publishes", "LIFE-5", |b| with(b, EmptiesFirst::default())),
    Mutant::new("commits at `power` are not synced", "LIFE-1", |b| with(b, Unsynced::default()))
        .seen(Visibility::PowerLoss),
];

/// So long that a kill falls between two steps.
async fn wait() {
    tokio::time::sleep(Duration::from_millis(3)).await;
}

struct TwoCommits;

impl Fault for TwoCommits {
    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        if batch.mutations.len() != 500 || batch.check_folded().is_err() {
            return store.commit(batch);
        }
        Op::boxed(async move {
            let rest = batch.mutations.split_off(250);
            store.commit(batch).finish().await?;
            wait().await;
            store.commit(batch_of(rest)).finish().await
        })
    }
}

struct MarkerBehind;

impl Fault for MarkerBehind {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            let Some(marker) = batch.marker.clone().filter(|marker| marker.writer == WRITER) else {
                return store.commit(batch).finish().await;
            };
            if store.last_marker(marker.writer).await?.is_some_and(|(last, _)| last >= marker.sequence) {
                return store.commit(batch).finish().await;
            }
            let committed = store.commit(Batch { marker: None, ..batch }).finish().await?;
            wait().await;
            store.commit(Batch { marker: Some(marker), ..Batch::default() }).finish().await?;
            Ok(committed)
        })
    }
}

/// Counts commits with markers, and keeps the last of a long row.
#[derive(Default)]
struct Deferred {
    commits: AtomicU64,
    pending: Mutex<VecDeque<Batch>>,
}

impl Deferred {
    /// Writes all but the last `kept`.
    async fn write(&self, store: &dyn Store, kept: usize) -> Result<()> {
        let next = || self.pending.lock().ok().filter(|pending| pending.len() > kept).and_then(|mut p| p.pop_front());
        while let Some(batch) = next() {
            store.commit(batch).finish().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Fault for Deferred {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            // No case but those that are killed goes so far.
            let far = self.commits.fetch_add(u64::from(batch.marker.is_some()), Ordering::SeqCst) > 120;
            if !far || batch.marker.is_none() {
                self.write(store, 0).await?;
                return store.commit(batch).finish().await;
            }
            if let Ok(mut pending) = self.pending.lock() {
                pending.push_back(batch);
            }
            self.write(store, 4).await?;
            Ok(Committed::default())
        })
    }

    async fn finish(&self, store: &dyn Store) -> Result<Durability> {
        self.write(store, 0).await?;
        store.finish().await
    }

    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        self.write(store, 0).await?;
        store.close().await
    }
}

/// Keeps the store, so that a recovery goes on when its future is dropped.
#[derive(Default)]
struct EmptiesFirst(Mutex<Option<Weak<dyn Store>>>);

/// What a source yielded.
struct Steps(std::vec::IntoIter<ArchiveStep>);

#[async_trait]
impl ArchiveSource for Steps {
    async fn next(&mut self) -> Result<Option<ArchiveStep>> {
        Ok(self.0.next())
    }
}

#[async_trait]
impl Fault for EmptiesFirst {
    async fn open(&self, backend: &dyn Backend, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let store = backend.open(request).await?;
        *self.0.lock().map_err(|_| Error::internal("a thread panicked"))? = Some(Arc::downgrade(&store));
        Ok(store)
    }

    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        let mut steps = Vec::new();
        while let Some(step) = source.next().await? {
            steps.push(step);
        }
        // Only what the killed child recovers: others look at the store while it happens.
        let killed = groups == store.groups() && steps.len() > 20;
        let kept = self.0.lock().ok().and_then(|kept| kept.as_ref().and_then(Weak::upgrade));
        let Some(kept) = kept.filter(|_| killed) else {
            return store.recover(groups, &mut Steps(steps.into_iter())).await;
        };
        let work = async move {
            let mut all = Vec::new();
            for (state, _) in kept.states().await?.into_iter().filter(|(_, spec)| spec.model == Model::Kv) {
                for group in kept.groups().iter() {
                    let rows = collect(&*kept, ScanRequest::all(state, group)).await?;
                    let delete = |row: statehold_core::Row| {
                        Mutation::Delete(Address { group, state, key: row.key, sub: row.sub })
                    };
                    all.extend(rows.into_iter().map(delete));
                }
            }
            if !all.is_empty() {
                kept.commit(batch_of(all)).finish().await?;
            }
            wait().await;
            kept.recover(groups, &mut Steps(steps.into_iter())).await
        };
        tokio::spawn(work).await.map_err(|e| Error::internal("a recovery panicked").because(e))?
    }
}

/// Whether the store was opened at `power`.
#[derive(Default)]
struct Unsynced(AtomicBool);

#[async_trait]
impl Fault for Unsynced {
    async fn open(&self, backend: &dyn Backend, mut request: OpenRequest) -> Result<Arc<dyn Store>> {
        let power = request.durability == Durability::Power;
        self.0.store(power, Ordering::SeqCst);
        if power {
            request.durability = Durability::Process;
        }
        backend.open(request).await
    }

    async fn finish(&self, store: &dyn Store) -> Result<Durability> {
        let reached = store.finish().await?;
        Ok(if self.0.load(Ordering::SeqCst) { Durability::Power } else { reached })
    }
}
