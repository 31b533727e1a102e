//! What is answered at once, and what takes the pool.

use std::{ops::Bound, sync::atomic::Ordering::SeqCst};

use futures::{FutureExt, executor::block_on};

use crate::{
    Batch, Model, Mutation, Op, Reads, ScanRange, ScanRequest, StateId, Store,
    ordered::testing::{Bench, GROUP, append, at, cell, commit, get, put, values},
};

fn is_ready<T>(op: &Op<'_, T>) -> bool {
    matches!(op, Op::Ready(_))
}

fn batch(mutations: Vec<Mutation>) -> Batch {
    Batch { mutations, ..Batch::default() }
}

#[test]
fn a_cached_read_is_answered_at_once_and_a_cold_one_on_the_pool() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "1"), put(s, "b", "2")]).unwrap();
    let both = [at(s, "b", ""), at(s, "a", ""), at(s, "b", "")];
    assert!(is_ready(&store.get(&both[0])));
    assert!(is_ready(&store.get_many(&both)));
    bench.disk.cold.store(true, SeqCst);
    assert!(!is_ready(&store.get(&both[0])));
    assert_eq!(get(&*store, &both[0]), Some("2".into()));
    let many = store.get_many(&both);
    assert!(!is_ready(&many));
    let found: Vec<_> = block_on(many.finish()).unwrap().into_iter().map(|cell| cell.unwrap().value).collect();
    assert_eq!(found, ["2", "1", "2"]);
}

#[test]
fn a_small_commit_is_done_at_once_and_a_throttled_one_on_the_pool() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    assert!(is_ready(&store.commit(batch(vec![put(s, "a", "1")]))));
    let large = put(s, "b", &"x".repeat(70 << 10));
    assert!(!is_ready(&store.commit(batch(vec![large]))));
    bench.disk.throttled.store(true, SeqCst);
    let waiting = store.commit(batch(vec![put(s, "a", "2")]));
    assert!(!is_ready(&waiting));
    block_on(waiting.finish()).unwrap();
    assert_eq!(values(&*store, s), ["2"]);
}

#[test]
fn own_2_a_commit_that_is_never_polled_never_happens() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    bench.disk.throttled.store(true, SeqCst);
    drop(store.commit(batch(vec![put(s, "a", "1")])));
    assert_eq!(get(&*store, &at(s, "a", "")), None);
    let Op::Boxed(mut polled) = store.commit(batch(vec![put(s, "a", "1")])) else { panic!("it waits") };
    let _ = (&mut polled).now_or_never();
    drop(polled);
    assert_eq!(get(&*store, &at(s, "a", "")), Some("1".into()), "polled once, it is whole");
}

#[test]
fn elements_of_a_cold_list_are_read_with_their_head() {
    let (bench, store, s) = Bench::with(Model::List, |spec| spec.ttl = true);
    commit(&*store, vec![append(s, "l", &["1"], Some(2_000))]).unwrap();
    let page = block_on(store.scan(&ScanRequest::all(s, GROUP)).finish()).unwrap();
    let element = at(s, "l", &page.rows[0].sub);
    for cold in [false, true] {
        bench.disk.cold.store(cold, SeqCst);
        assert_eq!(get(&*store, &element), Some("1".into()));
    }
    bench.clock.advance(1_000);
    for cold in [true, false] {
        bench.disk.cold.store(cold, SeqCst);
        assert_eq!(get(&*store, &element), None);
    }
    bench.disk.cold.store(true, SeqCst);
    commit(&*store, vec![append(s, "l", &["2"], Some(9_000))]).unwrap();
    assert_eq!(values(&*store, s), ["2"]);
}

#[test]
fn kv_6_expired_map_entries_are_absent_cold_or_cached() {
    let (bench, store, s) = Bench::with(Model::Map, |spec| spec.ttl = true);
    commit(&*store, vec![Mutation::Put(at(s, "k", "sub"), cell("v", Some(1_001)))]).unwrap();
    bench.clock.advance(1);
    for cold in [false, true] {
        bench.disk.cold.store(cold, SeqCst);
        assert_eq!(get(&*store, &at(s, "k", "sub")), None);
    }
}

/// The elements of the list `key`, and whether they were answered at once.
fn elements(store: &dyn Store, s: StateId, key: &'static str) -> (bool, usize) {
    let range = ScanRange::Subs(key.into(), Bound::Unbounded, Bound::Unbounded);
    let request = ScanRequest { range, ..ScanRequest::all(s, GROUP) };
    let page = store.scan(&request);
    (is_ready(&page), block_on(page.finish()).unwrap().rows.len())
}

#[test]
fn a_small_list_is_read_at_once_and_a_long_or_cold_one_on_the_pool() {
    let (bench, store, s) = Bench::with(Model::List, |_| {});
    let (few, many) = (["x"; 256], ["x"; 257]);
    commit(&*store, vec![append(s, "few", &few, None), append(s, "many", &many, None)]).unwrap();
    assert_eq!(elements(&*store, s, "few"), (true, 256));
    assert_eq!(elements(&*store, s, "many"), (false, 257));
    bench.disk.cold.store(true, SeqCst);
    assert_eq!(elements(&*store, s, "few"), (false, 256));
    // A whole state may be anything.
    bench.disk.cold.store(false, SeqCst);
    assert!(!is_ready(&store.scan(&ScanRequest::all(s, GROUP))));
}

#[test]
fn a_small_list_is_replaced_at_once_and_a_long_or_cold_one_on_the_pool() {
    let (bench, store, s) = Bench::with(Model::List, |_| {});
    let replace = |key: &'static str| {
        let clear = Mutation::DeleteSubs { at: at(s, key, ""), until: None };
        let committed = store.commit(batch(vec![clear, append(s, key, &["new"], None)]));
        let at_once = is_ready(&committed);
        block_on(committed.finish()).unwrap();
        assert_eq!(elements(&*store, s, key).1, 1);
        at_once
    };
    commit(&*store, vec![append(s, "few", &["x"; 60], None)]).unwrap();
    assert!(replace("few"));
    bench.disk.cold.store(true, SeqCst);
    assert!(!replace("few"));
    bench.disk.cold.store(false, SeqCst);
    assert!(replace("few") && replace("none"));
}

#[test]
fn a_long_trim_takes_the_pool() {
    let (_, store, s) = Bench::with(Model::List, |_| {});
    commit(&*store, vec![append(s, "l", &["x"; 400], None)]).unwrap();
    let trim = |count| {
        let trimmed = store.commit(batch(vec![Mutation::TrimFront { at: at(s, "l", ""), count }]));
        let at_once = is_ready(&trimmed);
        block_on(trimmed.finish()).unwrap();
        (at_once, elements(&*store, s, "l").1)
    };
    assert_eq!(trim(10), (true, 390));
    assert_eq!(trim(300), (false, 90));
}
