//! Staged rows against a naive model.

mod model;
mod subs;

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use futures::{FutureExt, executor::block_on, future::BoxFuture};
use proptest::prelude::*;

use self::model::{Change, GROUP, Rows, STATE, Stack, at, change, sub};
use super::{Captured, Cleared, Generation, Hold, Layers, Overlay};
use crate::{
    Address, Batch, Cell, Millis, Op, Page, PageLimit, Position, Reads, Row, ScanRange, ScanRequest, StateId, collect,
};

const NOW: Millis = Millis(1_000);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 0..60)
}

fn range() -> impl Strategy<Value = ScanRange> {
    let bound =
        || prop_oneof![Just(Bound::Unbounded), sub().prop_map(Bound::Included), sub().prop_map(Bound::Excluded)];
    prop_oneof![
        Just(ScanRange::All),
        Just(ScanRange::Keys(Bound::Excluded("a".into()), Bound::Included("bb".into()))),
        (bound(), bound()).prop_map(|(from, to)| ScanRange::Subs("b".into(), from, to)),
    ]
}

/// Base rows, and the rows that they become under `changes`.
fn before_and_after(base: &[Change], changes: &[Change]) -> (Rows, Rows) {
    let mut before = Rows::default();
    base.iter().for_each(|c| before.apply(c));
    let mut after = before.clone();
    changes.iter().for_each(|c| after.apply(c));
    (before, after)
}

/// Bytes and records of one generation, added up anew.
fn counted(changes: &[Change]) -> (usize, usize) {
    let mut rows: BTreeMap<(Bytes, Bytes), usize> = BTreeMap::new();
    let mut cleared: BTreeMap<Bytes, Cleared> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Set(key, sub, cell) => {
                let value = cell.as_ref().map_or(0, |c| c.value.len());
                rows.insert((key.clone(), sub.clone()), key.len() + sub.len() + value);
            }
            Change::Clear(key, more) => {
                rows.retain(|(k, s), _| k != key || !more.covers(s));
                let known = cleared.entry(key.clone()).or_insert_with(|| more.clone());
                *known = known.clone().max(more.clone());
            }
            Change::Seal => {}
        }
    }
    let bounds = cleared.iter().map(|(key, c)| key.len() + if let Cleared::Below(u) = c { u.len() } else { 0 });
    (rows.values().sum::<usize>() + bounds.sum::<usize>(), rows.len() + cleared.len())
}

proptest! {
    #[test]
    fn kv_4_pages_over_staged_rows_yield_what_a_naive_merge_does(
        base in changes(), changes in changes(), range in range(), limit in 1..7usize,
    ) {
        let (before, after) = before_and_after(&base, &changes);
        let stack = Stack::of(&changes);
        let overlay = Overlay::new(&stack, &before, NOW);
        let limit = PageLimit { rows: limit, ..PageLimit::default() };
        let mut request = ScanRequest { range, limit, ..ScanRequest::all(STATE, GROUP) };
        let mut rows = Vec::new();
        loop {
            let page = block_on(overlay.scan(&request).finish()).unwrap();
            prop_assert!(page.rows.len() <= limit.rows);
            rows.extend(page.rows);
            let Some(next) = page.next else { break };
            prop_assert!(request.after.as_ref().is_none_or(|last| *last < next), "no progress behind {:?}", next);
            request.after = Some(next);
        }
        prop_assert_eq!(rows, after.within(&request.range));
    }

    #[test]
    fn kv_1_point_reads_see_the_last_write_staged_or_committed(
        base in changes(), changes in changes(), asked in prop::collection::vec((prop::sample::select(vec!["a", "b", "bb"]), sub()), 1..20),
    ) {
        let (before, after) = before_and_after(&base, &changes);
        let stack = Stack::of(&changes);
        let overlay = Overlay::new(&stack, &before, NOW);
        let asked: Vec<Address> = asked.iter().map(|(key, sub)| at(&Bytes::from_static(key.as_bytes()), sub)).collect();
        let expected = block_on(after.get_many(&asked).finish()).unwrap();
        prop_assert_eq!(&block_on(overlay.get_many(&asked).finish()).unwrap(), &expected);
        for (at, cell) in asked.iter().zip(expected) {
            prop_assert_eq!(block_on(overlay.get(at).finish()).unwrap(), cell);
        }
    }

    #[test]
    fn batch_5_flushing_every_generation_gives_the_store_what_the_overlay_showed(base in changes(), changes in changes()) {
        let (mut store, after) = before_and_after(&base, &changes);
        for generation in Stack::of(&changes).0 {
            let batch = Batch { mutations: generation.mutations(), ..Batch::default() };
            batch.check_folded().unwrap();
            prop_assert!(batch.size() <= generation.batch_bytes());
            batch.mutations.iter().for_each(|m| store.commit(m));
        }
        prop_assert_eq!(store, after);
    }

    #[test]
    fn own_7_bytes_and_records_are_those_of_the_rows_held(changes in changes()) {
        let changes: Vec<Change> = changes.into_iter().filter(|c| !matches!(c, Change::Seal)).collect();
        let generation = Stack::of(&changes).0.remove(0);
        let (bytes, records) = counted(&changes);
        prop_assert_eq!(generation.records(), records);
        prop_assert_eq!(generation.batch_bytes(), bytes);
        prop_assert_eq!(generation.is_empty(), records == 0);
        prop_assert!(generation.bytes() >= bytes + records);
    }
}

#[test]
fn two_states_and_two_groups_never_see_each_others_rows() {
    let mut generation = Generation::default();
    let here = at(&"k".into(), &Bytes::new());
    generation.set(here.clone(), Some(Cell::new("v")));
    assert_eq!(generation.get(&Address { state: StateId(2), ..here.clone() }), None);
    generation.clear(Address { state: StateId(2), ..here.clone() }, Cleared::All);
    assert_eq!(generation.get(&here), Some(Some(&Cell::new("v"))));
    let mut captured = Captured::default();
    generation.capture(&ScanRequest::all(StateId(2), GROUP), &mut captured);
    assert_eq!(captured.over(Page::default(), NOW, 8).rows, []);
}

#[test]
fn kv_6_a_staged_row_that_has_expired_hides_the_row_beneath_and_is_not_shown() {
    let base = Rows([(("k".into(), Bytes::new()), Cell::new("old"))].into());
    let mut stack = Stack::of(&[]);
    let here = at(&"k".into(), &Bytes::new());
    stack.0[0].set(here.clone(), Some(Cell { expires_at: Some(NOW), ..Cell::new("new") }));
    let overlay = Overlay::new(&stack, &base, NOW);
    assert_eq!(block_on(overlay.get(&here).finish()).unwrap(), None);
    assert_eq!(block_on(collect(&overlay, ScanRequest::all(STATE, GROUP))).unwrap(), []);
    let earlier = Overlay::new(&stack, &base, Millis(NOW.0 - 1));
    assert_eq!(block_on(collect(&earlier, ScanRequest::all(STATE, GROUP))).unwrap().len(), 1);
}

#[test]
fn a_page_of_one_key_takes_no_more_staged_rows_than_it_can_hold() {
    let mut stack = Stack::of(&[]);
    for n in 0..1_000_u16 {
        stack.0[0].set(at(&"k".into(), &Bytes::copy_from_slice(&n.to_be_bytes())), Some(Cell::new("v")));
    }
    let limit = PageLimit { rows: 2, ..PageLimit::default() };
    let range = ScanRange::Subs("k".into(), Bound::Unbounded, Bound::Unbounded);
    let captured = stack.capture(&ScanRequest { range, limit, ..ScanRequest::all(STATE, GROUP) });
    let page = captured.over(Page::default(), NOW, 1_000);
    assert_eq!(page.rows.len(), 2);
    assert_eq!(page.next.map(|p| p.sub), Some(Bytes::from_static(&[0, 1])));
}

/// Layers that are sealed while every one of the first pages is read.
struct Restless {
    stack: Stack,
    seals: AtomicU64,
    held: AtomicU64,
}

impl Layers for Restless {
    fn look(&self, at: &Address) -> Option<Option<Cell>> {
        self.stack.look(at)
    }
    fn capture(&self, request: &ScanRequest) -> Captured {
        self.stack.capture(request)
    }
    fn look_many(&self, at: &[Address]) -> Vec<Option<Option<Cell>>> {
        self.stack.look_many(at)
    }
    fn seals(&self) -> u64 {
        self.seals.fetch_add(1, Ordering::Relaxed)
    }
    fn hold(&self) -> BoxFuture<'_, Hold<'_>> {
        self.held.fetch_add(1, Ordering::Relaxed);
        async { Box::new(()) as Hold<'_> }.boxed()
    }
}

#[test]
fn kv_4_a_reader_whom_flushes_keep_overtaking_holds_them_back() {
    let layers = Restless { stack: Stack::of(&[]), seals: AtomicU64::new(0), held: AtomicU64::new(0) };
    let base = Rows([(("k".into(), Bytes::new()), Cell::new("v"))].into());
    let overlay = Overlay::new(&layers, &base, NOW);
    assert_eq!(block_on(collect(&overlay, ScanRequest::all(STATE, GROUP))).unwrap().len(), 1);
    assert_eq!(block_on(overlay.get_many(&[at(&"k".into(), &Bytes::new())]).finish()).unwrap().len(), 1);
    assert_eq!(layers.held.load(Ordering::Relaxed), 2);
}

/// A base that must not be asked for what is known to be gone.
struct Watched(Bound<Bytes>);

impl Reads for Watched {
    fn get<'a>(&'a self, _: &'a Address) -> Op<'a, Option<Cell>> {
        panic!("not asked")
    }
    fn get_many<'a>(&'a self, _: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        panic!("not asked")
    }
    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        assert!(matches!(&request.range, ScanRange::Subs(_, from, _) if *from == self.0), "{request:?}");
        Op::Ready(Ok(Page::default()))
    }
}

#[test]
fn the_store_is_not_asked_for_what_staged_removals_have_taken_away() {
    let request = ScanRequest {
        range: ScanRange::Subs("k".into(), Bound::Unbounded, Bound::Unbounded),
        after: Some(Position { key: "k".into(), sub: Bytes::new() }),
        ..ScanRequest::all(STATE, GROUP)
    };
    let page = |cleared: Cleared, from: Bound<Bytes>| {
        let stack = Stack::of(&[Change::Clear("k".into(), cleared)]);
        block_on(Overlay::new(&stack, &Watched(from), NOW).scan(&request).finish()).unwrap()
    };
    assert_eq!(page(Cleared::Below("m".into()), Bound::Included("m".into())).rows, Vec::<Row>::new());
    // Were the store asked at all, it would find another bound.
    assert_eq!(page(Cleared::All, Bound::Included("never".into())).next, None);
}
