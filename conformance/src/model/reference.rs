//! [`Reference`]: what a store must answer, in plain ordered maps.

use std::collections::BTreeMap;

use bytes::Bytes;
use statehold_core::{Millis, Model};

use super::operation::{Ask, Change, Doubt, Mark, Operation, Table, WRITERS, What, payload, subkey};
use crate::{context::START, state::bytes};

/// A record: its payload and when it goes.
pub(super) type Record = (Bytes, Option<Millis>);

/// A list: its elements and when it goes.
pub(super) type List = (Vec<Bytes>, Option<Millis>);

/// The content of a state.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Data {
    pub(super) records: BTreeMap<(Bytes, Bytes), Record>,
    pub(super) lists: BTreeMap<Bytes, List>,
}

fn live(expires_at: Option<Millis>, now: Millis) -> bool {
    expires_at.is_none_or(|at| now < at)
}

impl Data {
    /// Records that are there at `now`, by (key, subkey).
    pub(super) fn records_at(&self, now: Millis) -> impl Iterator<Item = (&(Bytes, Bytes), &Bytes)> {
        self.records.iter().filter(move |(_, record)| live(record.1, now)).map(|(at, record)| (at, &record.0))
    }

    pub(super) fn record_at(&self, at: &(Bytes, Bytes), now: Millis) -> Option<&Bytes> {
        self.records.get(at).filter(|record| live(record.1, now)).map(|record| &record.0)
    }

    /// Lists that are there at `now`, by key.
    pub(super) fn lists_at(&self, now: Millis) -> impl Iterator<Item = (&Bytes, &Vec<Bytes>)> {
        self.lists.iter().filter(move |(_, list)| live(list.1, now)).map(|(key, list)| (key, &list.0))
    }

    fn change(&mut self, key: Bytes, what: What, now: Millis, ttl: bool) {
        let expiry = |millis: Option<u8>| millis.filter(|_| ttl).map(|m| Millis(now.0 + u64::from(m)));
        // An expired list is gone; whatever is done to it, it begins anew.
        if self.lists.get(&key).is_some_and(|list| !live(list.1, now)) {
            self.lists.remove(&key);
        }
        match what {
            What::Put { sub, payload: number, ttl } => {
                self.records.insert((key, bytes(subkey(sub))), (payload(number).into(), expiry(ttl)));
            }
            What::Delete { sub } => drop(self.records.remove(&(key, bytes(subkey(sub))))),
            What::DeleteSubs { from, until } => {
                self.lists.remove(&key);
                let gone = |sub: &[u8]| sub >= subkey(from) && until.is_none_or(|until| sub < subkey(until));
                self.records.retain(|(of, sub), _| *of != key || !gone(sub));
            }
            What::Append { count, payload: number, ttl } => {
                let list = self.lists.entry(key).or_default();
                list.0.extend((0..count).map(|i| Bytes::from(payload(number.wrapping_add(i)))));
                list.1 = expiry(ttl);
            }
            What::Trim { count } => {
                if let Some(list) = self.lists.get_mut(&key) {
                    list.0.drain(..usize::from(count).min(list.0.len()));
                    if list.0.is_empty() {
                        self.lists.remove(&key);
                    }
                }
            }
        }
    }
}

/// What a commit must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Applied,
    Failed(Vec<usize>),
    Duplicate,
    Outdated,
}

/// The whole store, and the clock.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) tables: Vec<Table>,
    pub(super) data: Vec<Data>,
    pub(super) clock: Millis,
    pub(super) floor: Millis,
    pub(super) cuts: Vec<(Vec<Data>, Millis)>,
    pub(super) archives: Vec<Vec<Data>>,
    /// Whether a writer has a commit that can be sent again.
    pub(super) marked: [bool; WRITERS],
}

/// The order in which the changes of a key are applied.
fn rank(what: What) -> u8 {
    match what {
        What::DeleteSubs { .. } => 0,
        What::Trim { .. } => 1,
        What::Put { .. } | What::Delete { .. } => 2,
        What::Append { .. } => 3,
    }
}

/// The changes of a batch as a backend sees them: one a record, in the order of application.
pub(super) fn folded(tables: &[Table], changes: &[Change]) -> Vec<Change> {
    let mut kept: Vec<Change> = Vec::new();
    for change in changes {
        let place = |c: &Change| {
            let sub = match c.what {
                What::Put { sub, .. } | What::Delete { sub } => Some(subkey(sub)),
                _ => None,
            };
            (c.table, tables[c.table].key(c.key), rank(c.what), sub)
        };
        if rank(change.what) == 0 || !kept.iter().any(|other| place(other) == place(change)) {
            kept.push(*change);
        }
    }
    kept.sort_by_key(|change| rank(change.what));
    kept
}

impl Reference {
    pub(super) fn new(tables: Vec<Table>) -> Self {
        let data = vec![Data::default(); tables.len()];
        let (cuts, archives) = (Vec::new(), Vec::new());
        Self { tables, data, clock: START, floor: Millis(0), cuts, archives, marked: [false; WRITERS] }
    }

    pub(super) fn now(&self) -> Millis {
        self.clock.max(self.floor)
    }

    /// The record that a doubt is about.
    pub(super) fn doubted(&self, doubt: &Doubt) -> Option<&Bytes> {
        let at = (bytes(self.tables[doubt.table].key(doubt.key)), bytes(subkey(doubt.sub)));
        self.data[doubt.table].record_at(&at, self.now())
    }

    /// Whether it makes sense to do this now.
    pub(super) fn allows(&self, operation: &Operation) -> bool {
        match operation {
            // Only what fixed the floor of time makes the answers certain when the clock goes back.
            Operation::ClockBack(_) => self.floor >= self.clock,
            Operation::CheckCut => !self.cuts.is_empty(),
            Operation::Recover => !self.archives.is_empty(),
            _ => true,
        }
    }

    /// What a commit must answer; applies it if it is to be applied.
    pub(super) fn commit(&mut self, changes: &[Change], doubts: &[Doubt], mark: Mark) -> Expected {
        match mark {
            Mark::Repeat(writer) if self.marked[writer] => return Expected::Duplicate,
            Mark::Older(writer) if self.marked[writer] => return Expected::Outdated,
            _ => {}
        }
        let fails = |doubt: &Doubt| match doubt.ask {
            Ask::Absent => self.doubted(doubt).is_some(),
            Ask::Present | Ask::SameValue | Ask::SameRevision => self.doubted(doubt).is_none(),
            Ask::OtherValue | Ask::OtherRevision => true,
        };
        let failed: Vec<usize> = (0..doubts.len()).filter(|i| fails(&doubts[*i])).collect();
        if !failed.is_empty() {
            return Expected::Failed(failed);
        }
        let now = self.now();
        for change in folded(&self.tables, changes) {
            let table = &self.tables[change.table];
            self.data[change.table].change(bytes(table.key(change.key)), change.what, now, table.ttl);
        }
        if let Mark::Fresh(writer) | Mark::Repeat(writer) | Mark::Older(writer) = mark {
            self.marked[writer] = true;
        }
        Expected::Applied
    }

    /// The store after `operation`.
    pub(super) fn next(mut self, operation: &Operation) -> Self {
        match operation {
            Operation::Commit { changes, doubts, mark } => drop(self.commit(changes, doubts, *mark)),
            Operation::Advance(millis) => self.clock.0 += u64::from(*millis),
            Operation::ClockBack(millis) => self.clock.0 -= u64::from(*millis),
            Operation::Compact => self.floor = self.now(),
            Operation::Cut => {
                self.floor = self.now();
                self.cuts.push((self.data.clone(), self.floor));
            }
            Operation::Archive => {
                self.floor = self.now();
                self.archives.push(self.data.clone());
            }
            Operation::Recover => {
                self.data = self.archives.last().cloned().unwrap_or_default();
                self.marked = [false; WRITERS];
            }
            Operation::Drop { table } => {
                self.data[*table] = Data::default();
                self.marked = [false; WRITERS];
            }
            // Snapshots do not outlive the store they were taken of.
            Operation::Reopen => self.cuts.clear(),
            _ => {}
        }
        self
    }

    /// Whether the state `table` is a list.
    pub(super) fn is_list(&self, table: usize) -> bool {
        self.tables[table].model == Model::List
    }
}
