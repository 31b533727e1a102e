//! What is there after a close, at each level.

use futures::executor::block_on;
use statehold_core::{Durability, KeyGroup};

use crate::support::{Place, at, close, fill, get, register, values};

#[test]
fn life_1_every_level_survives_a_close() {
    for durability in Durability::ALL {
        let mut place = Place::new();
        place.request.durability = durability;
        let store = place.open().unwrap();
        let state = register(&*store);
        fill(&*store, state, 100, b"value");
        assert_eq!(block_on(store.finish()).unwrap(), durability);
        close(&*store);
        let store = place.open().unwrap();
        assert_eq!(register(&*store), state);
        assert_eq!(values(&*store, state, 0..8).unwrap().len(), 100, "{durability:?}");
        close(&*store);
    }
}

#[test]
fn life_1_without_a_log_nothing_is_logged() {
    let mut place = Place::new();
    place.request.durability = Durability::Visible;
    let store = place.open().unwrap();
    let state = register(&*store);
    fill(&*store, state, 1000, &[7; 1000]);
    let logged: u64 = place.files(".log").iter().map(|p| p.metadata().unwrap().len()).sum();
    assert!(logged < 10_000, "{logged} bytes of log");
    close(&*store);
}

#[test]
fn cold_reads_find_what_warm_ones_found() {
    let place = Place::new();
    let store = place.open().unwrap();
    let state = register(&*store);
    fill(&*store, state, 1000, b"value");
    block_on(store.compact()).unwrap();
    close(&*store);

    let store = place.open().unwrap();
    let keys: Vec<_> = (0..1500).map(|i| at(state, i)).collect();
    let cold = block_on(store.get_many(&keys).finish()).unwrap();
    assert_eq!(cold.iter().flatten().count(), 1000);
    assert!(cold[1000..].iter().all(Option::is_none));
    let warm: Vec<_> = keys.iter().map(|at| get(&*store, at).unwrap()).collect();
    assert_eq!(warm.iter().flatten().count(), 1000);
    close(&*store);
}

#[test]
fn own_7_stores_share_one_budget() {
    let place = Place::new();
    let mut other = place.request.clone();
    other.namespace = statehold_core::Name::new("other").unwrap();
    let (one, two) = (place.open().unwrap(), crate::support::open(&other).unwrap());
    for store in [&one, &two] {
        let state = register(&**store);
        fill(&**store, state, 10_000, &[7; 1000]);
        values(&**store, state, 0..8).unwrap();
    }
    let together = one.memory() + two.memory();
    assert!((1..=(40 << 20)).contains(&together), "{together} bytes");
    close(&*one);
    close(&*two);
}

#[test]
fn life_9_compact_gives_space_back() {
    let place = Place::new();
    let store = place.open().unwrap();
    let state = register(&*store);
    let noise: Vec<u8> = (0u32..1 << 18).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fill(&*store, state, 100, noise.leak());
    block_on(store.compact()).unwrap();
    let size = || place.files(".sst").iter().map(|p| p.metadata().unwrap().len()).sum::<u64>();
    let before = size();
    block_on(store.drop_state(state)).unwrap();
    block_on(store.compact()).unwrap();
    assert!(size() < before / 10, "{before} bytes, then {}", size());
    assert_eq!(store.groups().iter().next(), Some(KeyGroup(0)));
    close(&*store);
}
