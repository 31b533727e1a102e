//! The tools that others use open a portable archive, and see what the state has.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
};

use statehold::{
    Descriptor, Model, StateDescriptor, StateManager, StoreDescriptor,
    archive::{CheckpointId, CheckpointInfo, Metadata},
};
use tempfile::TempDir;

/// What a tool sees: rows by state, and hex values by `state/key/subkey`.
#[derive(serde::Deserialize, PartialEq, Debug)]
struct Seen {
    rows: BTreeMap<String, u64>,
    values: BTreeMap<String, Option<String>>,
}

/// The interpreter that `.ci/setup tests` prepared; without it the test fails and says so.
fn python() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = Command::new(root.join(".ci/python")).arg("find").stderr(Stdio::inherit()).output().unwrap();
    assert!(found.status.success(), "the Python that reads archives is not installed: run `.ci/setup tests`");
    String::from_utf8(found.stdout).unwrap().trim().to_owned()
}

fn read(objects: &Path) -> BTreeMap<String, Seen> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/read_parquet.py");
    let read = Command::new(python()).arg("-I").arg(script).arg(objects).stderr(Stdio::inherit()).output().unwrap();
    assert!(read.status.success(), "{script} failed");
    serde_json::from_slice(&read.stdout).unwrap()
}

async fn archive(folder: &Path) -> CheckpointInfo {
    let descriptor = Descriptor::new("orders")
        .archive(&format!("file://{}", folder.display()))
        .store("local", StoreDescriptor::new("memory"))
        .state("counts", StateDescriptor::new(Model::Kv))
        .state("blobs", StateDescriptor::new(Model::Kv))
        .state("queues", StateDescriptor::new(Model::List))
        .state("carts", StateDescriptor::new(Model::Map));
    let manager = StateManager::builder(descriptor).open().await.unwrap();
    let counts = manager.key_value::<String, u64>("counts").await.unwrap();
    for n in 0..5_000_u64 {
        counts.put(format!("key {n}").as_str(), n % 100).await.unwrap();
    }
    // More than one object.
    let blobs = manager.key_value::<u64, Vec<u8>>("blobs").await.unwrap();
    let mut noise = 1_u64;
    for n in 0..24 {
        let mut blob = Vec::new();
        while blob.len() < 1 << 20 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            blob.extend_from_slice(&noise.to_be_bytes());
        }
        blobs.put(&n, blob).await.unwrap();
    }
    let queues = manager.key_list::<String, u8>("queues").await.unwrap();
    queues.append_all("jobs", [7, 8, 9]).await.unwrap();
    let carts = manager.key_map::<String, String, u8>("carts").await.unwrap();
    carts.put("ann", "pear", 3).await.unwrap();
    carts.put("ann", "plum", 4).await.unwrap();
    let info = manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
    manager.close().await.unwrap();
    info
}

#[tokio::test]
async fn life_7_pyarrow_and_duckdb_see_the_rows_and_values_that_the_state_has() {
    let folder = TempDir::new().unwrap();
    let info = archive(folder.path()).await;
    let states = info.contents.iter().flat_map(|store| &store.states);
    let rows: BTreeMap<String, u64> = states.map(|s| (s.spec.name.clone(), s.rows.unwrap_or_default())).collect();
    assert!(rows["counts"] == 5_000 && rows["carts"] == 2 && rows["queues"] == 3, "{rows:?}");
    assert!(info.contents[0].objects.len() > 1, "{} objects", info.contents[0].objects.len());

    let seen = read(&folder.path().join("orders/objects"));
    for (tool, seen) in &seen {
        assert_eq!(seen.rows, rows, "{tool}");
        let value = |state: &str, key: &[u8], sub: &[u8]| seen.values[&place(state, key, sub)].clone().unwrap();
        assert_eq!(value("counts", b"key 4199", b""), "63", "{tool}");
        assert_eq!(value("carts", b"ann", b"plum"), "04", "{tool}");
        let queue = seen.values.iter().filter(|(place, _)| place.starts_with("queues/"));
        assert_eq!(queue.map(|(_, v)| v.as_deref().unwrap()).collect::<Vec<_>>(), ["07", "08", "09"], "{tool}");
    }
    assert_eq!(seen["pyarrow"], seen["duckdb"]);
}

fn place(state: &str, key: &[u8], sub: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    format!("{state}/{}/{}", hex(key), hex(sub))
}
