//! [`Generation`]: one fill of a write buffer.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::Captured;
use crate::{Address, Cell, KeyGroup, Mutation, ScanRequest, StateId};

/// Memory that a staged record costs beyond its own bytes: map slot, cell, reference counts.
const OVERHEAD: usize = 96;

/// Staged records of one key. `None` is a staged removal.
#[derive(Debug, Clone)]
enum Rows {
    One(Option<Cell>),
    Many(BTreeMap<Bytes, Option<Cell>>),
}

#[derive(Debug, Clone)]
struct StagedKey {
    group: KeyGroup,
    /// Everything the key had below this generation is gone.
    cleared: bool,
    rows: Rows,
}

type Keys = HashMap<Bytes, StagedKey, foldhash::fast::RandomState>;

/// Changes folded to one a record, in no order until they are asked for in order.
#[derive(Debug, Default)]
pub struct Generation {
    states: HashMap<StateId, Keys, foldhash::fast::RandomState>,
    bytes: usize,
    records: usize,
}

impl Generation {
    /// Bytes held, overhead included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records held.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// Whether nothing is staged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.values().all(Keys::is_empty)
    }

    /// The group of each key held, in no order.
    pub fn groups(&self) -> impl Iterator<Item = KeyGroup> {
        self.states.values().flat_map(|keys| keys.values().map(|staged| staged.group))
    }

    /// Stages a record, or its removal (`None`).
    pub fn set(&mut self, at: Address, cell: Option<Cell>) {
        let Address { group, state, key, sub } = at;
        let value = cell.as_ref().map_or(0, |c| c.value.len());
        let fresh = OVERHEAD + key.len() + sub.len() + value;
        let keys = self.states.entry(state).or_default();
        let Some(staged) = keys.get_mut(&key) else {
            let rows = if sub.is_empty() { Rows::One(cell) } else { Rows::Many(BTreeMap::from([(sub, cell)])) };
            keys.insert(key, StagedKey { group, cleared: false, rows });
            self.bytes += fresh;
            self.records += 1;
            return;
        };
        let before = match &mut staged.rows {
            Rows::One(one) if sub.is_empty() => Some(std::mem::replace(one, cell)),
            Rows::One(one) => {
                let mut many = BTreeMap::from([(Bytes::new(), one.take())]);
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

    /// Stages the removal of everything under a key.
    pub fn clear(&mut self, state: StateId, group: KeyGroup, key: Bytes) {
        let cost = OVERHEAD + key.len();
        let blank = StagedKey { group, cleared: true, rows: Rows::Many(BTreeMap::new()) };
        if let Some(old) = self.states.entry(state).or_default().insert(key.clone(), blank) {
            let (bytes, records) = old.cost(key.len());
            self.bytes -= bytes;
            self.records -= records;
        }
        self.bytes += cost;
        self.records += 1;
    }

    /// What is staged for a record: `None` nothing, `Some(None)` a removal.
    #[must_use]
    pub fn get(&self, state: StateId, key: &[u8], sub: &[u8]) -> Option<Option<&Cell>> {
        let staged = self.states.get(&state)?.get(key)?;
        let found = match &staged.rows {
            Rows::One(one) if sub.is_empty() => Some(one.as_ref()),
            Rows::One(_) => None,
            Rows::Many(many) => many.get(sub).map(Option::as_ref),
        };
        found.or(staged.cleared.then_some(None))
    }

    /// Lays what this generation holds of `request` over what older ones gave.
    pub fn capture(&self, request: &ScanRequest, into: &mut Captured) {
        let Some(keys) = self.states.get(&request.state) else { return };
        if let crate::ScanRange::Subs(key, ..) = &request.range {
            if let Some(staged) = keys.get(key) {
                staged.capture(key, request, into);
            }
            return;
        }
        for (key, staged) in keys.iter().filter(|(_, s)| s.group == request.group) {
            staged.capture(key, request, into);
        }
    }

    /// Every change, sorted as a [`Batch`](crate::Batch) wants them.
    #[must_use]
    pub fn mutations(&self) -> Vec<Mutation> {
        let mut keys: Vec<(KeyGroup, StateId, &Bytes, &StagedKey)> = self
            .states
            .iter()
            .flat_map(|(state, keys)| keys.iter().map(|(key, staged)| (staged.group, *state, key, staged)))
            .collect();
        keys.sort_unstable_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        let mut out = Vec::with_capacity(self.records);
        for (group, state, key, staged) in keys {
            let at = |sub: &Bytes| Address { group, state, key: key.clone(), sub: sub.clone() };
            if staged.cleared {
                out.push(Mutation::DeleteSubs { at: at(&Bytes::new()), until: None });
            }
            let mut push = |sub: &Bytes, cell: &Option<Cell>| match cell {
                Some(cell) => out.push(Mutation::Put(at(sub), cell.clone())),
                // What was cleared below is gone already.
                None if staged.cleared => {}
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
    /// Bytes and records this key was charged with.
    fn cost(&self, key: usize) -> (usize, usize) {
        let of = |sub: usize, cell: &Option<Cell>| OVERHEAD + key + sub + cell.as_ref().map_or(0, |c| c.value.len());
        let (bytes, records) = match &self.rows {
            Rows::One(cell) => (of(0, cell), 1),
            Rows::Many(many) => (many.iter().map(|(sub, cell)| of(sub.len(), cell)).sum(), many.len()),
        };
        if self.cleared { (bytes + OVERHEAD + key, records + 1) } else { (bytes, records) }
    }

    fn capture(&self, key: &Bytes, request: &ScanRequest, into: &mut Captured) {
        if self.cleared {
            into.clear(key);
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
}
