//! Snapshots, floors of time, unclean ends, compaction, close.

use futures::executor::block_on;

use crate::{
    Durability, ErrorKind, Millis, Model, Mutation, Ownership, Reads, ScanRange, StateOperator, Store, Unclean,
    ordered::testing::{Bench, append, at, cell, commit, get, put, register, request, rows, values},
};

#[test]
fn life_2_a_snapshot_shows_its_instant_while_writes_go_on() {
    let (_bench, store, s) = Bench::with(Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "1")]).unwrap();
    let snapshot = block_on(store.snapshot()).unwrap();
    commit(&*store, vec![put(s, "a", "2"), put(s, "b", "3")]).unwrap();
    register(&*store, "later", Model::Kv, |_| {});
    block_on(store.drop_state(s)).unwrap();
    assert_eq!(values(&*snapshot, s), ["1"]);
    assert_eq!(get(&*snapshot, &at(s, "b", "")), None);
    assert_eq!(block_on(snapshot.states()).unwrap().len(), 1);
}

#[test]
fn kv_6_a_cut_and_a_compaction_hold_time_across_a_crash() {
    let (bench, store, s) = Bench::with(Model::Kv, |spec| spec.ttl = true);
    commit(&*store, vec![Mutation::Put(at(s, "a", ""), cell("v", Some(1_500)))]).unwrap();
    bench.clock.set(Millis(1_600));
    assert_eq!(block_on(store.snapshot()).unwrap().now(), Millis(1_600));
    bench.clock.set(Millis(1_000));
    assert_eq!(get(&*store, &at(s, "a", "")), None);
    drop(store);
    bench.disk.crash();
    let store = bench.open().unwrap();
    assert_eq!(store.now(), Millis(1_600));
    assert_eq!(get(&*store, &at(s, "a", "")), None);

    bench.clock.set(Millis(1_700));
    assert_eq!(block_on(store.compact()).unwrap().expired, 1);
    bench.clock.set(Millis(0));
    assert_eq!(store.now(), Millis(1_700));
    assert!(bench.disk.record_keys().is_empty());
}

#[test]
fn kv_6_compact_removes_what_expired_in_steps_and_nothing_else() {
    let (bench, store, s) = Bench::with(Model::Map, |spec| spec.ttl = true);
    let entry = |i: u32| {
        let expires_at = if i.is_multiple_of(3) { None } else { Some(1_000 + u64::from(i % 3)) };
        Mutation::Put(at(s, "k", i.to_be_bytes()), cell("v", expires_at))
    };
    commit(&*store, (0..9_000).map(entry).collect()).unwrap();
    bench.clock.advance(1);
    assert_eq!(block_on(store.compact()).unwrap().expired, 3_000);
    assert_eq!(bench.disk.record_keys().len(), 6_000);
    assert_eq!(values(&*store, s).len(), 6_000);
}

#[test]
fn a_page_that_sees_only_expired_rows_ends_and_can_be_gone_on_from() {
    let (bench, store, s) = Bench::with(Model::Map, |spec| spec.ttl = true);
    let entry = |i: u32| {
        let expires_at = if i == 999 { None } else { Some(1_001) };
        Mutation::Put(at(s, "k", i.to_be_bytes()), cell("v", expires_at))
    };
    commit(&*store, (0..1_000).map(entry).collect()).unwrap();
    bench.clock.advance(1);
    let page = block_on(store.scan(&request(s, ScanRange::All, 10)).finish()).unwrap();
    assert!(page.rows.is_empty() && page.next.is_some());
    assert_eq!(values(&*store, s), ["v"]);
}

#[test]
fn life_5_snapshots_show_the_heads_of_living_lists() {
    let (bench, store, s) = Bench::with(Model::List, |spec| spec.ttl = true);
    commit(&*store, vec![append(s, "a", &["1"], Some(1_001)), append(s, "b", &["2"], Some(5_000))]).unwrap();
    bench.clock.advance(1);
    let snapshot = block_on(store.snapshot()).unwrap();
    let shown = rows(&*snapshot, request(s, ScanRange::All, 9));
    assert_eq!(shown.len(), 2);
    assert_eq!((&shown[0].sub[..], &shown[0].cell), (&b""[..], &cell("", Some(5_000))));
    assert_eq!(values(&*store, s), ["2"], "the store itself never shows them");
}

#[test]
fn life_1_an_unclean_visible_store_opens_only_by_recover_or_discard() {
    let mut bench = Bench::new();
    bench.request.durability = Durability::Visible;
    let store = bench.open().unwrap();
    let s = register(&*store, "s", Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "1")]).unwrap();
    drop(store);
    bench.disk.crash();
    let e = bench.open().unwrap_err();
    assert_eq!((e.kind(), e.subject()), (ErrorKind::Conflict, Some("unclean")));

    bench.request.unclean = Unclean::Recover;
    block_on(bench.open().unwrap().close()).unwrap();
    bench.request.unclean = Unclean::Refuse;
    assert_eq!(bench.open().unwrap_err().kind(), ErrorKind::Conflict, "it was not recovered");

    bench.request.unclean = Unclean::Discard;
    let store = bench.open().unwrap();
    assert!(block_on(store.states()).unwrap().is_empty() && bench.disk.record_keys().is_empty());
}

#[test]
fn life_1_a_visible_store_that_was_closed_has_everything() {
    let mut bench = Bench::new();
    bench.request.durability = Durability::Visible;
    let store = bench.open().unwrap();
    let s = register(&*store, "s", Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "1")]).unwrap();
    block_on(store.close()).unwrap();
    bench.disk.crash();
    assert_eq!(values(&*bench.open().unwrap(), s), ["1"]);
}

#[test]
fn life_1_process_survives_a_crash_without_close() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "1")]).unwrap();
    assert_eq!(block_on(store.finish()).unwrap(), Durability::Process);
    drop(store);
    bench.disk.crash();
    assert_eq!(values(&*bench.open().unwrap(), s), ["1"]);
}

#[test]
fn life_10_after_close_everything_is_unavailable_and_the_engine_is_gone() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    let snapshot = block_on(store.snapshot()).unwrap();
    block_on(store.close()).unwrap();
    block_on(store.close()).unwrap();
    assert_eq!(std::sync::Arc::strong_count(&bench.disk), 1, "engine and images are released");
    let unavailable = |kind: ErrorKind| assert_eq!(kind, ErrorKind::Unavailable);
    unavailable(commit(&*store, vec![put(s, "a", "1")]).unwrap_err().kind());
    unavailable(block_on(store.get(&at(s, "a", "")).finish()).unwrap_err().kind());
    unavailable(block_on(store.scan(&request(s, ScanRange::All, 1)).finish()).unwrap_err().kind());
    unavailable(block_on(store.finish()).unwrap_err().kind());
    unavailable(block_on(store.states()).unwrap_err().kind());
    unavailable(block_on(store.compact()).unwrap_err().kind());
    unavailable(block_on(snapshot.get(&at(s, "a", "")).finish()).unwrap_err().kind());
}

#[test]
fn own_1_read_only_looks_and_refuses_to_write() {
    let (mut bench, store, s) = Bench::with(Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "1")]).unwrap();
    bench.request.ownership = Ownership::ReadOnly;
    let before = bench.disk.rows();
    let look = bench.open().unwrap();
    assert_eq!(values(&*look, s), ["1"]);
    assert_eq!(register(&*look, "s", Model::Kv, |_| {}), s);
    let unsupported = |kind: ErrorKind| assert_eq!(kind, ErrorKind::Unsupported);
    unsupported(commit(&*look, vec![put(s, "a", "2")]).unwrap_err().kind());
    unsupported(block_on(look.register(&crate::StateSpec::bytes("t", Model::Kv).unwrap())).unwrap_err().kind());
    unsupported(block_on(look.drop_state(s)).unwrap_err().kind());
    unsupported(block_on(look.compact()).unwrap_err().kind());
    unsupported(block_on(look.loader(look.groups())).err().unwrap().kind());
    assert_eq!(look.reserve_ordinals(1), None);
    block_on(look.close()).unwrap();
    assert_eq!(bench.disk.rows(), before);
}

#[test]
fn the_version_is_the_engines_until_the_store_is_closed() {
    let (_bench, store, _) = Bench::with(Model::Kv, |_| {});
    assert_eq!(block_on(store.engine_version()).unwrap().unwrap(), "Test 1");
    block_on(store.close()).unwrap();
    assert_eq!(block_on(store.engine_version()).unwrap_err().kind(), ErrorKind::Unavailable);
}
