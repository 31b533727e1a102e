//! Which checkpoints a retention gives up, and which objects nobody can need any more (contract LIFE-8).

use std::collections::{BTreeMap, BTreeSet};

use statehold_core::Millis;

use super::Timeline;
use crate::archive::{part::ObjectName, prune::Retention};

/// Tells objects that may go from those that may not.
pub(in crate::archive) struct Garbage {
    /// Claims whose owners can record nothing any more.
    superseded: BTreeSet<u64>,
    claims: BTreeSet<u64>,
    /// Attempts of dead parts, by claim.
    dead: BTreeMap<u64, Vec<(u64, u64)>>,
}

impl Timeline {
    /// The records of the checkpoints that `retention` does not keep.
    pub(in crate::archive) fn expendable(&self, retention: &Retention, now: Millis) -> Vec<u64> {
        let last: Vec<u64> = self.current.iter().rev().filter(|r| self.is_kept(**r)).copied().collect();
        let mut keep: BTreeSet<u64> = last.into_iter().take(retention.keep_last.max(1)).collect();
        // Somebody may be recovering it.
        let begun = self.claims.iter().filter(|(epoch, c)| !c.wrote && self.successor(**epoch).is_none());
        keep.extend(begun.filter_map(|(_, c)| c.base));
        let young = |at: u64| retention.keep_for.is_some_and(|time| now.0.saturating_sub(at) < time.as_millis() as u64);
        let kept = self.checkpoints.iter().filter(|(_, c)| !c.retired);
        kept.filter(|(record, c)| !keep.contains(record) && !young(c.created_at)).map(|(record, _)| *record).collect()
    }

    /// What may go, besides what living parts name, were `without` retired.
    pub(in crate::archive) fn garbage_without(&self, without: &[u64]) -> Garbage {
        let living: BTreeSet<_> = self.living_without(without).into_iter().collect();
        let mut dead: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
        for (_, part) in self.parts.iter().filter(|(at, _)| !living.contains(at)) {
            dead.entry(part.claim).or_default().extend(&part.attempts);
        }
        let superseded = self.claims.keys().copied().filter(|epoch| self.successor(*epoch).is_some()).collect();
        Garbage { superseded, claims: self.claims.keys().copied().collect(), dead }
    }
}

impl Garbage {
    /// Whether an object that no living part names may go. One that no part names at all may be about to be
    /// named, unless its owner is superseded, or is the one who asks and writes nothing meanwhile (`own`).
    pub(in crate::archive) fn has(&self, object: &ObjectName, own: Option<u64>) -> bool {
        let dead = || self.dead.get(&object.claim).into_iter().flatten();
        self.claims.contains(&object.claim)
            && (own == Some(object.claim)
                || self.superseded.contains(&object.claim)
                || dead().any(|(first, last)| (*first..=*last).contains(&object.attempt)))
    }
}
