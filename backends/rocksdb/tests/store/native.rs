//! LIFE-6: which files a half has after a scale-out.

use std::{fs, path::Path, sync::Arc};

use futures::executor::block_on;
use rocksdb::{DB, LiveFile, Options};
use statehold_core::{
    Address, Batch, Cell, Durability, ErrorKind, KeyGroups, Model, Mutation, NativeCut, OpenRequest, Result, Row,
    StateSpec, Store, Unclean,
};

use crate::support::{Place, at, close, fill, open, register, values};

fn cut(store: &dyn Store) -> Box<dyn NativeCut> {
    block_on(store.native().unwrap().cut()).unwrap()
}

/// The key ranges of a cut's files, in a copy of it.
fn ranges(cut: &dyn NativeCut, copy: &Path) -> Vec<LiveFile> {
    fs::create_dir(copy).unwrap();
    for file in cut.files() {
        fs::copy(&file.path, copy.join(&file.name)).unwrap();
    }
    DB::open_for_read_only(&Options::default(), copy, false).unwrap().live_files().unwrap()
}

/// A store of `groups` in `place` that is made of the files of `parts`.
fn recovered(place: &Place, groups: KeyGroups, parts: &[(KeyGroups, &dyn NativeCut)]) -> Arc<dyn Store> {
    let store = open(&OpenRequest { groups, ..place.request.clone() }).unwrap();
    let mut loader = block_on(store.native().unwrap().loader(groups)).unwrap();
    for (groups, part) in parts {
        let folder = loader.part(*groups, part.now(), part.incarnation()).unwrap();
        for file in part.files() {
            fs::hard_link(&file.path, folder.join(&file.name)).unwrap();
        }
    }
    block_on(loader.publish()).unwrap();
    store
}

fn all() -> KeyGroups {
    KeyGroups::all(8).unwrap()
}

/// Puts a value under those of the keys `0..n` that are of the store's groups.
fn fill_own(store: &dyn Store, n: u32) -> usize {
    let state = register(store);
    let own = (0..n).map(|i| at(state, i)).filter(|at| store.groups().contains(at.group));
    let mutations: Vec<_> = own.map(|at| Mutation::Put(at, Cell::new("value"))).collect();
    let count = mutations.len();
    let mut batch = Batch { mutations, ..Batch::default() };
    batch.sort();
    block_on(store.commit(batch).finish()).unwrap();
    count
}

#[test]
fn life_6_a_part_that_once_threw_everything_away_takes_in_others() {
    let (low, high, joined) = (Place::new(), Place::new(), Place::new());
    let groups = [KeyGroups::new(0..4, 8).unwrap(), KeyGroups::new(4..8, 8).unwrap()];
    let request = OpenRequest { groups: groups[0], durability: Durability::Visible, ..low.request };
    let unclean = open(&request).unwrap();
    fill_own(&*unclean, 100);
    drop(unclean);
    // Under a tombstone over all groups there is.
    let low = open(&OpenRequest { unclean: Unclean::Discard, ..request }).unwrap();
    let high = open(&OpenRequest { groups: groups[1], ..high.request }).unwrap();
    let count = fill_own(&*low, 4000) + fill_own(&*high, 1000);
    let cuts = [cut(&*low), cut(&*high)];
    let joined = recovered(&joined, all(), &[(groups[0], &*cuts[0]), (groups[1], &*cuts[1])]);
    let state = register(&*joined);
    assert_eq!(values(&*joined, state, 0..8).unwrap().len(), count);
}

#[test]
fn life_6_files_of_a_half_end_where_it_ends() {
    let (whole, half) = (Place::new(), Place::new());
    let store = whole.open().unwrap();
    let state = register(&*store);
    for (n, value) in [(4000, &b"bottom"[..]), (2000, b"above"), (100, b"fresh")] {
        fill(&*store, state, n, value);
        if n == 4000 {
            block_on(store.compact()).unwrap();
        } else {
            drop(cut(&*store));
        }
    }
    let files = cut(&*store);
    let groups = KeyGroups::new(2..5, 8).unwrap();
    let expected = (0..4000).filter(|&i| groups.contains(at(state, i).group)).count();
    let part = recovered(&half, groups, &[(all(), &*files)]);
    let state = register(&*part);
    assert_eq!(values(&*part, state, 2..5).unwrap().len(), expected);
    let scratch = tempfile::TempDir::new().unwrap();
    for file in ranges(&*cut(&*part), &scratch.path().join("cut")) {
        let (start, end) = (file.start_key.unwrap(), file.end_key.unwrap());
        let is_rows = start[..2] >= [0, 2][..] && end[..] <= [0, 5][..];
        let is_meta = start.starts_with(&[0xFF, 0xFF]);
        assert!(is_rows || is_meta, "{} holds {start:x?} to {end:x?}", file.name);
    }
    close(&*part);
}

#[test]
fn life_6_files_that_lie_within_the_range_are_kept_as_they_are() {
    let (whole, same) = (Place::new(), Place::new());
    let store = whole.open().unwrap();
    let state = register(&*store);
    fill(&*store, state, 4000, b"bottom");
    block_on(store.compact()).unwrap();
    fill(&*store, state, 100, b"fresh");
    let files = cut(&*store);
    let recovered = recovered(&same, all(), &[(all(), &*files)]);
    let again = cut(&*recovered);
    for file in files.files().iter().filter(|file| file.stable) {
        let bytes = fs::read(&file.path).unwrap();
        let kept = again.files().iter().any(|kept| kept.stable && fs::read(&kept.path).unwrap() == bytes);
        assert!(kept, "{} is not in the next cut", file.name);
    }
}

#[test]
fn life_5_cuts_loads_and_writes_beside_native_recoveries_all_come_to_an_end() {
    // Each takes the writer's lock and the engine's, and a recovery holds one while it waits for the other.
    const ROUNDS: u32 = 40;
    let place = Place::new();
    let store = place.open().unwrap();
    fill(&*store, register(&*store), 1000, b"base");
    let base = cut(&*store);
    let recover = |store: &dyn Store| {
        let mut loader = block_on(store.native().unwrap().loader(all()))?;
        let folder = loader.part(all(), base.now(), base.incarnation())?;
        for file in base.files() {
            fs::hard_link(&file.path, folder.join(&file.name)).unwrap();
        }
        block_on(loader.publish())
    };
    // Whose content was replaced meanwhile is told so: what fails is no fault of ours.
    let beside = |work: &dyn Fn() -> Result<()>| {
        for _ in 0..ROUNDS {
            if let Err(e) = work() {
                assert_ne!(e.kind(), ErrorKind::Internal, "{e}");
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| beside(&|| recover(&*store).map(drop)));
        scope.spawn(|| beside(&|| block_on(store.native().unwrap().cut()).map(drop)));
        scope.spawn(|| {
            beside(&|| {
                let mut loader = block_on(store.loader(all()))?;
                let state = block_on(loader.state(&StateSpec::bytes("loaded", Model::Kv)?))?;
                // Descending: they go by batches.
                for i in (0..20).rev() {
                    let Address { group, key, sub, .. } = at(state, i);
                    block_on(loader.load(state, group, vec![Row { key, sub, cell: Cell::new("loaded") }]))?;
                }
                block_on(loader.publish())
            });
        });
        scope.spawn(|| {
            beside(&|| {
                let state = block_on(store.register(&StateSpec::bytes("counts", Model::Kv)?))?;
                let mutations = vec![Mutation::Put(at(state, 1), Cell::new("written"))];
                block_on(store.commit(Batch { mutations, ..Batch::default() }).finish()).map(drop)
            });
        });
    });
    recover(&*store).unwrap();
    assert_eq!(values(&*store, register(&*store), 0..8).unwrap(), vec![&b"base"[..]; 1000]);
    close(&*store);
}
