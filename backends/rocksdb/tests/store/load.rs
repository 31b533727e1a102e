//! Loads: rows become table files beside the store, which takes them over.

use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use statehold_core::{
    Cell, Durability, ErrorKind, Inline, KeyGroup, Loader, Model, Resources, Row, StateId, StateSpec, Store,
};

use crate::support::{Place, at, close, fill, get, register};

const ROWS: u32 = 4000;

/// At the caller's thread, so that what a drop does is done.
fn place() -> Place {
    let mut place = Place::new();
    place.request.resources = Resources::new(Arc::new(Inline)).with_memory(32 << 20);
    place
}

/// More than a block of rows.
fn value(i: u32) -> Bytes {
    i.to_be_bytes().repeat(256).into()
}

fn begin(store: &dyn Store, names: &[&str]) -> (Box<dyn Loader>, Vec<StateId>) {
    let mut loader = block_on(store.loader(store.groups())).unwrap();
    let spec = |name: &&str| StateSpec::bytes(name, Model::Kv).unwrap();
    let states = names.iter().map(|name| block_on(loader.state(&spec(name))).unwrap()).collect();
    (loader, states)
}

fn load(loader: &mut dyn Loader, state: StateId, group: KeyGroup) {
    let keys = (0..ROWS).map(|i| (at(state, i), i)).filter(|(at, _)| at.group == group);
    let rows = keys.map(|(at, i)| Row { key: at.key, sub: at.sub, cell: Cell::new(value(i)) });
    block_on(loader.load(state, group, rows.collect())).unwrap();
}

/// What lies beside the store's directory.
fn beside(place: &Place) -> usize {
    std::fs::read_dir(place.store_dir().with_extension("aside")).map_or(0, Iterator::count)
}

#[test]
fn life_5_rows_are_loaded_whatever_the_order_of_states_and_groups() {
    let mut place = place();
    place.request.durability = Durability::Power;
    let store = place.open().unwrap();
    let (mut loader, states) = begin(&*store, &["counts", "sums"]);
    for state in &states {
        for group in store.groups().iter() {
            load(&mut *loader, *state, group);
        }
    }
    block_on(loader.publish()).unwrap();
    assert_eq!(beside(&place), 0);
    drop(store);
    let store = place.open().unwrap();
    for state in states {
        for i in 0..ROWS {
            assert_eq!(get(&*store, &at(state, i)).unwrap(), Some(value(i)), "{i}");
        }
    }
    close(&*store);
}

#[test]
fn life_5_a_load_that_is_dropped_or_overtaken_leaves_no_file() {
    let place = place();
    let store = place.open().unwrap();
    let state = register(&*store);
    fill(&*store, state, 10, b"old");
    let (mut dropped, states) = begin(&*store, &["counts"]);
    load(&mut *dropped, states[0], KeyGroup(0));
    assert_eq!(beside(&place), 1);
    drop(dropped);
    assert_eq!(beside(&place), 0);

    let (mut older, states) = begin(&*store, &["counts"]);
    load(&mut *older, states[0], KeyGroup(0));
    let (newer, _) = begin(&*store, &["counts"]);
    assert_eq!(block_on(older.publish()).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(beside(&place), 0);
    assert_eq!(get(&*store, &at(state, 1)).unwrap(), Some("old".into()));
    drop(newer);
    close(&*store);
}

#[test]
fn life_10_close_releases_the_directory_although_a_load_is_held() {
    let place = place();
    let store = place.open().unwrap();
    let (mut loader, states) = begin(&*store, &["counts"]);
    load(&mut *loader, states[0], KeyGroup(0));
    close(&*store);
    let again = place.open().unwrap();
    assert_eq!(block_on(loader.publish()).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(beside(&place), 0);
    close(&*again);
}
