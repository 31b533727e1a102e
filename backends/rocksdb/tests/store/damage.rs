//! Damaged files are found, and named.

use std::{fs, path::Path};

use futures::executor::block_on;
use statehold_core::{Error, ErrorKind, Ownership};

use crate::support::{Place, close, fill, open, register, request, values};

/// A closed store, compacted into table files or with everything in its log.
fn closed(compacted: bool) -> Place {
    let place = Place::new();
    let store = place.open().unwrap();
    let state = register(&*store);
    fill(&*store, state, 1000, b"value");
    if compacted {
        block_on(store.compact()).unwrap();
    }
    close(&*store);
    place
}

fn flip(file: &Path, at: impl FnOnce(usize) -> usize) {
    let mut bytes = fs::read(file).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Opens and reads everything; the damage may show in either. With an empty cache, as another process would: this
/// one's still holds the blocks as they were written.
fn read(place: &Place) -> Error {
    let outcome = open(&request(place.dir.path())).and_then(|store| {
        let state = register(&*store);
        let outcome = values(&*store, state, 0..8);
        block_on(store.close()).unwrap();
        outcome
    });
    outcome.expect_err("the damage was not seen")
}

fn assert_names(e: &Error, file: &Path) {
    assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}");
    assert!(e.to_string().contains(file.file_name().unwrap().to_str().unwrap()), "{e}");
    assert!(e.advice().unwrap().contains("checkpoint"), "{e}");
}

#[test]
fn a_flipped_bit_in_a_table_is_corrupt() {
    let place = closed(true);
    let [table] = &place.files(".sst")[..] else { panic!("one table file") };
    flip(table, |len| len / 4);
    assert_names(&read(&place), table);
}

#[test]
fn a_missing_current_is_corrupt_and_no_new_store_is_begun() {
    let place = closed(true);
    let current = place.store_dir().join("CURRENT");
    fs::remove_file(&current).unwrap();
    let before = place.files(".sst");
    for ownership in [Ownership::Exclusive, Ownership::ReadOnly] {
        let mut request = request(place.dir.path());
        request.ownership = ownership;
        assert_names(&open(&request).err().unwrap(), &current);
    }
    assert_eq!(place.files(".sst"), before);
    assert!(!current.exists());
}

#[test]
fn a_missing_table_is_corrupt() {
    let place = closed(true);
    let [table] = &place.files(".sst")[..] else { panic!("one table file") };
    fs::remove_file(table).unwrap();
    assert_names(&read(&place), table);
}

#[test]
fn a_truncated_table_is_corrupt() {
    let place = closed(true);
    let [table] = &place.files(".sst")[..] else { panic!("one table file") };
    fs::write(table, &fs::read(table).unwrap()[..200]).unwrap();
    assert_names(&read(&place), table);
}

#[test]
fn a_flipped_bit_in_the_log_is_corrupt_and_cuts_nothing_off() {
    let place = closed(false);
    let [log] = &place.files(".log")[..] else { panic!("one log file") };
    flip(log, |len| len / 2);
    let e = place.open().err().expect("the damage was not seen");
    assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}");
}

#[test]
fn a_damaged_manifest_is_corrupt() {
    let place = closed(true);
    let current = place.store_dir().join("CURRENT");
    fs::write(&current, "MANIFEST-999999\n").unwrap();
    assert_eq!(place.open().err().expect("the damage was not seen").kind(), ErrorKind::Corrupt);
}
