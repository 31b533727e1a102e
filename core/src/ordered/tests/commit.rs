//! Commits: conditions, revisions, markers, fencing.

use bytes::Bytes;
use futures::executor::block_on;

use crate::{
    Batch, Condition, ConditionsFailed, ErrorKind, Marker, Model, Mutation, Revision, StateOperator, Store, WriterId,
    ordered::testing::{Bench, at, cell, commit, get, put, register, values},
};

fn marked(sequence: u64, mutations: Vec<Mutation>) -> Batch {
    let position = Some(Bytes::from_static(b"offset 7"));
    Batch { marker: Some(Marker { writer: WriterId(1), sequence, position }), mutations, ..Batch::default() }
}

#[test]
fn batch_2_every_failing_condition_is_named_and_nothing_is_written() {
    let (_bench, store, s) = Bench::with(Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "12345x")]).unwrap();
    let conditions = vec![
        (at(s, "a", ""), Condition::Absent),
        (at(s, "a", ""), Condition::ValueIs(Bytes::from_static(b"x"))),
        (at(s, "b", ""), Condition::Present),
    ];
    let batch = Batch { conditions, mutations: vec![put(s, "c", "v")], ..Batch::default() };
    let e = block_on(store.commit(batch).finish()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Conflict);
    let failed: &ConditionsFailed = std::error::Error::source(&e).unwrap().downcast_ref().unwrap();
    assert_eq!(failed.failed, [0, 2]);
    assert_eq!(get(&*store, &at(s, "c", "")), None);
}

#[test]
fn batch_2_an_expired_record_is_absent() {
    let (bench, store, s) = Bench::with(Model::Kv, |spec| spec.ttl = true);
    commit(&*store, vec![Mutation::Put(at(s, "a", ""), cell("v", Some(1_500)))]).unwrap();
    bench.clock.advance(500);
    let conditions = vec![(at(s, "a", ""), Condition::Absent)];
    let batch = Batch { conditions, mutations: vec![put(s, "a", "new")], ..Batch::default() };
    block_on(store.commit(batch).finish()).unwrap();
    assert_eq!(get(&*store, &at(s, "a", "")), Some("new".into()));
}

#[test]
fn kv_5_revisions_ascend_through_delete_and_reopen() {
    let (bench, store, s) = Bench::with(Model::Kv, |spec| spec.revisions = true);
    let mut seen = vec![commit(&*store, vec![put(s, "a", "1")]).unwrap().revisions[0]];
    seen.push(commit(&*store, vec![Mutation::Delete(at(s, "a", ""))]).unwrap().revisions[0]);
    drop(store);
    let store = bench.open().unwrap();
    seen.push(commit(&*store, vec![put(s, "a", "2")]).unwrap().revisions[0]);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    let cell = block_on(crate::Reads::get(&*store, &at(s, "a", "")).finish()).unwrap().unwrap();
    assert_eq!(cell.revision, seen[2]);
}

#[test]
fn kv_5_revisions_are_given_only_where_they_are_kept() {
    let (_bench, store, plain) = Bench::with(Model::Kv, |_| {});
    let counted = register(&*store, "counted", Model::Kv, |spec| spec.revisions = true);
    let committed =
        commit(&*store, vec![put(plain, "a", "1"), put(counted, "a", "1"), put(counted, "b", "1")]).unwrap();
    assert_eq!(committed.revisions[0], Revision::NONE);
    assert!(committed.revisions[1].is_some() && committed.revisions[1] < committed.revisions[2]);
    assert!(commit(&*store, vec![put(plain, "a", "2")]).unwrap().revisions.is_empty());

    let conditions = vec![(at(plain, "a", ""), Condition::RevisionIs(Revision(1)))];
    let e = block_on(store.commit(Batch { conditions, ..Batch::default() }).finish()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unsupported);
}

#[test]
fn batch_4_a_marker_is_answered_once_also_after_a_crash() {
    let (bench, store, s) = Bench::with(Model::Kv, |spec| spec.revisions = true);
    let first = block_on(store.commit(marked(5, vec![put(s, "a", "1")])).finish()).unwrap();
    drop(store);
    bench.disk.crash();
    let store = bench.open().unwrap();
    let again = block_on(store.commit(marked(5, vec![put(s, "a", "other")])).finish()).unwrap();
    assert!(again.duplicate);
    assert_eq!(again.revisions, first.revisions);
    assert_eq!(values(&*store, s), ["1"]);
    let older = block_on(store.commit(marked(4, vec![])).finish()).unwrap_err();
    assert_eq!(older.kind(), ErrorKind::Conflict);
    let last = block_on(store.last_marker(WriterId(1))).unwrap();
    assert_eq!(last, Some((5, Some(Bytes::from_static(b"offset 7")))));
    assert_eq!(block_on(store.last_marker(WriterId(2))).unwrap(), None);
}

#[test]
fn batch_4_markers_of_long_silent_writers_go() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    let marked_by = |writer: u128| Batch {
        marker: Some(Marker { writer: WriterId(writer), sequence: 1, position: None }),
        mutations: vec![put(s, "a", "1")],
        ..Batch::default()
    };
    block_on(store.commit(marked_by(9_999)).finish()).unwrap();
    drop(store);
    let store = bench.open().unwrap();
    for writer in 0..1_024 {
        block_on(store.commit(marked_by(writer)).finish()).unwrap();
    }
    drop(store);
    let store = bench.open().unwrap();
    assert_eq!(block_on(store.last_marker(WriterId(9_999))).unwrap(), None);
    assert_eq!(block_on(store.last_marker(WriterId(0))).unwrap(), Some((1, None)));
    let markers = bench.disk.rows().into_keys().filter(|key| key.starts_with(&[0xFF, 0xFF, 3])).count();
    assert_eq!(markers, 1_024);
}

#[test]
fn batch_1_a_write_that_fails_leaves_nothing_behind() {
    let (bench, store, s) = Bench::with(Model::Kv, |spec| spec.revisions = true);
    bench.disk.full.store(true, std::sync::atomic::Ordering::SeqCst);
    let e = block_on(store.commit(marked(1, vec![put(s, "a", "1")])).finish()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::ResourceExhausted);
    bench.disk.full.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(get(&*store, &at(s, "a", "")), None);
    let again = block_on(store.commit(marked(1, vec![put(s, "a", "1")])).finish()).unwrap();
    assert!(!again.duplicate);
    assert_eq!(again.revisions, [Revision::new(1, 1)]);
}

#[test]
fn life_10_a_dropped_state_is_fenced_and_its_neighbours_stay() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    let neighbour = register(&*store, "s.x", Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "1"), put(neighbour, "a", "2")]).unwrap();
    block_on(store.drop_state(s)).unwrap();
    assert_eq!(commit(&*store, vec![put(s, "a", "3")]).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(block_on(crate::Reads::get(&*store, &at(s, "a", "")).finish()).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(block_on(store.drop_state(s)).unwrap_err().kind(), ErrorKind::NotFound);
    let again = register(&*store, "s", Model::Kv, |_| {});
    assert!(again > neighbour, "numbers are never given again");
    assert_eq!(values(&*store, neighbour), ["2"]);
    assert_eq!(bench.disk.record_keys().len(), 1);
}

#[test]
fn a_drop_that_fails_drops_nothing() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "1")]).unwrap();
    bench.disk.full.store(true, std::sync::atomic::Ordering::SeqCst);
    block_on(store.drop_state(s)).unwrap_err();
    bench.disk.full.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(values(&*store, s), ["1"]);
}

#[test]
fn a_removal_of_many_rows_is_one_range_and_ends_at_the_key() {
    let (bench, store, s) = Bench::with(Model::Map, |_| {});
    let entry = |key: &str, sub: u8| Mutation::Put(at(s, key, [sub]), cell("v", None));
    commit(&*store, (0..100).flat_map(|sub| [entry("a", sub), entry("b", sub), entry("a\0", sub)]).collect()).unwrap();
    let all = Mutation::DeleteSubs { at: at(s, "a", ""), until: None };
    let some = Mutation::DeleteSubs { at: at(s, "b", [10]), until: Some(Bytes::from_static(&[90])) };
    commit(&*store, vec![all, some]).unwrap();
    assert_eq!(bench.disk.record_keys().len(), 100 + 20);
    assert_eq!(get(&*store, &at(s, "b", [9])), Some("v".into()));
    assert_eq!(get(&*store, &at(s, "b", [10])), None);
    assert_eq!(get(&*store, &at(s, "b", [90])), Some("v".into()));
}
