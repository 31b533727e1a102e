//! Lists: ordinals that keep their order, and expiry as a whole.

use bytes::Bytes;
use futures::executor::block_on;

use crate::{
    ErrorKind, Model, Mutation, ScanRange, StateId, StateOperator, Store,
    ordered::testing::{Bench, append, at, cell, commit, get, request, rows, values},
};

fn trim(s: StateId, key: &str, count: u64) -> Mutation {
    Mutation::TrimFront { at: at(s, key, ""), count }
}

#[test]
fn list_1_append_keeps_order_across_reopen_and_crash() {
    let (bench, store, s) = Bench::with(Model::List, |_| {});
    commit(&*store, vec![append(s, "l", &["1", "2"], None)]).unwrap();
    let reserved = store.reserve_ordinals(3).unwrap();
    commit(&*store, vec![append(s, "l", &["6"], None)]).unwrap();
    commit(&*store, vec![Mutation::Put(at(s, "l", reserved.to_be_bytes()), cell("3", None))]).unwrap();
    drop(store);
    bench.disk.crash();
    let store = bench.open().unwrap();
    commit(&*store, vec![append(s, "l", &["7"], None)]).unwrap();
    assert_eq!(values(&*store, s), ["1", "2", "3", "6", "7"]);
}

#[test]
fn list_1_an_ordinal_that_was_never_reserved_is_refused() {
    let (_bench, store, s) = Bench::with(Model::List, |_| {});
    let next = store.reserve_ordinals(1).unwrap() + 1;
    let e = commit(&*store, vec![Mutation::Put(at(s, "l", next.to_be_bytes()), cell("v", None))]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidInput);
    let e = commit(&*store, vec![Mutation::Put(at(s, "l", "short"), cell("v", None))]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidInput);
}

#[test]
fn list_2_trim_takes_from_the_front_and_all_is_enough() {
    let (bench, store, s) = Bench::with(Model::List, |_| {});
    commit(&*store, vec![append(s, "l", &["1", "2", "3"], None), append(s, "m", &["4"], None)]).unwrap();
    commit(&*store, vec![trim(s, "l", 2)]).unwrap();
    assert_eq!(values(&*store, s), ["3", "4"]);
    commit(&*store, vec![trim(s, "l", 9)]).unwrap();
    assert_eq!(values(&*store, s), ["4"]);
    let long: Vec<String> = (0..200).map(|i| i.to_string()).collect();
    commit(&*store, vec![append(s, "l", &long.iter().map(String::as_str).collect::<Vec<_>>(), None)]).unwrap();
    commit(&*store, vec![trim(s, "l", 150)]).unwrap();
    assert_eq!(values(&*store, s)[..51].concat(), (150..200).map(|i| i.to_string()).collect::<String>() + "4");
    assert_eq!(bench.disk.record_keys().len(), 51);
}

#[test]
fn a_trim_does_not_count_what_its_own_batch_removed() {
    let (_bench, store, s) = Bench::with(Model::List, |_| {});
    let first = store.reserve_ordinals(5).unwrap();
    let put = |i: u64| Mutation::Put(at(s, "l", (first + i).to_be_bytes()), cell(&i.to_string(), None));
    commit(&*store, (0..5).map(put).collect()).unwrap();
    let until = Some(Bytes::copy_from_slice(&(first + 2).to_be_bytes()));
    commit(&*store, vec![Mutation::DeleteSubs { at: at(s, "l", ""), until }, trim(s, "l", 1)]).unwrap();
    assert_eq!(values(&*store, s), ["3", "4"]);
}

#[test]
fn kv_6_a_list_expires_as_a_whole_at_the_very_instant() {
    let (bench, store, s) = Bench::with(Model::List, |spec| spec.ttl = true);
    commit(&*store, vec![append(s, "l", &["1", "2", "3"], Some(2_000)), append(s, "m", &["x"], None)]).unwrap();
    bench.clock.advance(500);
    commit(&*store, vec![append(s, "l", &["4"], Some(2_500))]).unwrap();
    bench.clock.advance(999);
    assert_eq!(values(&*store, s), ["1", "2", "3", "4", "x"], "the last append counts");
    bench.clock.advance(1);
    assert_eq!(values(&*store, s), ["x"]);
    let subs = ScanRange::Subs(Bytes::from_static(b"l"), std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    assert!(rows(&*store, request(s, subs, 2)).is_empty());
}

#[test]
fn kv_6_an_expired_list_is_hidden_in_the_middle_of_its_pages() {
    let (bench, store, s) = Bench::with(Model::List, |spec| spec.ttl = true);
    commit(&*store, vec![append(s, "l", &["1", "2", "3"], Some(2_000)), append(s, "m", &["x"], None)]).unwrap();
    let first = block_on(crate::Reads::scan(&*store, &request(s, ScanRange::All, 2)).finish()).unwrap();
    let element = at(s, "l", &first.rows[1].sub);
    assert_eq!(get(&*store, &element), Some("2".into()));
    bench.clock.advance(1_000);
    assert_eq!(get(&*store, &element), None);
    let mut rest = request(s, ScanRange::All, 2);
    rest.after = first.next;
    let rest: Vec<_> = rows(&*store, rest).iter().map(|row| row.key.clone()).collect();
    assert_eq!(rest, ["m"]);
}

#[test]
fn kv_6_an_append_to_an_expired_list_begins_anew() {
    let (bench, store, s) = Bench::with(Model::List, |spec| spec.ttl = true);
    commit(&*store, vec![append(s, "l", &["1", "2"], Some(2_000))]).unwrap();
    bench.clock.advance(1_000);
    commit(&*store, vec![append(s, "l", &["3"], Some(9_000))]).unwrap();
    assert_eq!(values(&*store, s), ["3"]);
    assert_eq!(bench.disk.record_keys().len(), 2, "head and element");
}

#[test]
fn a_list_with_ttl_takes_no_elements_at_ordinals() {
    let (_bench, store, s) = Bench::with(Model::List, |spec| spec.ttl = true);
    let ordinal = store.reserve_ordinals(1).unwrap().to_be_bytes();
    let e = commit(&*store, vec![Mutation::Put(at(s, "l", ordinal), cell("v", Some(2_000)))]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unsupported);
    let uneven = Mutation::Append { at: at(s, "l", ""), cells: vec![cell("1", Some(1)), cell("2", Some(2))] };
    assert_eq!(commit(&*store, vec![uneven]).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_removal_of_some_elements_keeps_the_list_alive() {
    let (_bench, store, s) = Bench::with(Model::List, |spec| spec.ttl = true);
    commit(&*store, vec![append(s, "l", &["1", "2"], Some(2_000))]).unwrap();
    let second = rows(&*store, request(s, ScanRange::All, 9))[1].sub.clone();
    commit(&*store, vec![Mutation::DeleteSubs { at: at(s, "l", ""), until: Some(second) }]).unwrap();
    assert_eq!(values(&*store, s), ["2"]);
}

#[test]
fn life_9_compact_removes_expired_lists_and_bare_heads() {
    let (bench, store, s) = Bench::with(Model::List, |spec| spec.ttl = true);
    let long: Vec<String> = (0..100).map(|i| i.to_string()).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    commit(
        &*store,
        vec![append(s, "a", &long, Some(1_500)), append(s, "b", &["x"], None), append(s, "c", &["y"], None)],
    )
    .unwrap();
    commit(&*store, vec![trim(s, "b", 1)]).unwrap();
    bench.clock.advance(500);
    assert_eq!(block_on(store.compact()).unwrap().expired, 1);
    assert_eq!(bench.disk.record_keys().len(), 2, "head and element of c");
    assert_eq!(values(&*store, s), ["y"]);
}
