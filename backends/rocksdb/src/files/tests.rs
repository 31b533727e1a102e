//! What a switch leaves that fails, and what ranges are.

use bytes::Bytes;
use statehold_core::{
    Inline, Resources,
    ordered::{Engine, EngineBatch, EngineRead, WriteLevel},
};
use tempfile::TempDir;

use super::*;
use crate::{
    config::{Setup, Warm},
    memory::Memory,
};

/// A database in `dir/live` with one row.
fn engine(dir: &Path) -> RocksEngine {
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    // Many table files of few rows.
    options.set_target_file_size_base(4 << 10);
    options.set_compression_type(rocksdb::DBCompressionType::None);
    options.set_disable_auto_compactions(true);
    let memory = Memory::of(&Resources::new(Arc::new(Inline)), None).unwrap();
    let setup = Setup { options, warm: Warm::Nothing };
    let db = open_db(&setup, &dir.join("live"), false).unwrap();
    let engine = RocksEngine::new(db, setup, memory, false, None).unwrap();
    put(&engine, b"key", b"old");
    engine
}

fn put(engine: &RocksEngine, key: &[u8], value: &[u8]) {
    let mut batch = engine.batch();
    batch.put(key, value);
    engine.write(&mut batch, WriteLevel::Unlogged).unwrap();
}

fn refused(engine: RocksEngine, folder: &Path) -> (Error, RocksEngine) {
    let NotReplaced { error, old } = engine.replace(folder).unwrap_err();
    assert!(error.advice().is_some(), "{error}");
    (error, old.unwrap())
}

#[test]
fn life_5_a_switch_that_fails_has_the_old_files_in_place() {
    let dir = TempDir::new().unwrap();
    let (_, engine) = refused(engine(dir.path()), &dir.path().join("nowhere"));
    assert_eq!(engine.get(b"key").unwrap(), Some(Bytes::from("old")));

    let damaged = dir.path().join("damaged");
    fs::create_dir(&damaged).unwrap();
    fs::write(damaged.join("CURRENT"), "MANIFEST-000099\n").unwrap();
    let (error, engine) = refused(engine, &damaged);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(engine.get(b"key").unwrap(), Some(Bytes::from("old")));
    assert!(damaged.join("CURRENT").exists(), "the damaged files are where they were");
    put(&engine, b"key", b"still writable");
}

#[test]
fn life_5_a_switch_puts_the_old_files_aside_and_begins_a_session() {
    let dir = TempDir::new().unwrap();
    let engine = engine(dir.path());
    let (cut, session) = (dir.path().join("live.aside/cut"), engine.session().to_owned());
    let files = engine.link(&cut).unwrap();
    assert!(files.iter().any(|file| file.stable && file.name.ends_with(".sst")), "{files:?}");
    put(&engine, b"key", b"new");
    let engine = engine.replace(&cut).unwrap();
    assert_eq!(engine.get(b"key").unwrap(), Some(Bytes::from("old")));
    assert_ne!(engine.session(), session);
    let aside = engine.open_files(&cut, Access::Read).unwrap();
    assert_eq!(aside.get(b"key").unwrap(), Some(Bytes::from("new")));
}

/// The row `i` of a group.
fn row(group: u16, i: u32) -> Vec<u8> {
    [&group.to_be_bytes()[..], &i.to_be_bytes()].concat()
}

/// Files on all levels, of the groups 0..8: 100 rows each at the bottom, and fresh ones above them.
fn layered(dir: &Path) -> RocksEngine {
    let engine = engine(dir);
    for (rows, value) in [(100, [1; 200]), (10, [2; 200]), (5, [3; 200])] {
        for group in 0..8 {
            (0..rows).for_each(|i| put(&engine, &row(group, i), &value));
        }
        put(&engine, &[0xFF, 0xFF, 0], b"head");
        if rows == 100 { engine.compact().unwrap() } else { engine.flush().unwrap() }
    }
    engine
}

fn names(engine: &RocksEngine, within: &RowRange) -> Vec<String> {
    let files = engine.db.live_files().unwrap().into_iter();
    let bottom = files.filter(|file| file.level > 0 && file.start_key.as_ref() >= Some(&within.0));
    bottom.filter(|file| file.end_key.as_ref() < Some(&within.1)).map(|file| file.name).collect()
}

#[test]
fn life_6_what_is_not_retained_is_in_no_file_and_files_within_are_the_same() {
    let dir = TempDir::new().unwrap();
    let engine = layered(dir.path());
    let keep = vec![(vec![0, 2], vec![0, 5])];
    let share = engine.share(&keep).unwrap();
    assert!(share.whole > 30_000 && share.mixed > 10_000, "{share:?}");
    engine.retain(&keep).unwrap();
    let mut seen = 0;
    engine
        .scan(&[], &[0xFF; 4], &mut |key, value| {
            seen += 1;
            let i = u32::from_be_bytes(key[2..].try_into().unwrap());
            assert_eq!(
                value[0],
                if i < 5 {
                    3
                } else if i < 10 {
                    2
                } else {
                    1
                }
            );
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, 3 * 100);
    for file in engine.db.live_files().unwrap() {
        let ends = [file.start_key.unwrap(), file.end_key.unwrap()];
        assert!(ends.iter().all(|end| (2..5).contains(&end[1]) && end[0] == 0), "{} holds {ends:x?}", file.name);
    }
    assert_eq!(engine.share(&keep).unwrap().mixed, 0);
}

#[test]
fn life_6_files_that_no_fresh_row_lies_above_are_retained_as_they_are() {
    let dir = TempDir::new().unwrap();
    let engine = layered(dir.path());
    engine.compact().unwrap();
    let keep = vec![(vec![0, 2], vec![0, 5]), (vec![0, 6], vec![0, 7])];
    let before: Vec<_> = keep.iter().flat_map(|range| names(&engine, range)).collect();
    assert!(before.len() >= 4, "{before:?}");
    engine.retain(&keep).unwrap();
    let after: Vec<_> = keep.iter().flat_map(|range| names(&engine, range)).collect();
    assert!(before.iter().all(|name| after.contains(name)), "of {before:?} there is {after:?}");
    let mut groups = Vec::new();
    engine
        .scan(&[], &[0xFF; 4], &mut |key, _| {
            groups.push(key[1]);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    groups.dedup();
    assert_eq!(groups, [2, 3, 4, 6]);
}

#[test]
fn what_is_not_kept_lies_before_between_and_behind() {
    let range = |from: &[u8], to: &[u8]| (from.to_vec(), to.to_vec());
    let end = &[0xFF; 4][..];
    assert_eq!(between(&[range(&[0, 0], &[0, 2])]), [range(&[0, 2], end)]);
    assert_eq!(
        between(&[range(&[0, 1], &[0, 2]), range(&[0, 3], &[0, 4])]),
        [range(b"", &[0, 1]), range(&[0, 2], &[0, 3]), range(&[0, 4], end)]
    );
}
