//! The archive's object store fails at each call in turn, while a checkpoint is taken, recovered or given up.

use std::{collections::BTreeSet, io, sync::Arc};

use futures::TryStreamExt;
use object_store::{ObjectStore, memory::InMemory};
use statehold::{
    Error, ErrorKind, StateManager,
    archive::{Archive, CheckpointForm, CheckpointId, Claim, Cut, Retention, Select},
};

use crate::{
    Context,
    check::listed,
    content::{self, Content},
    dice::Dice,
    failing::{Failing, Fault},
    failure::{Failure, Verdict, ensure},
    place::{Place, STORE, behind},
};

/// A store, an archive in memory, and what both hold.
struct Bench {
    place: Place,
    form: CheckpointForm,
    manager: StateManager,
    objects: Arc<dyn ObjectStore>,
    archive: Archive,
    claim: Claim,
    writes: Vec<u64>,
    /// Checkpoints with the writes that they are behind.
    taken: Vec<(u64, Vec<u64>)>,
}

impl Bench {
    async fn new(cx: &Context, dir: &std::path::Path) -> Result<Self, Failure> {
        let place = Place::new(&cx.subject, dir, cx.form, 1)?;
        let manager = place.open_alone().await?;
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let archive = place.archive_on(objects.clone()).await?;
        let claim = archive.claim(manager.groups(), "bench", None).await?;
        Ok(Self { place, form: cx.form, manager, objects, archive, claim, writes: Vec::new(), taken: Vec::new() })
    }

    async fn write(&mut self) -> Verdict {
        let n = self.writes.len() as u64 + 1;
        content::write(std::slice::from_ref(&self.manager), n).await?;
        self.writes.push(n);
        Ok(())
    }

    async fn take(&self, archive: &Archive, id: u64) -> statehold::Result<()> {
        let store = self.manager.store(STORE)?;
        let cut = Cut::take_as(self.form, &[(STORE, &*store)]).await?;
        archive.write(&self.claim, CheckpointId(id), &behind(self.writes.len()), cut).await.map(drop)
    }

    /// The archive where the fault will be met, whose log has been read.
    async fn failing(&self, fault: Fault) -> Result<(Arc<Failing>, Archive), Failure> {
        let failing = Failing::new(self.objects.clone(), fault);
        let archive = self.place.archive_on(failing.clone()).await?;
        failing.arm();
        Ok((failing, archive))
    }

    /// All checkpoints are there, whole and exact, and no others.
    async fn is_whole(&self) -> Verdict {
        let found: Vec<_> = listed(&self.archive).await?.into_iter().map(|(id, writes, _)| (id, writes)).collect();
        let expected: Vec<_> = self.taken.iter().map(|(id, writes)| (*id, writes.len() as u64)).collect();
        ensure!(found == expected, "the archive lists {found:?} instead of {expected:?}");
        for (id, writes) in &self.taken {
            self.archive.verify(Select::Id(CheckpointId(*id))).await?;
            let content = self.place.content_of(&self.archive, *id).await?;
            ensure!(content == Content::of(writes), "checkpoint {id} does not hold {writes:?}");
        }
        Ok(())
    }

    async fn holds(&self, writes: &[u64]) -> Verdict {
        let content = Content::read(std::slice::from_ref(&self.manager)).await?;
        ensure!(content == Content::of(writes), "the store does not hold writes {writes:?}");
        Ok(())
    }

    /// Behind a recover that went past the manager.
    async fn reopen(&mut self) -> Verdict {
        self.manager.close().await?;
        self.manager = self.place.open_alone().await?;
        Ok(())
    }

    /// Gives up all but the latest; then nothing is stored that it does not name.
    async fn tidy(&mut self) -> Verdict {
        self.archive.prune(&Retention { keep_last: 1, keep_for: None }, Some(&self.claim)).await?;
        self.taken.drain(..self.taken.len() - 1);
        let contents = self.archive.show(Select::Latest).await?.contents;
        let named: BTreeSet<String> = contents.into_iter().flat_map(|s| s.objects).map(|o| o.name).collect();
        let stored: Vec<_> = self.objects.list(None).try_collect().await?;
        let stored = stored.iter().filter(|o| o.location.as_ref().contains("/objects/"));
        let stored: BTreeSet<String> = stored.filter_map(|o| o.location.filename().map(str::to_owned)).collect();
        ensure!(stored == named, "stored are {stored:?}, and named {named:?}");
        Ok(())
    }
}

/// A full disk says that it is full; both say what to do.
fn typed(error: &Error, fault: Fault) -> Verdict {
    let kind =
        if fault.kind == io::ErrorKind::StorageFull { ErrorKind::ResourceExhausted } else { ErrorKind::Unavailable };
    let known = error.kind() == kind || error.kind() == ErrorKind::Indeterminate;
    ensure!(known && error.advice().is_some(), "{fault:?} is told as {:?}: {error}", error.kind());
    Ok(())
}

fn fault(after: usize, dice: &mut Dice) -> Fault {
    // What an I/O error of the kernel is.
    let kind = if dice.below(2) == 0 { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
    Fault { after, lasting: dice.below(2) == 0, kind }
}

pub(crate) async fn life_2_a_checkpoint_whose_object_store_fails_at_every_call(
    cx: &Context,
    dir: &std::path::Path,
    mut dice: Dice,
) -> Verdict {
    let mut bench = Bench::new(cx, dir).await?;
    bench.write().await?;
    bench.take(&bench.archive, 1).await?;
    bench.taken.push((1, bench.writes.clone()));
    for after in 0.. {
        let fault = fault(after, &mut dice);
        bench.write().await?;
        let id = after as u64 + 2;
        let (failing, archive) = bench.failing(fault).await?;
        let outcome = bench.take(&archive, id).await;
        let met = failing.has_failed();
        let there = bench.archive.show(Select::Id(CheckpointId(id))).await.is_ok();
        match outcome {
            Ok(()) => ensure!(there, "{fault:?}: a checkpoint that was reported is not there"),
            Err(e) => {
                typed(&e, fault)?;
                // What was recorded and could then not be read back is there all the same.
                ensure!(met, "it fails without a fault: {e}");
            }
        }
        if !there {
            bench
                .take(&bench.archive, id)
                .await
                .map_err(|e| Failure::from(e).at(&format!("after {fault:?}, again")))?;
        }
        bench.taken.push((id, bench.writes.clone()));
        bench.is_whole().await.map_err(|f| f.at(&format!("after {fault:?}")))?;
        bench.tidy().await.map_err(|f| f.at(&format!("after {fault:?}, pruned")))?;
        if !met {
            ensure!(after > 5, "only {after} calls were made");
            return Ok(bench.manager.close().await?);
        }
    }
    Ok(())
}

pub(crate) async fn life_5_a_recover_whose_object_store_fails_at_every_call(
    cx: &Context,
    dir: &std::path::Path,
    mut dice: Dice,
) -> Verdict {
    let mut bench = Bench::new(cx, dir).await?;
    bench.write().await?;
    bench.take(&bench.archive, 1).await?;
    bench.taken.push((1, bench.writes.clone()));
    bench.write().await?;
    let live = bench.writes.clone();
    for after in 0.. {
        let fault = fault(after, &mut dice);
        let (failing, archive) = bench.failing(fault).await?;
        let store = bench.manager.store(STORE)?;
        let outcome = archive.recover_into(Select::Latest, STORE, &*store, bench.manager.groups()).await;
        drop(store);
        match outcome {
            Err(e) => {
                typed(&e, fault)?;
                ensure!(failing.has_failed(), "it fails without a fault: {e}");
                bench.holds(&live).await.map_err(|f| f.at(&format!("after {fault:?}")))?;
                bench.is_whole().await?;
            }
            Ok(_) => {
                bench.reopen().await?;
                bench.holds(&[1]).await.map_err(|f| f.at(&format!("recovered beside {fault:?}")))?;
                ensure!(after > 3, "only {after} calls were made");
                return Ok(bench.manager.close().await?);
            }
        }
    }
    Ok(())
}

pub(crate) async fn life_8_a_prune_whose_object_store_fails_at_every_call(
    cx: &Context,
    dir: &std::path::Path,
    mut dice: Dice,
) -> Verdict {
    let mut bench = Bench::new(cx, dir).await?;
    for after in 0.. {
        let fault = fault(after, &mut dice);
        for n in 0..3 {
            bench.write().await?;
            let id = after as u64 * 3 + n + 1;
            bench.take(&bench.archive, id).await?;
            bench.taken.push((id, bench.writes.clone()));
        }
        let (failing, archive) = bench.failing(fault).await?;
        let pruned = archive.prune(&Retention { keep_last: 2, keep_for: None }, Some(&bench.claim)).await;
        if let Err(e) = &pruned {
            typed(e, fault)?;
        }
        // Retired or not: those that stay are whole.
        let found = listed(&bench.archive).await?;
        bench.taken.retain(|(id, _)| found.iter().any(|(other, ..)| other == id));
        ensure!(bench.taken.len() >= 2, "{fault:?}: of those to be kept {} are left", bench.taken.len());
        bench.is_whole().await.map_err(|f| f.at(&format!("after {fault:?}")))?;
        bench.tidy().await.map_err(|f| f.at(&format!("after {fault:?}, pruned again")))?;
        if !failing.has_failed() {
            ensure!(pruned.is_ok() && after > 3, "{after} calls were made: {pruned:?}");
            return Ok(bench.manager.close().await?);
        }
    }
    Ok(())
}
