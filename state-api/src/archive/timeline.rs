//! [`Timeline`]: what the log says, replayed.
//!
//! Checkpoints form a tree: each goes on from the one before it under the same claim, the first
//! of a claim from the claim's base. The *current* timeline is the path from the root to the last
//! complete after the last claim, or to that claim's base. Everything beside it is superseded.
//!
//! A claim takes its groups from whoever had them. One that goes back, so that the current timeline loses its end, takes
//! the right to write from all owners: what they hold builds on what is rolled back.

mod garbage;
mod pending;

use std::collections::{BTreeMap, BTreeSet};

use statehold_core::{Error, ErrorKind, KeyGroups, Result};

use super::{
    Metadata,
    checkpoint::{CheckpointId, CheckpointSummary, Select, Status},
    part::{Part, sum, total, within},
    record::{ClaimEntry, Complete, Entry, PartRef, Record, Retire},
    token::Token,
};

pub(super) use {garbage::Garbage, pending::Prepared};

/// The log up to some record.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    end: u64,
    claims: BTreeMap<u64, ClaimNode>,
    parts: BTreeMap<PartRef, PartNode>,
    checkpoints: BTreeMap<u64, Node>,
    /// Records of the current timeline, ascending.
    current: Vec<u64>,
    /// Ids that were given up on it: a late answer to that call must not meet answers to another.
    aborted: BTreeSet<CheckpointId>,
}

#[derive(Debug)]
struct ClaimNode {
    owner: String,
    /// The record's `write_id`.
    name: String,
    groups: KeyGroups,
    /// The current timeline lost its end by it.
    goes_back: bool,
    base: Option<u64>,
    /// Its owner has written a part since: the base is recovered.
    wrote: bool,
}

#[derive(Debug)]
struct PartNode {
    checkpoint: CheckpointId,
    claim: u64,
    store: String,
    groups: KeyGroups,
    cut: u64,
    rows: Option<u64>,
    bytes: Option<u64>,
    size: u64,
    new_bytes: u64,
    duration_ms: u64,
    /// Attempts of its claim among its objects, as ranges: an object is told from a leftover by them.
    attempts: Vec<(u64, u64)>,
    aborted: bool,
}

#[derive(Debug)]
struct Node {
    id: CheckpointId,
    created_at: u64,
    claim: u64,
    parts: Vec<PartRef>,
    new_bytes: u64,
    duration_ms: u64,
    metadata: Metadata,
    parent: Option<u64>,
    retired: bool,
}

impl Timeline {
    /// The number of the last record; 0 if there is none.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Takes the next record in. An error changes nothing.
    ///
    /// # Errors
    /// `Corrupt` if the record contradicts the log before it.
    pub(super) fn apply(&mut self, record: &Record) -> Result<()> {
        self.check(record)?;
        self.end = record.number;
        for (entry, at) in record.entries.iter().zip(0..) {
            match entry {
                Entry::Claim(claim) => self.claim(record, claim)?,
                Entry::Part(part) => self.part(PartRef { record: record.number, entry: at }, part)?,
                Entry::Complete(complete) => self.complete(record, complete),
                Entry::Abort(abort) => self.abort(abort.checkpoint),
                Entry::Retire(retire) => self.retire(retire),
            }
        }
        Ok(())
    }

    /// Whether the record may come next.
    ///
    /// # Errors
    /// As [`Timeline::apply`].
    pub(super) fn check(&self, record: &Record) -> Result<()> {
        if record.number != self.end + 1 {
            return Err(Error::corrupt(format!("record {} follows record {}", record.number, self.end)));
        }
        let (mut claims, mut completes) = (0, 0);
        for (entry, at) in record.entries.iter().zip(0..) {
            match entry {
                Entry::Claim(claim) => {
                    claims += 1;
                    self.check_claim(claim)?;
                }
                Entry::Part(part) => self.check_part(part)?,
                Entry::Complete(complete) => {
                    completes += 1;
                    self.check_complete(record, at, complete)?;
                }
                Entry::Abort(_) => {}
                Entry::Retire(retire) => {
                    if let Some(unknown) = retire.records.iter().find(|r| !self.checkpoints.contains_key(r)) {
                        return Err(Error::corrupt(format!("it retires record {unknown}, which is no checkpoint")));
                    }
                }
            }
        }
        if record.entries.is_empty() || claims + completes > 1 {
            return Err(Error::corrupt("it has no entries, or more than one claim or complete"));
        }
        Ok(())
    }

    fn check_claim(&self, claim: &ClaimEntry) -> Result<()> {
        let groups = claim.groups.checked()?;
        if let Some(total) = self.key_groups().filter(|t| *t != groups.total()) {
            return Err(Error::corrupt(format!("it claims groups of {}, the namespace has {total}", groups.total())));
        }
        match claim.base {
            Some(base) if self.checkpoints.get(&base).is_none_or(|n| n.retired) => {
                Err(Error::corrupt(format!("it goes on from record {base}, which is no checkpoint")))
            }
            _ => Ok(()),
        }
    }

    fn check_part(&self, part: &Part) -> Result<()> {
        part.check()?;
        let groups = part.groups.checked()?;
        let claim = self.claims.get(&part.claim);
        if claim.is_none_or(|c| !within(groups, c.groups)) {
            return Err(Error::corrupt(format!("a part has groups {groups}, which claim {} has not", part.claim)));
        }
        Ok(())
    }

    fn check_complete(&self, record: &Record, place: u32, complete: &Complete) -> Result<()> {
        // A part of the same record stands before it.
        let own = |at: &PartRef| match record.entries.get(at.entry as usize) {
            Some(Entry::Part(part)) if at.record == record.number && at.entry < place => Some(part.checkpoint),
            _ => None,
        };
        for at in &complete.parts {
            let checkpoint = own(at).or_else(|| self.parts.get(at).map(|p| p.checkpoint));
            if checkpoint != Some(complete.checkpoint) {
                return Err(Error::corrupt(format!(
                    "it completes with a part at record {}, which has none",
                    at.record
                )));
            }
        }
        if complete.parts.is_empty() {
            return Err(Error::corrupt("it completes a checkpoint without parts"));
        }
        Ok(())
    }

    fn claim(&mut self, record: &Record, claim: &ClaimEntry) -> Result<()> {
        let path = self.path(claim.base);
        let goes_back = self.current.last().is_some_and(|last| path.binary_search(last).is_err());
        let groups = claim.groups.checked()?;
        let (owner, name) = (claim.owner.clone(), record.write_id.clone());
        let node = ClaimNode { owner, name, groups, goes_back, base: claim.base, wrote: false };
        self.claims.insert(record.number, node);
        self.current = path;
        if goes_back {
            self.aborted.clear();
        }
        Ok(())
    }

    fn part(&mut self, at: PartRef, part: &Part) -> Result<()> {
        let node = PartNode {
            checkpoint: part.checkpoint,
            claim: part.claim,
            store: part.store.clone(),
            groups: part.groups.checked()?,
            cut: part.cut,
            rows: part.rows(),
            bytes: part.bytes(),
            size: part.size(),
            new_bytes: part.new_bytes,
            duration_ms: part.duration_ms,
            attempts: part.attempts(),
            aborted: false,
        };
        if let Some(claim) = self.claims.get_mut(&part.claim) {
            claim.wrote = true;
        }
        self.parts.insert(at, node);
        Ok(())
    }

    fn complete(&mut self, record: &Record, complete: &Complete) {
        let claims = || complete.parts.iter().filter_map(|at| self.parts.get(at)).map(|p| p.claim);
        // A zombie's: appending refuses it, so only a faulty writer's is ever found.
        let late = claims().any(|claim| self.successor(claim).is_some());
        let node = Node {
            id: complete.checkpoint,
            created_at: record.at,
            claim: claims().max().unwrap_or(0),
            parts: complete.parts.clone(),
            new_bytes: complete.new_bytes,
            duration_ms: complete.duration_ms,
            metadata: complete.metadata.clone(),
            parent: self.current.last().copied().filter(|_| !late),
            retired: false,
        };
        self.checkpoints.insert(record.number, node);
        if !late {
            self.current.push(record.number);
        }
    }

    fn retire(&mut self, retire: &Retire) {
        for record in &retire.records {
            if let Some(node) = self.checkpoints.get_mut(record) {
                node.retired = true;
            }
        }
    }

    /// The records from the root to `last`, ascending.
    fn path(&self, last: Option<u64>) -> Vec<u64> {
        let parent = |record: &u64| self.checkpoints.get(record).and_then(|n| n.parent);
        let mut path: Vec<u64> = std::iter::successors(last, parent).collect();
        path.reverse();
        path
    }

    /// The first claim after `epoch` that took some of its groups or went back, with its owner.
    pub(super) fn successor(&self, epoch: u64) -> Option<(u64, &str)> {
        let groups = self.claims.get(&epoch)?.groups;
        let mut later = self.claims.range(epoch + 1..);
        later.find(|(_, c)| c.goes_back || c.groups.overlaps(&groups)).map(|(e, c)| (*e, c.owner.as_str()))
    }

    /// Whether the record completed a checkpoint that is kept.
    pub(super) fn is_kept(&self, record: u64) -> bool {
        self.checkpoints.get(&record).is_some_and(|n| !n.retired)
    }

    /// The groups of the claim `epoch`.
    pub(super) fn claimed(&self, epoch: u64) -> Option<KeyGroups> {
        self.claims.get(&epoch).map(|c| c.groups)
    }

    /// The epoch of the claim with this name.
    pub(super) fn claim_of(&self, token: Token) -> Option<u64> {
        let name = token.to_string();
        self.claims.iter().rev().find(|(_, c)| c.name == name).map(|(epoch, _)| *epoch)
    }

    /// The namespace's number of key groups, once somebody has claimed some.
    pub(super) fn key_groups(&self) -> Option<u16> {
        self.claims.values().next().map(|c| c.groups.total())
    }

    /// The record of the checkpoint `id` on the current timeline, retired or not.
    pub(super) fn current(&self, id: CheckpointId) -> Option<u64> {
        self.current.iter().rev().copied().find(|r| self.checkpoints.get(r).is_some_and(|n| n.id == id))
    }

    /// The checkpoint meant, if there is one.
    pub(super) fn find(&self, select: Select) -> Option<CheckpointSummary> {
        let kept = |record: &u64| self.is_kept(*record);
        let record = match select {
            Select::Latest => self.current.iter().rev().copied().find(kept),
            Select::Id(id) => self.current(id).filter(kept).or_else(|| {
                let mut newest = self.checkpoints.iter().rev();
                newest.find(|(_, n)| n.id == id && !n.retired).map(|(record, _)| *record)
            }),
        };
        self.summary(record?)
    }

    /// As [`Timeline::find`], or an error that tells what there is.
    ///
    /// # Errors
    /// `NotFound`, naming the nearest ids.
    pub(super) fn resolve(&self, select: Select) -> Result<CheckpointSummary> {
        self.find(select).ok_or_else(|| match select {
            Select::Latest if self.checkpoints.is_empty() => {
                Error::new(ErrorKind::NotFound, "there is no checkpoint yet")
                    .advise("check the archive's URL and the namespace, or take one first")
            }
            Select::Latest => Error::new(ErrorKind::NotFound, "the current timeline has no checkpoint yet")
                .advise("its owner began anew; choose an older checkpoint by its id"),
            Select::Id(id) => Error::new(ErrorKind::NotFound, format!("there is no checkpoint {id}"))
                .about(id.to_string())
                .advise(self.nearest(id)),
        })
    }

    fn nearest(&self, id: CheckpointId) -> String {
        let mut ids: Vec<u64> = self.checkpoints.values().filter(|n| !n.retired).map(|n| n.id.0).collect();
        ids.sort_unstable_by_key(|other| (other.abs_diff(id.0), *other));
        ids.dedup();
        ids.truncate(5);
        ids.sort_unstable();
        if ids.is_empty() {
            return "check the archive's URL and the namespace, or take one first".into();
        }
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        format!("the nearest are {}", ids.join(", "))
    }

    /// All checkpoints that are kept, in the order of their completion.
    pub(super) fn list(&self) -> Vec<CheckpointSummary> {
        let kept = self.checkpoints.iter().filter(|(_, n)| !n.retired);
        kept.filter_map(|(record, _)| self.summary(*record)).collect()
    }

    /// Where the parts of a checkpoint are.
    pub(super) fn parts(&self, record: u64) -> &[PartRef] {
        self.checkpoints.get(&record).map_or(&[], |n| &n.parts)
    }

    /// The checkpoint that the record completed.
    ///
    /// # Errors
    /// `Internal` if it completed none.
    pub(super) fn at(&self, record: u64) -> Result<CheckpointSummary> {
        self.summary(record).ok_or_else(|| Error::internal(format!("log record {record} completes no checkpoint")))
    }

    fn summary(&self, record: u64) -> Option<CheckpointSummary> {
        let node = self.checkpoints.get(&record)?;
        let on = self.current.binary_search(&record).is_ok();
        let parts = || node.parts.iter().filter_map(|at| self.parts.get(at));
        Some(CheckpointSummary {
            id: node.id,
            status: if on { Status::Current } else { Status::Superseded },
            created_at: node.created_at,
            claim: node.claim,
            record,
            stores: parts().map(|p| p.store.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
            parts: node.parts.len(),
            rows: sum(parts().map(|p| p.rows)),
            bytes: sum(parts().map(|p| p.bytes)),
            size: total(parts().map(|p| p.size)),
            new_bytes: node.new_bytes,
            duration_ms: node.duration_ms,
            metadata: node.metadata.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
