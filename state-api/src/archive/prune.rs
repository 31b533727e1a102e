//! Giving checkpoints up, and deleting what nobody needs (contract LIFE-8).

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use statehold_core::Result;

use super::{
    Archive,
    checkpoint::CheckpointId,
    claim::Claim,
    part::{ObjectName, total},
    record::{Entry, Retire},
    timeline::{Garbage, Timeline},
};

/// Objects that are deleted at once.
const DELETES: usize = 8;

/// Which checkpoints stay: those that either rule keeps.
///
/// The latest always stays, and what somebody has claimed to go on from and may be recovering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// The last so many of the current timeline, at least one.
    pub keep_last: usize,
    /// Those that are younger, by the clocks of who took them and of who prunes; superseded ones too.
    pub keep_for: Option<Duration>,
}

/// What a prune did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Pruned {
    /// The checkpoints that are given up, in the order of their completion.
    pub checkpoints: Vec<CheckpointId>,
    /// Objects that are deleted: theirs, and leftovers of attempts that failed.
    pub objects: u64,
    /// Bytes of these objects.
    pub bytes: u64,
}

impl Archive {
    /// Gives up the checkpoints that `retention` does not keep, and deletes every object that no other names:
    /// theirs, and what failed attempts, aborted parts and superseded owners left. Safe beside archives that are
    /// under way, and at any crash: what is left over goes at the next prune.
    ///
    /// With a `claim`, leftovers of its own failed attempts go too; its next archive waits until they are gone.
    ///
    /// # Errors
    /// `Fenced` if the claim is superseded, and nothing changes; or what the object store fails with.
    pub async fn prune(&self, retention: &Retention, claim: Option<&Claim>) -> Result<Pruned> {
        self.prune_all(retention, claim, false).await.map_err(|e| e.during("prune"))
    }

    /// What [`Archive::prune`] would do now. Changes nothing.
    ///
    /// # Errors
    /// As [`Archive::prune`].
    pub async fn would_prune(&self, retention: &Retention, claim: Option<&Claim>) -> Result<Pruned> {
        self.prune_all(retention, claim, true).await.map_err(|e| e.during("prune"))
    }

    async fn prune_all(&self, retention: &Retention, claim: Option<&Claim>, dry: bool) -> Result<Pruned> {
        let now = self.resources.clock.now();
        let expendable = |timeline: &Timeline| -> Result<Vec<u64>> {
            if let Some(claim) = claim {
                claim.check(timeline)?;
            }
            Ok(timeline.expendable(retention, now))
        };
        let mut timeline = self.log.follow().await?;
        let mut records = expendable(&timeline)?;
        let ids = |timeline: &Timeline, records: &[u64]| -> Result<Vec<CheckpointId>> {
            records.iter().map(|record| Ok(timeline.at(*record)?.id)).collect()
        };
        let mut pruned = Pruned { checkpoints: ids(&timeline, &records)?, ..Pruned::default() };
        if !dry && !records.is_empty() {
            drop(timeline);
            let retire = |timeline: &Timeline, _| Ok(vec![Entry::Retire(Retire { records: expendable(timeline)? })]);
            let record = self.log.append(retire).await?;
            timeline = self.log.follow().await?;
            records = record
                .entries
                .into_iter()
                .flat_map(|e| if let Entry::Retire(r) = e { r.records } else { Vec::new() })
                .collect();
            pruned.checkpoints = ids(&timeline, &records)?;
        }
        drop(timeline);
        self.sweep(&mut pruned, if dry { &records } else { &[] }, claim, dry).await?;
        tracing::info!(archive = %self.folder, checkpoints = pruned.checkpoints.len(), objects = pruned.objects, bytes = pruned.bytes, dry, "pruned");
        Ok(pruned)
    }

    /// Deletes what no living part names, were `without` retired. First the log is read, then the folder.
    async fn sweep(&self, pruned: &mut Pruned, without: &[u64], claim: Option<&Claim>, dry: bool) -> Result<()> {
        // As long as this is held, nothing is being written under the claim.
        let alone = match claim {
            Some(claim) => claim.writing.try_write().ok().map(|guard| (claim.epoch(), guard)),
            None => None,
        };
        let own = alone.as_ref().map(|(epoch, _)| *epoch);
        let mut named = Named::default();
        let garbage = self.look(without, &mut named).await?;
        let unnamed = self.objects.list().await?.into_iter().filter(|(object, _)| !named.objects.contains(object));
        let (mut dead, mut left): (Vec<_>, Vec<_>) = unnamed.partition(|(object, _)| garbage.has(object, None));
        left.retain(|(object, _)| garbage.has(object, own));
        if !left.is_empty() && !dry {
            // The record of an attempt whose future was dropped may still be on its way, to the next number at
            // most: that one is taken now.
            self.log.append(|_, _| Ok(vec![Entry::Retire(Retire { records: Vec::new() })])).await?;
            self.look(without, &mut named).await?;
            left.retain(|(object, _)| !named.objects.contains(object));
        }
        dead.append(&mut left);
        pruned.objects = dead.len() as u64;
        pruned.bytes = total(dead.iter().map(|(_, bytes)| *bytes));
        if !dry {
            let deletes = dead.into_iter().map(|(name, _)| async move { self.objects.delete(&name).await });
            stream::iter(deletes).buffer_unordered(DELETES).try_collect::<Vec<()>>().await?;
        }
        Ok(())
    }

    /// Reads to the log's end: adds to `named` what living parts name, and answers what may go besides.
    async fn look(&self, without: &[u64], named: &mut Named) -> Result<Garbage> {
        let (living, garbage) = {
            let timeline = self.log.follow().await?;
            (timeline.living_without(without), timeline.garbage_without(without))
        };
        let records: BTreeSet<u64> = living.iter().map(|at| at.record).collect();
        for record in records.difference(&named.records.clone()) {
            let entries = self.log.read(*record).await?.entries;
            let parts = living.iter().filter(|at| at.record == *record).filter_map(|at| entries.get(at.entry as usize));
            let names = parts.flat_map(|e| if let Entry::Part(part) = e { part.names() } else { Vec::new() });
            named.objects.extend(names);
            named.records.insert(*record);
        }
        Ok(garbage)
    }
}

/// What living parts name. A part that is dead stays dead, so each record is read once.
#[derive(Default)]
struct Named {
    records: BTreeSet<u64>,
    objects: HashSet<ObjectName>,
}
