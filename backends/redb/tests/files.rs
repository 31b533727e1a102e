//! What the disk may hold in place of a store.

use std::{fs, path::Path, sync::Arc};

use futures::executor::block_on;
use statehold_core::{
    Backend, Durability, ErrorKind, Inline, KeyGroups, Limits, Name, OpenRequest, Options, Ownership, Resources,
    Result, Store, Unclean,
};
use statehold_redb::RedbBackend;

/// Of four key groups, those below `end`.
fn open(path: &Path, end: u16) -> Result<Arc<dyn Store>> {
    let groups = KeyGroups::new(0..end, 4)?;
    block_on(RedbBackend.open(OpenRequest {
        store: "store".into(),
        namespace: Name::new("files")?,
        groups,
        ownership: Ownership::Exclusive,
        durability: Durability::Process,
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options: Options::new().with("path", path.display().to_string()),
        resources: Resources::new(Arc::new(Inline)),
    }))
}

#[test]
fn own_3_a_file_that_is_no_redb_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("files/groups-0-4");
    fs::create_dir_all(&place).unwrap();
    let text = "not a database ".repeat(1000);
    fs::write(place.join("data.redb"), &text).unwrap();
    let error = open(dir.path(), 4).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.advice().is_some() && error.to_string().contains("data.redb"), "{error}");
    assert_eq!(fs::read_to_string(place.join("data.redb")).unwrap(), text);
}

#[test]
fn own_3_a_path_that_is_a_file_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file, 4).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn own_1_a_range_that_overlaps_another_one_is_refused_after_both_are_closed() {
    let dir = tempfile::tempdir().unwrap();
    block_on(open(dir.path(), 2).unwrap().close()).unwrap();
    let error = open(dir.path(), 4).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(error.subject(), Some("groups"), "{error}");
}
