//! Loading beside the live data, and what a crash in the middle leaves.

use bytes::Bytes;
use futures::executor::block_on;

use crate::{
    ErrorKind, KeyGroup, KeyGroups, Loader, Millis, Model, Revision, Row, StateId, StateOperator, Store,
    ordered::testing::{Bench, GROUP, append, at, cell, commit, get, put, register, spec, values},
};

fn row(key: &str, sub: &[u8], value: &str, expires_at: Option<u64>) -> Row {
    Row { key: Bytes::copy_from_slice(key.as_bytes()), sub: Bytes::copy_from_slice(sub), cell: cell(value, expires_at) }
}

fn begin(store: &dyn Store) -> Box<dyn Loader> {
    block_on(store.loader(store.groups())).unwrap()
}

fn load(loader: &mut dyn Loader, state: StateId, rows: Vec<Row>) -> crate::Result<()> {
    block_on(loader.load(state, GROUP, rows))
}

fn named(store: &dyn Store, name: &str) -> StateId {
    block_on(store.states()).unwrap().into_iter().find(|(_, s)| s.name == name).unwrap().0
}

#[test]
fn life_5_a_load_replaces_everything_at_once() {
    let (bench, store, old) = Bench::with(Model::Kv, |spec| spec.revisions = true);
    let later = register(&*store, "later", Model::Kv, |_| {});
    let before = commit(&*store, vec![put(old, "a", "old"), put(later, "x", "y")]).unwrap().revisions[0];
    let mut loader = begin(&*store);
    let new = block_on(loader.state(&spec("s", Model::Kv, |spec| spec.revisions = true))).unwrap();
    let mut loaded = row("b", b"", "new", None);
    loaded.cell.revision = Revision::new(9, 4);
    load(&mut *loader, new, vec![loaded]).unwrap();
    loader.floor(Millis(5_000), 9).unwrap();
    assert_eq!(values(&*store, old), ["old"], "nothing is seen before");
    block_on(loader.publish()).unwrap();

    assert_eq!(commit(&*store, vec![put(old, "a", "1")]).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(block_on(store.states()).unwrap().len(), 1);
    assert_eq!(values(&*store, new), ["new"]);
    assert_eq!(store.now(), Millis(5_000));
    let after = commit(&*store, vec![put(new, "a", "1")]).unwrap().revisions[0];
    assert!(after > before && after > Revision::new(9, 4), "{after:?}");
    drop(store);
    bench.disk.crash();
    let store = bench.open().unwrap();
    assert_eq!(values(&*store, named(&*store, "s")), ["1", "new"]);
    assert_eq!(bench.disk.record_keys().len(), 2);
}

#[test]
fn life_5_a_crash_before_publish_leaves_the_old_content_and_no_leftovers() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "old")]).unwrap();
    let mut loader = begin(&*store);
    let new = block_on(loader.state(&spec("t", Model::Kv, |_| {}))).unwrap();
    load(&mut *loader, new, vec![row("a", b"", "1", None), row("b", b"", "2", None)]).unwrap();
    let during = register(&*store, "during", Model::Kv, |_| {});
    commit(&*store, vec![put(during, "a", "kept")]).unwrap();
    std::mem::forget(loader);
    drop(store);

    let store = bench.open().unwrap();
    assert_eq!(values(&*store, s), ["old"]);
    assert_eq!(values(&*store, during), ["kept"]);
    assert_eq!(bench.disk.record_keys().len(), 2);
}

#[test]
fn life_5_a_dropped_load_is_removed_at_once() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "old")]).unwrap();
    let mut loader = begin(&*store);
    let new = block_on(loader.state(&spec("s", Model::Kv, |_| {}))).unwrap();
    load(&mut *loader, new, vec![row("a", b"", "1", None)]).unwrap();
    assert_eq!(bench.disk.record_keys().len(), 2);
    drop(loader);
    assert_eq!(bench.disk.record_keys().len(), 1);
    assert_eq!(values(&*store, s), ["old"]);
}

#[test]
fn a_newer_load_takes_the_place_of_an_older_one() {
    let (bench, store, _) = Bench::with(Model::Kv, |_| {});
    let mut older = begin(&*store);
    let old = block_on(older.state(&spec("s", Model::Kv, |_| {}))).unwrap();
    load(&mut *older, old, vec![row("a", b"", "older", None)]).unwrap();
    let mut newer = begin(&*store);
    let new = block_on(newer.state(&spec("s", Model::Kv, |_| {}))).unwrap();
    load(&mut *newer, new, vec![row("a", b"", "newer", None)]).unwrap();
    assert_eq!(block_on(older.publish()).unwrap_err().kind(), ErrorKind::Conflict);
    block_on(newer.publish()).unwrap();
    assert_eq!(values(&*store, new), ["newer"]);
    assert_eq!(bench.disk.record_keys().len(), 1);
}

#[test]
fn life_6_a_load_of_some_groups_keeps_all_others() {
    let (_bench, store, s) = Bench::with(Model::Kv, |_| {});
    let only_there = register(&*store, "only_there", Model::Kv, |_| {});
    let elsewhere = |state| {
        let mut put = put(state, "k", "kept");
        let crate::Mutation::Put(at, _) = &mut put else { unreachable!() };
        at.group = KeyGroup(6);
        put
    };
    commit(&*store, vec![put(s, "a", "old"), put(only_there, "a", "old"), elsewhere(s), elsewhere(only_there)])
        .unwrap();
    let mut loader = block_on(store.loader(KeyGroups::new(0..4, 8).unwrap())).unwrap();
    let new = block_on(loader.state(&spec("s", Model::Kv, |_| {}))).unwrap();
    load(&mut *loader, new, vec![row("a", b"", "new", None)]).unwrap();
    let e = block_on(loader.load(new, KeyGroup(6), vec![])).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidInput);
    block_on(loader.publish()).unwrap();

    assert_eq!(values(&*store, new), ["new"]);
    let kept = |state| get(&*store, &crate::Address { group: KeyGroup(6), ..at(state, "k", "") });
    assert_eq!(kept(new), Some("kept".into()));
    let only_there = named(&*store, "only_there");
    assert_eq!(kept(only_there), Some("kept".into()));
    assert!(values(&*store, only_there).is_empty(), "it was not in the archive of these groups");
}

#[test]
fn list_1_append_goes_on_behind_loaded_elements() {
    let (_bench, store, _) = Bench::with(Model::List, |spec| spec.ttl = true);
    let mut loader = begin(&*store);
    let s = block_on(loader.state(&spec("s", Model::List, |spec| spec.ttl = true))).unwrap();
    let far = (77u64 << 40) + 5;
    let rows = vec![row("l", b"", "", Some(9_000)), row("l", &far.to_be_bytes(), "1", Some(8_000))];
    load(&mut *loader, s, rows).unwrap();
    block_on(loader.publish()).unwrap();
    commit(&*store, vec![append(s, "l", &["2"], Some(9_000))]).unwrap();
    assert_eq!(values(&*store, s), ["1", "2"]);
}

#[test]
fn what_a_loader_refuses() {
    let (_bench, store, _) = Bench::with(Model::Kv, |_| {});
    let refused = |spec: crate::StateSpec, rows: Vec<Row>| {
        let mut loader = begin(&*store);
        let s = block_on(loader.state(&spec)).unwrap();
        load(&mut *loader, s, rows).unwrap_err().kind()
    };
    let kv = || spec("t", Model::Kv, |_| {});
    let twice = vec![row("b", b"", "", None), row("a", b"", "", None)];
    assert_eq!(refused(kv(), twice), ErrorKind::InvalidInput);
    let long = "x".repeat(store.limits().key + 1);
    assert_eq!(refused(kv(), vec![row(&long, b"", "", None)]), ErrorKind::LimitExceeded);
    assert_eq!(refused(kv(), vec![row("a", b"", "", Some(1))]), ErrorKind::InvalidInput);
    let bare = vec![row("l", &7u64.to_be_bytes(), "1", None)];
    assert_eq!(refused(spec("t", Model::List, |spec| spec.ttl = true), bare), ErrorKind::InvalidInput);
    let last = vec![row("l", &u64::MAX.to_be_bytes(), "1", None)];
    assert_eq!(refused(spec("t", Model::List, |_| {}), last), ErrorKind::ResourceExhausted);
    assert_eq!(begin(&*store).floor(Millis(0), u32::MAX).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_publish_that_fails_leaves_the_old_content() {
    let (bench, store, s) = Bench::with(Model::Kv, |_| {});
    commit(&*store, vec![put(s, "a", "old")]).unwrap();
    let mut loader = begin(&*store);
    block_on(loader.state(&spec("s", Model::Kv, |_| {}))).unwrap();
    bench.disk.full.store(true, std::sync::atomic::Ordering::SeqCst);
    block_on(loader.publish()).unwrap_err();
    bench.disk.full.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(values(&*store, s), ["old"]);
    commit(&*store, vec![put(s, "b", "new")]).unwrap();
}
