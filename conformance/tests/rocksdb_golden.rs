//! NAME-5: a RocksDB store of format 1, as it lies in the repository, is read; a newer one is refused.
#![allow(clippy::unwrap_used, reason = "a golden store that cannot be read is a failed test")]

use std::{fs, path::Path, sync::Arc};

use statehold_core::{
    Address, Backend, Batch, Cell, Durability, Envelope, ErrorKind, Inline, KeyGroup, KeyGroups, KeyShape, Limits,
    ManualClock, Marker, Millis, Model, Mutation, Name, OpenRequest, Options, Ownership, Resources, Result, Revision,
    Row, ScanRequest, StateSpec, Store, Unclean, WriterId, collect,
};
use statehold_rocksdb::RocksDbBackend;
use tempfile::TempDir;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rocksdb-1");
const WRITER: WriterId = WriterId(0x1122_3344_5566_7788_99AA_BBCC_DDEE_FF00);

async fn open(dir: &Path) -> Result<Arc<dyn Store>> {
    let request = OpenRequest {
        store: "golden".into(),
        namespace: Name::new("golden")?,
        groups: KeyGroups::all(2)?,
        ownership: Ownership::Exclusive,
        durability: Durability::Process,
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options: Options::new().with("path", dir.display().to_string()),
        resources: Resources::new(Arc::new(Inline)).with_clock(Arc::new(ManualClock::new(Millis(1_000)))),
    };
    RocksDbBackend::new().open(request).await
}

fn specs() -> [StateSpec; 4] {
    let spec = |name, model| StateSpec::bytes(name, model).unwrap();
    [
        StateSpec { codec: "postcard".into(), schema_version: 3, fingerprint: 0xABCD, ..spec("kv", Model::Kv) },
        StateSpec { revisions: true, ttl: true, ..spec("kv.full", Model::Kv) },
        StateSpec { ttl: true, ..spec("list", Model::List) },
        StateSpec { key_shape: KeyShape::Fixed(2), ..spec("map", Model::Map) },
    ]
}

fn sealed(spec: &StateSpec, key: &[u8], sub: &[u8], expires_at: Option<Millis>, payload: &[u8]) -> Cell {
    let in_seal = if spec.model == Model::List { None } else { expires_at };
    let value = Envelope::of_state(&spec.name).seal(spec.schema_version, key, sub, in_seal, payload);
    Cell { value, expires_at, ..Cell::default() }
}

/// Writes what the golden store holds.
async fn fill(store: &dyn Store) {
    let specs = specs();
    let mut batch = Batch::default();
    for spec in &specs {
        let state = store.register(spec).await.unwrap();
        let key: &[u8] = if spec.key_shape == KeyShape::Fixed(2) { b"k\0" } else { b"key\0" };
        let at = |sub: &'static [u8]| Address {
            group: KeyGroup::of(key, 2),
            state,
            key: key.to_vec().into(),
            sub: sub.into(),
        };
        let expires_at = spec.ttl.then_some(Millis(5_000));
        let cell = |sub: &[u8], payload: &[u8]| sealed(spec, key, sub, expires_at, payload);
        match spec.model {
            Model::List => batch
                .mutations
                .push(Mutation::Append { at: at(b""), cells: vec![cell(b"", b"first"), cell(b"", b"second")] }),
            Model::Map => batch.mutations.extend([
                Mutation::Put(at(b""), cell(b"", b"empty")),
                Mutation::Put(at(b"\0\xFF"), cell(b"\0\xFF", b"other")),
            ]),
            _ => batch.mutations.push(Mutation::Put(at(b""), cell(b"", b"value"))),
        }
    }
    batch.marker = Some(Marker { writer: WRITER, sequence: 7, position: Some("offset 7".into()) });
    batch.sort();
    store.commit(batch).finish().await.unwrap();
    store.finish().await.unwrap();
}

/// Every row of every state, by name.
async fn rows(store: &dyn Store) -> Vec<(String, Vec<Row>)> {
    let mut all = Vec::new();
    for (id, spec) in store.states().await.unwrap() {
        let mut rows = Vec::new();
        for group in store.groups().iter() {
            rows.extend(collect(store, ScanRequest::all(id, group)).await.unwrap());
        }
        all.push((spec.name, rows));
    }
    all
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A copy of the golden store.
fn golden() -> TempDir {
    let dir = TempDir::new().unwrap();
    copy(Path::new(GOLDEN), dir.path());
    dir
}

#[tokio::test]
#[ignore = "writes the golden store anew: only for a new format, under a new name"]
async fn make_the_golden_store() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).await.unwrap();
    fill(&*store).await;
    // Into a table file: its format counts too.
    store.compact().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let made = dir.path().join("golden/groups-0-2");
    for entry in fs::read_dir(&made).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("LOG") || name == "LOCK" {
            fs::remove_file(path).unwrap();
        }
    }
    copy(dir.path(), Path::new(GOLDEN));
}

#[tokio::test]
async fn name_5_a_store_of_format_1_is_read() {
    let dir = golden();
    let store = open(dir.path()).await.unwrap();
    let fresh_dir = TempDir::new().unwrap();
    let fresh = open(fresh_dir.path()).await.unwrap();
    fill(&*fresh).await;
    let found = rows(&*store).await;
    assert_eq!(found, rows(&*fresh).await, "what the golden store holds, against what is written today");

    let named: Vec<_> = found.iter().map(|(name, rows)| (name.as_str(), rows.len())).collect();
    assert_eq!(named, [("kv", 1), ("kv.full", 1), ("list", 2), ("map", 2)]);
    let listed: Vec<_> = store.states().await.unwrap().into_iter().map(|(_, spec)| spec).collect();
    assert_eq!(listed, specs());
    let full = &found[1].1[0].cell;
    assert_eq!((full.revision, full.expires_at), (Revision::new(1, 1), Some(Millis(5_000))));
    for ((_, rows), spec) in found.iter().zip(specs()) {
        for row in rows {
            let in_seal = if spec.model == Model::List { None } else { row.cell.expires_at };
            let cell = Cell { expires_at: in_seal, ..row.cell.clone() };
            let sub = if spec.model == Model::List { &b""[..] } else { &row.sub };
            Envelope::of_state(&spec.name).open(&row.key, sub, cell).unwrap();
        }
    }
}

#[tokio::test]
async fn name_5_a_store_of_format_1_goes_on() {
    let dir = golden();
    let store = open(dir.path()).await.unwrap();
    let before = rows(&*store).await;
    let marker = Marker { writer: WRITER, sequence: 7, position: None };
    let again = store.commit(Batch { marker: Some(marker), ..Batch::default() }).finish().await.unwrap();
    assert!(again.duplicate, "the golden store knows its last marker");
    assert_eq!(store.last_marker(WRITER).await.unwrap(), Some((7, Some("offset 7".into()))));
    let ordinal = store.reserve_ordinals(1).unwrap();
    let last = &before[2].1[1].sub;
    assert!(last[..] < ordinal.to_be_bytes()[..], "ordinal {ordinal} comes behind the list's {last:?}");
    store.close().await.unwrap();
    let store = open(dir.path()).await.unwrap();
    assert_eq!(rows(&*store).await, before, "after it was closed and opened again");
}

#[tokio::test]
async fn name_5_a_store_of_a_newer_format_is_refused() {
    let dir = golden();
    let path = dir.path().join("golden/groups-0-2");
    {
        let db = rocksdb::DB::open_default(&path).unwrap();
        // The head row: its first two bytes are the format.
        let head = [0xFF, 0xFF, 0];
        let mut value = db.get(head).unwrap().unwrap();
        assert_eq!(value[..2], [0, 1], "the format of the golden store");
        value[1] = 3;
        db.put(head, value).unwrap();
    }
    let error = open(dir.path()).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("format 3") && error.advice().is_some(), "{error}");
}
