//! Contract LIFE-7: what one engine archived another recovers, byte for byte.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use statehold::archive::{CheckpointId, Cut, Metadata, Select};
use statehold_core::{
    Address, ArchiveSink, Backend, Batch, Cell, Durability, KeyGroup, KeyShape, Limits, Millis, Model, Mutation,
    OpenRequest, Options, Ownership, Result, Row, StateId, StateSpec, Store, Unclean, portable,
};
use statehold_memory::MemoryBackend;

use crate::{
    shelf::sealed,
    support::{fresh, groups, resources},
};

async fn open(backend: &dyn Backend, options: Options) -> Arc<dyn Store> {
    let request = OpenRequest {
        store: "local".into(),
        namespace: "orders".parse().unwrap(),
        groups: groups(),
        ownership: Ownership::Exclusive,
        durability: Durability::Visible,
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options,
        resources: resources(),
    };
    backend.open(request).await.unwrap()
}

/// States of every model, with and without revisions, expiry and fixed keys.
fn specs() -> Vec<StateSpec> {
    let spec = |name, model| StateSpec::bytes(name, model).unwrap();
    vec![
        StateSpec { revisions: true, ttl: true, ..spec("counts", Model::Kv) },
        StateSpec { key_shape: KeyShape::Fixed(5), fingerprint: u64::MAX, ..spec("carts", Model::Map) },
        StateSpec { ttl: true, ..spec("jobs", Model::List) },
        spec("queues", Model::List),
    ]
}

async fn fill(store: &dyn Store) {
    for spec in specs() {
        let state = store.register(&spec).await.unwrap();
        for key in 0..200_u32 {
            let mutations = changes(state, &spec, format!("k{key:04}").as_bytes());
            store.commit(Batch { mutations, ..Batch::default() }).finish().await.unwrap();
        }
    }
}

/// What is written under one key.
fn changes(state: StateId, spec: &StateSpec, key: &[u8]) -> Vec<Mutation> {
    let expires_at = spec.ttl.then_some(Millis(50_000 + u64::from(key[4])));
    let at = |sub: &[u8]| Address {
        group: KeyGroup::of(key, 8),
        state,
        key: Bytes::copy_from_slice(key),
        sub: Bytes::copy_from_slice(sub),
    };
    let cell = |sub: &[u8], payload: &[u8]| Cell {
        expires_at,
        // The expiry of a list's element is its list's, and no part of its identity.
        ..Cell::new(sealed(&spec.name, key, sub, expires_at.filter(|_| spec.model != Model::List), payload))
    };
    match spec.model {
        Model::List => vec![Mutation::Append { at: at(b""), cells: vec![cell(b"", b"\0one"), cell(b"", b"")] }],
        Model::Map => [&b""[..], b"\0", b"\xff"].map(|sub| Mutation::Put(at(sub), cell(sub, key))).to_vec(),
        _ => vec![Mutation::Put(at(b""), cell(b"", key))],
    }
}

/// All that a portable archive takes from a store, but for the floor.
#[derive(Debug, Default, PartialEq)]
struct Taken {
    states: Vec<(StateId, StateSpec)>,
    rows: Vec<(String, KeyGroup, Vec<Row>)>,
}

#[async_trait]
impl ArchiveSink for Taken {
    async fn state(&mut self, id: StateId, spec: &StateSpec) -> Result<()> {
        self.states.push((id, spec.clone()));
        Ok(())
    }

    async fn rows(&mut self, id: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        let (_, spec) = self.states.iter().find(|(state, _)| *state == id).unwrap();
        self.rows.push((spec.name.clone(), group, rows));
        Ok(())
    }

    async fn floor(&mut self, _: Millis, _: u32) -> Result<()> {
        Ok(())
    }
}

/// Everything in a store, by name of state: numbers of states differ from store to store.
async fn everything(store: &dyn Store) -> (Vec<StateSpec>, Vec<(String, u16, Row)>) {
    let mut taken = Taken::default();
    portable::archive(&*store.snapshot().await.unwrap(), groups(), &mut taken).await.unwrap();
    let mut specs: Vec<StateSpec> = taken.states.into_iter().map(|(_, spec)| spec).collect();
    specs.sort_by(|a, b| a.name.cmp(&b.name));
    let flat = |(name, group, rows): (String, KeyGroup, Vec<Row>)| {
        rows.into_iter().map(move |row| (name.clone(), group.0, row))
    };
    let mut rows: Vec<(String, u16, Row)> = taken.rows.into_iter().flat_map(flat).collect();
    rows.sort_by(|a, b| (&a.0, a.1, &a.2.key, &a.2.sub).cmp(&(&b.0, b.1, &b.2.key, &b.2.sub)));
    (specs, rows)
}

/// Archives `from` and recovers it into `to`, which held something else.
async fn carry(from: &dyn Store, to: &dyn Store) {
    to.register(&StateSpec::bytes("leftover", Model::Kv).unwrap()).await.unwrap();
    let (archive, claim) = fresh().await;
    let cut = Cut::take(&[("local", from)]).await.unwrap();
    archive.write(&claim, CheckpointId(1), &Metadata::new(), cut).await.unwrap();
    assert_eq!(archive.verify(Select::Latest).await.unwrap().rows, Some(200 * (1 + 3 + 3 + 2)));
    archive.recover_into(Select::Latest, "local", to, groups()).await.unwrap();
    let (before, after) = (everything(from).await, everything(to).await);
    assert_eq!(before.0.len(), specs().len());
    assert!(before == after, "the stores differ");
}

#[tokio::test]
async fn life_7_from_memory_to_memory() {
    let (a, b) = (MemoryBackend::new(), MemoryBackend::new());
    let (a, b) = (open(&a, Options::new()).await, open(&b, Options::new()).await);
    fill(&*a).await;
    carry(&*a, &*b).await;
    carry(&*b, &*a).await;
}

#[cfg(feature = "rocksdb")]
#[tokio::test]
async fn life_7_from_memory_to_rocksdb_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let memory = open(&MemoryBackend::new(), Options::new()).await;
    let path = folder.path().to_str().unwrap();
    let rocksdb = open(&statehold_rocksdb::RocksDbBackend::new(), Options::new().with("path", path)).await;
    fill(&*memory).await;
    carry(&*memory, &*rocksdb).await;
    carry(&*rocksdb, &*memory).await;
    rocksdb.close().await.unwrap();
}

/// Files cannot be linked from the temporary folder to memory, nor back.
#[cfg(all(feature = "rocksdb", target_os = "linux"))]
#[tokio::test]
async fn life_3_an_archive_on_another_file_system_has_copies_and_gives_them_back() {
    use std::os::unix::fs::MetadataExt;

    use statehold::archive::{Archive, CheckpointForm};

    let (disk, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
    assert_ne!(disk.path().metadata().unwrap().dev(), memory.path().metadata().unwrap().dev());
    let store = async |name: &str| {
        let path = disk.path().join(name);
        open(&statehold_rocksdb::RocksDbBackend::new(), Options::new().with("path", path.to_str().unwrap())).await
    };
    let url = format!("file://{}", memory.path().display());
    let (first, second) = (store("first").await, store("second").await);
    fill(&*first).await;
    let mut sizes = Vec::new();
    for id in 1..=3 {
        // Opened anew, so that no hash is remembered.
        let archive = Archive::open(&url, &"orders".parse().unwrap(), &resources()).await.unwrap();
        let claim = archive.claim(groups(), "test", (id > 1).then_some(CheckpointId(id - 1))).await.unwrap();
        let cut = Cut::take_as(CheckpointForm::Native, &[("local", &*first)]).await.unwrap();
        sizes.push(archive.write(&claim, CheckpointId(id), &Metadata::new(), cut).await.unwrap().summary.new_bytes);
        archive.verify(Select::Latest).await.unwrap();
        archive.recover_into(Select::Latest, "local", &*second, groups()).await.unwrap();
        assert!(everything(&*first).await == everything(&*second).await, "the stores differ after checkpoint {id}");
    }
    assert!(sizes[2] < sizes[0] / 2, "what did not change was stored again: {sizes:?}");
    let objects = std::fs::read_dir(memory.path().join("orders/objects")).unwrap();
    let names: Vec<_> = objects.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.starts_with("000000")), "a copy without its name stays: {names:?}");
    for store in [first, second] {
        store.close().await.unwrap();
    }
}
