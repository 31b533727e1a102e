//! Any log: an archive opens and tells what is in it, or names the record at fault. Nothing in it becomes a path.
//!
//! Each line is a record; to those that do not begin with `{` the opening brace and the right hash are added, so that
//! what stands behind the hash is reached.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path};
use statehold::archive::{Archive, CheckpointInfo, Select, fuzzing};
use statehold_core::{ErrorKind, KeyGroups, Name};
use statehold_fuzz::{assert_refused, resources};

const NAMESPACE: &str = "orders";

fn record(line: &[u8]) -> Bytes {
    if line.starts_with(b"{") {
        return Bytes::copy_from_slice(line);
    }
    let hash = blake3::hash(line).to_hex();
    [b"{\"blake3\":\"", hash.as_bytes(), b"\",", line].concat().into()
}

/// A record that is read says the same when it is written again.
fn returns(record: &[u8], number: u64) {
    match fuzzing::record(record, NAMESPACE, number) {
        Ok(again) => {
            let third = fuzzing::record(&again, NAMESPACE, number).expect("what was written is read");
            assert_eq!(third, again, "{}", record.escape_ascii());
        }
        Err(e) => assert_refused(&e),
    }
}

/// What becomes names of files has neither folders nor dots alone.
fn assert_flat(info: &CheckpointInfo) {
    for object in info.contents.iter().flat_map(|store| &store.objects) {
        let mut parts = object.name.split(['-', '.']);
        let hash = parts.next().is_some_and(|h| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(hash && parts.all(|n| n.bytes().all(|b| b.is_ascii_digit())), "{}", object.name);
        if let Some(file) = &object.file {
            assert!(!file.contains(['/', '\\', '\0']) && !matches!(&file[..], "" | "." | ".."), "{file}");
        }
    }
}

async fn look(store: Arc<dyn ObjectStore>) {
    let namespace = Name::new(NAMESPACE).expect("a name");
    let archive = match Archive::open_on(store, "", &namespace, &resources()).await {
        Ok(archive) => archive,
        Err(e) => return assert_refused(&e),
    };
    for found in archive.list().await.expect("the log was read") {
        match archive.show(Select::Id(found.id)).await {
            Ok(info) => assert_flat(&info),
            Err(e) => assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}"),
        }
        // Its objects are not there.
        if let Err(e) = archive.verify(Select::Id(found.id)).await {
            assert_refused(&e);
        }
    }
    let groups = KeyGroups::all(8).expect("key groups");
    let claimed = match archive.claim_latest(groups, "fuzz").await {
        Ok(claim) => claim,
        // Another number of groups.
        Err(e) => return assert_eq!(e.kind(), ErrorKind::InvalidInput, "{e}"),
    };
    assert_eq!(claimed.groups(), groups);
}

fuzz_target!(|log: &[u8]| {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for (line, number) in log.split(|b| *b == b'\n').zip(1..) {
        let record = record(line);
        returns(&record, number);
        let path = Path::from(format!("{NAMESPACE}/log/{number:020}.json"));
        block_on(store.put(&path, record.into())).expect("memory takes it");
    }
    block_on(look(store));
});
