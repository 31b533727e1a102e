//! What a switch leaves that fails, and what ranges are.

use bytes::Bytes;
use statehold_core::{
    Inline, Resources,
    ordered::{Engine, EngineBatch, EngineRead, WriteLevel},
};
use tempfile::TempDir;

use super::*;
use crate::memory::Memory;

/// A database in `dir/live` with one row.
fn engine(dir: &Path) -> RocksEngine {
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    let memory = Memory::of(&Resources::new(Arc::new(Inline)), None).unwrap();
    let db = open_db(&options, &dir.join("live"), false).unwrap();
    let engine = RocksEngine::new(db, options, memory, false, None).unwrap();
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
