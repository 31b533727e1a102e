//! Parts that are prepared and not yet in a checkpoint, and which parts still matter to anybody.

use std::collections::BTreeSet;

use statehold_core::{Error, ErrorKind, Result};

use super::{CheckpointId, KeyGroups, PartNode, Timeline};
use crate::archive::record::PartRef;

/// A part that a complete may name.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::archive) struct Prepared {
    pub(in crate::archive) at: PartRef,
    pub(in crate::archive) store: String,
    pub(in crate::archive) groups: KeyGroups,
    pub(in crate::archive) claim: u64,
    pub(in crate::archive) new_bytes: u64,
    pub(in crate::archive) duration_ms: u64,
}

impl Timeline {
    /// Gives up what was prepared for `id`.
    pub(super) fn abort(&mut self, id: CheckpointId) {
        self.aborted.insert(id);
        for part in self.parts.values_mut().filter(|p| p.checkpoint == id) {
            part.aborted = true;
        }
    }

    /// Whether somebody gave `id` up.
    pub(in crate::archive) fn is_aborted(&self, id: CheckpointId) -> bool {
        self.aborted.contains(&id)
    }

    /// Refuses a cut if a later one of the same claim is a checkpoint: the latest would go back.
    ///
    /// # Errors
    /// `Conflict` naming that checkpoint.
    pub(in crate::archive) fn check_cut(&self, claim: u64, cut: u64) -> Result<()> {
        match self.overtaken(claim, cut) {
            None => Ok(()),
            Some(id) => Err(Error::new(ErrorKind::Conflict, format!("checkpoint {id} is of a later cut"))
                .about(id.to_string())
                .advise("persist cuts in the order they were taken")),
        }
    }

    fn overtaken(&self, claim: u64, cut: u64) -> Option<CheckpointId> {
        let later = |at: &PartRef| self.parts.get(at).is_some_and(|p| p.claim == claim && p.cut > cut);
        self.checkpoints.values().rev().find(|c| c.parts.iter().any(later)).map(|c| c.id)
    }

    /// Whether the part may still come into a checkpoint.
    fn is_pending(&self, at: &PartRef, part: &PartNode) -> bool {
        let id = part.checkpoint;
        let completed = self.checkpoints.range(at.record..).any(|(_, c)| c.id == id);
        let repeated = self.parts.range(PartRef { record: at.record + 1, entry: 0 }..).any(|(_, later)| {
            (later.checkpoint, &later.store) == (id, &part.store) && later.groups.overlaps(&part.groups)
        });
        let overtaken = self.overtaken(part.claim, part.cut).is_some();
        !part.aborted && !completed && !repeated && !overtaken && self.successor(part.claim).is_none()
    }

    /// What is prepared for `id`, the newest where an owner did it twice.
    pub(in crate::archive) fn prepared(&self, id: CheckpointId) -> Vec<Prepared> {
        let pending = self.parts.iter().filter(|(at, p)| p.checkpoint == id && self.is_pending(at, p));
        let prepared = pending.map(|(at, p)| Prepared {
            at: *at,
            store: p.store.clone(),
            groups: p.groups,
            claim: p.claim,
            new_bytes: p.new_bytes,
            duration_ms: p.duration_ms,
        });
        prepared.collect()
    }

    /// As [`Timeline::prepared`], if it is all key groups of each store.
    ///
    /// # Errors
    /// `NotFound` if nothing is prepared, `Conflict` naming what is missing.
    pub(in crate::archive) fn ready(&self, id: CheckpointId) -> Result<Vec<Prepared>> {
        let parts = self.prepared(id);
        let stores: BTreeSet<&str> = parts.iter().map(|p| p.store.as_str()).collect();
        if stores.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, format!("nothing is prepared for checkpoint {id}"))
                .about(id.to_string())
                .advise("let each owner prepare it; what an owner prepared goes when its groups are claimed anew"));
        }
        for store in stores {
            let mut ranges: Vec<_> = parts.iter().filter(|p| p.store == store).map(|p| p.groups).collect();
            ranges.sort_unstable_by_key(|g| g.range().start);
            let mut next = 0;
            let total = self.key_groups().unwrap_or(0);
            for range in ranges.iter().map(KeyGroups::range).chain(std::iter::once(total..total)) {
                if range.start < next {
                    let message = format!("two parts of store `{store}` have key group {}", range.start);
                    return Err(Error::new(ErrorKind::Conflict, message)
                        .in_store(store)
                        .about(id.to_string())
                        .advise("abort the checkpoint, and let owners of disjoint groups prepare another"));
                }
                if range.start > next {
                    let message = format!("key groups {next}..{} of store `{store}` are not prepared", range.start);
                    return Err(Error::new(ErrorKind::Conflict, message)
                        .in_store(store)
                        .about(id.to_string())
                        .advise("let their owner prepare the checkpoint, or abort it"));
                }
                next = range.end;
            }
        }
        Ok(parts)
    }

    /// The parts whose objects must stay, were `without` retired: of kept checkpoints, and those that may still
    /// come into one.
    pub(in crate::archive) fn living_without(&self, without: &[u64]) -> Vec<PartRef> {
        let kept = self.checkpoints.iter().filter(|(record, c)| !c.retired && !without.contains(record));
        let kept = kept.flat_map(|(_, c)| c.parts.iter().copied());
        let pending = self.parts.iter().filter(|(at, p)| self.is_pending(at, p)).map(|(at, _)| *at);
        kept.chain(pending).collect::<BTreeSet<_>>().into_iter().collect()
    }
}
