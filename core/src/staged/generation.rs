//! [`Generation`]: one fill of a write buffer.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    ops::Bound,
};

use bytes::Bytes;
use hashbrown::{Equivalent, hash_map::Entry};

use super::{Captured, Cleared, subs::Subs};
use crate::{Address, Cell, KeyGroup, Mutation, Position, ScanRange, ScanRequest, StateId, key::same};

/// Memory that a staged record costs beyond its own bytes: its slot in a table that is two thirds full, its mutation
/// while it is committed, and what the allocator rounds up for key and value.
const OVERHEAD: usize = size_of::<(Bytes, StagedKey)>() * 3 / 2 + size_of::<Mutation>() + 32;

/// Staged records of one key. `None` is a staged removal.
#[derive(Debug, Clone)]
enum Rows {
    One(Option<Cell>),
    Many(Subs),
}

#[derive(Debug, Clone)]
struct StagedKey {
    /// What the key had below this generation is gone as far as this says; `rows` are newer.
    cleared: Option<Cleared>,
    rows: Rows,
}

/// A key to be found in a table.
#[derive(Clone, Copy)]
struct Wanted<'a>(&'a [u8]);

impl Hash for Wanted<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Without the length: tables have only keys in them.
        state.write(self.0);
    }
}

impl Equivalent<InTable> for Wanted<'_> {
    #[inline]
    fn equivalent(&self, key: &InTable) -> bool {
        same(self.0, &key.0)
    }
}

/// A key in a table.
#[derive(Debug, Clone)]
struct InTable(Bytes);

impl Hash for InTable {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Wanted(&self.0).hash(state);
    }
}

impl PartialEq for InTable {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        Wanted(&self.0).equivalent(other)
    }
}

impl Eq for InTable {}

type Keys = hashbrown::HashMap<InTable, StagedKey, foldhash::fast::RandomState>;

/// Changes folded to one a record, in no order until they are asked for in order.
#[derive(Debug, Default)]
pub struct Generation {
    /// By group, because scans ask for one.
    states: HashMap<(StateId, KeyGroup), Keys, foldhash::fast::RandomState>,
    bytes: usize,
    records: usize,
}

/// Bytes that a record is charged with.
fn charge(key: usize, sub: usize, cell: Option<&Cell>) -> usize {
    OVERHEAD + key + sub + cell.map_or(0, |c| c.value.len())
}

impl Generation {
    /// Bytes held, overhead included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The most that its [`mutations`](Generation::mutations) count towards a batch's limit, in bytes.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        self.bytes - self.records * OVERHEAD
    }

    /// Records held, removals of whole keys among them.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// Whether nothing is staged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The groups of the keys held, in no order; some may come several times.
    pub fn groups(&self) -> impl Iterator<Item = KeyGroup> {
        self.states.keys().map(|(_, group)| *group)
    }

    /// Stages a record, or its removal (`None`).
    pub fn set(&mut self, at: Address, cell: Option<Cell>) {
        let Address { group, state, key, sub } = at;
        let value = cell.as_ref().map_or(0, |c| c.value.len());
        let fresh = charge(key.len(), sub.len(), cell.as_ref());
        let keys = self.states.entry((state, group)).or_default();
        let Some(staged) = keys.get_mut(&Wanted(&key)) else {
            let rows = if sub.is_empty() { Rows::One(cell) } else { Rows::Many(Subs::one(sub, cell)) };
            keys.insert(InTable(key), StagedKey { cleared: None, rows });
            self.bytes += fresh;
            self.records += 1;
            return;
        };
        let before = match &mut staged.rows {
            Rows::One(one) if sub.is_empty() => Some(std::mem::replace(one, cell)),
            Rows::One(one) => {
                let mut many = Subs::one(Bytes::new(), one.take());
                many.insert(sub, cell);
                staged.rows = Rows::Many(many);
                None
            }
            Rows::Many(many) => many.insert(sub, cell),
        };
        match before {
            Some(old) => {
                self.bytes -= old.map_or(0, |c| c.value.len());
                self.bytes += value;
            }
            None => {
                self.bytes += fresh;
                self.records += 1;
            }
        }
    }

    /// Stages the removal of what lies under `at.key`, whatever `at.sub` is.
    pub fn clear(&mut self, at: Address, cleared: Cleared) {
        let Address { group, state, key, .. } = at;
        let length = key.len();
        let staged = match self.states.entry((state, group)).or_default().entry(InTable(key)) {
            Entry::Occupied(staged) => staged.into_mut(),
            Entry::Vacant(none) => none.insert(StagedKey { cleared: None, rows: Rows::Many(Subs::default()) }),
        };
        let (bytes, records) = staged.remove(length, &cleared);
        self.bytes -= bytes;
        self.records -= records;
        match &staged.cleared {
            Some(old) if *old >= cleared => return,
            Some(old) => self.bytes -= old.len(),
            None => {
                self.bytes += charge(length, 0, None);
                self.records += 1;
            }
        }
        self.bytes += cleared.len();
        staged.cleared = Some(cleared);
    }

    /// What is staged for a record: `None` nothing, `Some(None)` a removal.
    #[must_use]
    pub fn get(&self, at: &Address) -> Option<Option<&Cell>> {
        let staged = self.states.get(&(at.state, at.group))?.get(&Wanted(&at.key))?;
        let found = match &staged.rows {
            Rows::One(one) if at.sub.is_empty() => Some(one.as_ref()),
            Rows::One(_) => None,
            Rows::Many(many) => many.get(&at.sub).map(Option::as_ref),
        };
        found.or(staged.covers(&at.sub).then_some(None))
    }

    /// Lays what this generation holds of `request` over what older ones gave.
    pub fn capture(&self, request: &ScanRequest, into: &mut Captured) {
        let Some(keys) = self.states.get(&(request.state, request.group)) else { return };
        if let ScanRange::Subs(key, from, to) = &request.range {
            if let Some(staged) = keys.get(&Wanted(key)) {
                staged.capture_subs(key, (from, to), request, into);
            }
            return;
        }
        for (InTable(key), staged) in keys {
            staged.capture(key, request, into);
        }
    }

    /// Every change, sorted as a [`Batch`](crate::Batch) wants them.
    #[must_use]
    pub fn mutations(&self) -> Vec<Mutation> {
        let mut keys: Vec<(KeyGroup, StateId, &Bytes, &StagedKey)> = self
            .states
            .iter()
            .flat_map(|((state, group), keys)| keys.iter().map(|(InTable(key), staged)| (*group, *state, key, staged)))
            .collect();
        keys.sort_unstable_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        let mut out = Vec::with_capacity(self.records);
        for (group, state, key, staged) in keys {
            let at = |sub: &Bytes| Address { group, state, key: key.clone(), sub: sub.clone() };
            if let Some(cleared) = &staged.cleared {
                out.push(Mutation::DeleteSubs { at: at(&Bytes::new()), until: cleared.until() });
            }
            let mut push = |sub: &Bytes, cell: &Option<Cell>| match cell {
                Some(cell) => out.push(Mutation::Put(at(sub), cell.clone())),
                // What was cleared below is gone already.
                None if staged.covers(sub) => {}
                None => out.push(Mutation::Delete(at(sub))),
            };
            match &staged.rows {
                Rows::One(cell) => push(&Bytes::new(), cell),
                Rows::Many(many) => many.iter().for_each(|(sub, cell)| push(sub, cell)),
            }
        }
        out
    }
}

impl StagedKey {
    fn covers(&self, sub: &[u8]) -> bool {
        self.cleared.as_ref().is_some_and(|c| c.covers(sub))
    }

    /// Removes the rows that `cleared` covers; the bytes and records they were charged with.
    fn remove(&mut self, key: usize, cleared: &Cleared) -> (usize, usize) {
        let (mut bytes, mut records) = (0, 0);
        match &mut self.rows {
            Rows::One(cell) if cleared.covers(&[]) => {
                (bytes, records) = (charge(key, 0, cell.as_ref()), 1);
                self.rows = Rows::Many(Subs::default());
            }
            Rows::One(_) => {}
            Rows::Many(many) => many.clear(cleared, |sub, cell| {
                bytes += charge(key, sub.len(), cell);
                records += 1;
            }),
        }
        (bytes, records)
    }

    fn capture(&self, key: &Bytes, request: &ScanRequest, into: &mut Captured) {
        if let Some(cleared) = &self.cleared {
            into.clear(key, cleared);
        }
        let mut take = |sub: &Bytes, cell: &Option<Cell>| {
            let behind = request.after.as_ref().is_none_or(|p| (&p.key, &p.sub) < (key, sub));
            if behind && request.range.contains(key, sub) {
                into.set(key, sub, cell.clone());
            }
        };
        match &self.rows {
            Rows::One(cell) => take(&Bytes::new(), cell),
            Rows::Many(many) => many.iter().for_each(|(sub, cell)| take(sub, cell)),
        }
    }

    /// As [`StagedKey::capture`] for rows of this key alone, no more of them than a page can hold.
    fn capture_subs(
        &self,
        key: &Bytes,
        (from, to): (&Bound<Bytes>, &Bound<Bytes>),
        request: &ScanRequest,
        into: &mut Captured,
    ) {
        let Rows::Many(many) = &self.rows else { return self.capture(key, request, into) };
        if let Some(cleared) = &self.cleared {
            into.clear(key, cleared);
        }
        let start = match &request.after {
            Some(after) if after.key > *key => return,
            // The later of both; `contains` looks at the other.
            Some(after) if after.key == *key && bound(from).is_none_or(|f| *f <= after.sub) => {
                Bound::Excluded(&after.sub)
            }
            _ => from.as_ref(),
        };
        let mut room = request.limit.rows.max(1);
        for (sub, cell) in many.from(start) {
            if bound(to).is_some_and(|t| sub > t) {
                return;
            }
            if !request.range.contains(key, sub) {
                continue;
            }
            into.set(key, sub, cell.clone());
            room -= usize::from(cell.is_some());
            if room == 0 {
                return into.end_at(Position { key: key.clone(), sub: sub.clone() });
            }
        }
    }
}

fn bound(of: &Bound<Bytes>) -> Option<&Bytes> {
    match of {
        Bound::Included(at) | Bound::Excluded(at) => Some(at),
        Bound::Unbounded => None,
    }
}
