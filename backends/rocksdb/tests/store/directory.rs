//! Directories and their locks.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use statehold_core::{ErrorKind, KeyGroups, Ownership};

use crate::support::{Place, at, close, fill, get, open, register, request};

#[test]
fn a_store_has_its_own_directory() {
    let place = Place::new();
    let store = place.open().unwrap();
    assert!(place.store_dir().join("CURRENT").exists());
    close(&*store);
}

#[test]
fn own_1_a_second_open_is_refused_until_the_first_is_closed() {
    let place = Place::new();
    let store = place.open().unwrap();
    let e = place.open().err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Conflict);
    assert!(e.message().contains("this process"), "{e}");
    close(&*store);
    close(&*place.open().unwrap());
}

const HELD: &str = "STATEHOLD_TEST_HOLD";

/// The other process of the next test: opens the store, says so, and waits to be told to end.
#[test]
fn other_process() {
    let Some(path) = std::env::var_os(HELD) else { return };
    let store = open(&request(path.as_ref())).unwrap();
    println!("open");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    close(&*store);
}

#[test]
fn own_1_another_process_is_named() {
    let place = Place::new();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "directory::other_process", "--nocapture"])
        .env(HELD, place.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().ends_with("open")));
    let e = place.open().err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Conflict);
    assert!(e.message().contains(&format!("process {}", other.id())), "{e}");
    assert_eq!(e.store(), Some("local"));
    other.stdin.take().unwrap().write_all(b"end\n").unwrap();
    said.for_each(drop);
    assert!(other.wait().unwrap().success());
    close(&*place.open().unwrap());
}

#[test]
fn life_6_an_overlapping_range_is_refused_naming_its_directory() {
    let mut place = Place::new();
    close(&*place.open().unwrap());
    place.request.groups = KeyGroups::new(0..4, 8).unwrap();
    let e = place.open().err().unwrap();
    assert_eq!((e.kind(), e.subject()), (ErrorKind::InvalidInput, Some("groups")));
    assert!(e.message().contains("groups-0-8"), "{e}");
    assert!(!place.dir.path().join("orders/groups-0-4").exists());
}

#[test]
fn life_6_neighbouring_ranges_live_side_by_side() {
    let mut place = Place::new();
    place.request.groups = KeyGroups::new(0..4, 8).unwrap();
    let lower = place.open().unwrap();
    place.request.groups = KeyGroups::new(4..8, 8).unwrap();
    let upper = place.open().unwrap();
    close(&*lower);
    close(&*upper);
}

#[test]
fn own_1_read_only_looks_at_a_live_store() {
    let mut place = Place::new();
    place.request.ownership = Ownership::ReadOnly;
    assert_eq!(place.open().err().unwrap().kind(), ErrorKind::NotFound);
    assert!(!place.store_dir().exists(), "looking creates nothing");

    place.request.ownership = Ownership::Exclusive;
    let store = place.open().unwrap();
    let state = register(&*store);
    fill(&*store, state, 10, b"value");
    place.request.ownership = Ownership::ReadOnly;
    let look = place.open().unwrap();
    assert_eq!(get(&*look, &at(state, 3)).unwrap(), Some("value".into()));
    fill(&*store, state, 20, b"later");
    close(&*look);
    close(&*store);
}

#[test]
fn a_path_that_is_a_file_is_refused() {
    let mut place = Place::new();
    let file = place.dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    place.request.options.set("path", file.to_str().unwrap());
    let e = place.open().err().unwrap();
    assert_eq!(e.kind(), ErrorKind::InvalidInput, "{e}");
    assert!(e.advice().unwrap().contains("path"), "{e}");
}
