//! What staged rows are compared with: maps, and changes applied to them one by one.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use proptest::prelude::*;

use crate::{
    Address, Cell, KeyGroup, Mutation, Op, Page, Position, Reads, Row, ScanRange, ScanRequest, StateId,
    staged::{Captured, Cleared, Generation, Hold, Layers},
};

pub(super) const STATE: StateId = StateId(1);
pub(super) const GROUP: KeyGroup = KeyGroup(3);

pub(super) fn at(key: &Bytes, sub: &Bytes) -> Address {
    Address { group: GROUP, state: STATE, key: key.clone(), sub: sub.clone() }
}

/// One change of the application's.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Set(Bytes, Bytes, Option<Cell>),
    Clear(Bytes, Cleared),
    /// A new generation begins.
    Seal,
}

fn name() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec![&b"a"[..], b"b", b"bb"]).prop_map(Bytes::from_static)
}

pub(super) fn sub() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(prop::sample::select(vec![0, 1, 2, 0xFF]), 0..3).prop_map(Bytes::from)
}

pub(super) fn change() -> impl Strategy<Value = Change> {
    let cell = prop::collection::vec(any::<u8>(), 0..40).prop_map(Cell::new);
    prop_oneof![
        8 => (name(), sub(), prop::option::weighted(0.7, cell)).prop_map(|(k, s, c)| Change::Set(k, s, c)),
        1 => name().prop_map(|k| Change::Clear(k, Cleared::All)),
        2 => (name(), sub()).prop_map(|(k, s)| Change::Clear(k, Cleared::Below(s))),
        2 => Just(Change::Seal),
    ]
}

/// Rows as a store would have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows(pub(super) BTreeMap<(Bytes, Bytes), Cell>);

impl Rows {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Set(key, sub, Some(cell)) => drop(self.0.insert((key.clone(), sub.clone()), cell.clone())),
            Change::Set(key, sub, None) => drop(self.0.remove(&(key.clone(), sub.clone()))),
            Change::Clear(key, cleared) => self.0.retain(|(k, s), _| k != key || !cleared.covers(s)),
            Change::Seal => {}
        }
    }

    pub(super) fn commit(&mut self, mutation: &Mutation) {
        let Address { key, sub, .. } = mutation.at().clone();
        match mutation {
            Mutation::Put(_, cell) => drop(self.0.insert((key, sub), cell.clone())),
            Mutation::Delete(_) => drop(self.0.remove(&(key, sub))),
            Mutation::DeleteSubs { until, .. } => {
                self.0.retain(|(k, s), _| *k != key || *s < sub || until.as_ref().is_some_and(|u| s >= u));
            }
            other => panic!("never staged: {other:?}"),
        }
    }

    pub(super) fn within(&self, range: &ScanRange) -> Vec<Row> {
        let inside = self.0.iter().filter(|((key, sub), _)| range.contains(key, sub));
        inside.map(|((key, sub), cell)| Row { key: key.clone(), sub: sub.clone(), cell: cell.clone() }).collect()
    }
}

impl Reads for Rows {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        Op::Ready(Ok(self.0.get(&(at.key.clone(), at.sub.clone())).cloned()))
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::Ready(Ok(at.iter().map(|at| self.0.get(&(at.key.clone(), at.sub.clone())).cloned()).collect()))
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        let behind = |row: &Row| request.after.as_ref().is_none_or(|p| (&p.key, &p.sub) < (&row.key, &row.sub));
        let mut rows: Vec<Row> = self.within(&request.range).into_iter().filter(behind).collect();
        let more = rows.len() > request.limit.rows;
        rows.truncate(request.limit.rows);
        let last = rows.last().map(|r| Position { key: r.key.clone(), sub: r.sub.clone() });
        Op::Ready(Ok(Page { rows, next: last.filter(|_| more) }))
    }
}

/// Generations, oldest first, of which none is ever flushed.
#[derive(Default)]
pub(super) struct Stack(pub(super) Vec<Generation>);

impl Stack {
    pub(super) fn of(changes: &[Change]) -> Self {
        let mut stack = vec![Generation::default()];
        for change in changes {
            let newest = stack.last_mut().unwrap();
            match change.clone() {
                Change::Set(key, sub, cell) => newest.set(at(&key, &sub), cell),
                Change::Clear(key, cleared) => newest.clear(at(&key, &Bytes::new()), cleared),
                Change::Seal => stack.push(Generation::default()),
            }
        }
        Self(stack)
    }
}

impl Layers for Stack {
    fn look(&self, at: &Address) -> Option<Option<Cell>> {
        self.0.iter().rev().find_map(|g| g.get(at)).map(|cell| cell.cloned())
    }

    fn capture(&self, request: &ScanRequest) -> Captured {
        let mut captured = Captured::default();
        self.0.iter().for_each(|g| g.capture(request, &mut captured));
        captured
    }

    fn look_many(&self, at: &[Address]) -> Vec<Option<Option<Cell>>> {
        at.iter().map(|at| self.look(at)).collect()
    }

    fn seals(&self) -> u64 {
        0
    }

    fn hold(&self) -> BoxFuture<'_, Hold<'_>> {
        async { Box::new(()) as Hold<'_> }.boxed()
    }
}
