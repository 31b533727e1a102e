//! LIFE-6: which files a half has after a scale-out.

use std::{fs, path::Path, sync::Arc};

use futures::executor::block_on;
use rocksdb::{DB, LiveFile, Options};
use statehold_core::{KeyGroups, NativeCut, Store};

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

/// A store of `groups` in `place` that is made of the files of `whole`.
fn recovered(place: &Place, groups: KeyGroups, whole: &dyn NativeCut) -> Arc<dyn Store> {
    let mut request = place.request.clone();
    request.groups = groups;
    let store = open(&request).unwrap();
    let mut loader = block_on(store.native().unwrap().loader(groups)).unwrap();
    let folder = loader.part(KeyGroups::all(8).unwrap()).unwrap();
    for file in whole.files() {
        fs::hard_link(&file.path, folder.join(&file.name)).unwrap();
    }
    block_on(loader.publish()).unwrap();
    store
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
    let part = recovered(&half, groups, &*files);
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
    let recovered = recovered(&same, KeyGroups::all(8).unwrap(), &*files);
    let again = cut(&*recovered);
    for file in files.files().iter().filter(|file| file.stable) {
        let bytes = fs::read(&file.path).unwrap();
        let kept = again.files().iter().any(|kept| kept.stable && fs::read(&kept.path).unwrap() == bytes);
        assert!(kept, "{} is not in the next cut", file.name);
    }
}
