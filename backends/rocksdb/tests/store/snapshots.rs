//! Snapshots that outlive what made them.

use futures::executor::block_on;
use statehold_core::ErrorKind;

use crate::support::{Place, at, close, fill, get, register, values};

#[test]
fn life_2_a_snapshot_stays_as_it_was_through_writes_and_compaction() {
    let place = Place::new();
    let store = place.open().unwrap();
    let state = register(&*store);
    fill(&*store, state, 1000, b"before");
    let snapshot = block_on(store.snapshot()).unwrap();
    fill(&*store, state, 2000, b"after");
    block_on(store.compact()).unwrap();
    let seen = values(&*snapshot, state, 0..8).unwrap();
    assert_eq!(seen.len(), 1000);
    assert!(seen.iter().all(|value| value == "before"));
    assert_eq!(get(&*snapshot, &at(state, 1500)).unwrap(), None);
    let two = block_on(snapshot.get_many(&[at(state, 5), at(state, 1999)]).finish()).unwrap();
    assert!(two[0].is_some() && two[1].is_none());
    drop(snapshot);
    assert_eq!(values(&*store, state, 0..8).unwrap().len(), 2000);
    close(&*store);
}

#[test]
fn life_10_close_releases_the_directory_although_a_snapshot_is_held() {
    let place = Place::new();
    let store = place.open().unwrap();
    let state = register(&*store);
    fill(&*store, state, 10, b"value");
    let snapshot = block_on(store.snapshot()).unwrap();
    close(&*store);
    let again = place.open().unwrap();
    assert_eq!(values(&*again, state, 0..8).unwrap().len(), 10);
    assert_eq!(get(&*snapshot, &at(state, 1)).unwrap_err().kind(), ErrorKind::Unavailable);
    close(&*again);
}

#[test]
fn a_store_dropped_with_a_snapshot_goes_with_it() {
    let place = Place::new();
    let store = place.open().unwrap();
    let state = register(&*store);
    fill(&*store, state, 10, b"value");
    let snapshot = block_on(store.snapshot()).unwrap();
    drop(store);
    assert_eq!(values(&*snapshot, state, 0..8).unwrap().len(), 10);
    drop(snapshot);
    close(&*place.open().unwrap());
}
