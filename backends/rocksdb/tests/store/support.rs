//! A directory, and stores in it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::executor::block_on;
use statehold_core::{
    Address, Backend, Batch, BlockingPool, Cell, Durability, KeyGroup, KeyGroups, Limits, Model, Mutation, Name,
    OpenRequest, Options, Ownership, Reads, Resources, Result, ScanRequest, StateId, StateSpec, Store, Unclean,
    collect,
};
use statehold_rocksdb::RocksDbBackend;
use tempfile::TempDir;

/// A thread for each job.
#[derive(Debug)]
struct Threads;

impl BlockingPool for Threads {
    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(job);
    }
}

pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) request: OpenRequest,
}

pub(crate) fn request(path: &Path) -> OpenRequest {
    OpenRequest {
        store: "local".into(),
        namespace: Name::new("orders").unwrap(),
        groups: KeyGroups::all(8).unwrap(),
        ownership: Ownership::Exclusive,
        durability: Durability::Process,
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options: Options::new().with("path", path.to_str().unwrap()),
        resources: Resources::new(Arc::new(Threads)).with_memory(32 << 20),
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let request = request(dir.path());
        Self { dir, request }
    }

    pub(crate) fn open(&self) -> Result<Arc<dyn Store>> {
        open(&self.request)
    }

    /// The store's directory.
    pub(crate) fn store_dir(&self) -> PathBuf {
        self.dir.path().join("orders/groups-0-8")
    }

    /// Its files with this ending.
    pub(crate) fn files(&self, ending: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.store_dir()).unwrap().map(|e| e.unwrap().path());
        entries.filter(|p| p.to_str().unwrap().ends_with(ending)).collect()
    }
}

pub(crate) fn open(request: &OpenRequest) -> Result<Arc<dyn Store>> {
    block_on(RocksDbBackend::new().open(request.clone()))
}

pub(crate) fn register(store: &dyn Store) -> StateId {
    block_on(store.register(&StateSpec::bytes("counts", Model::Kv).unwrap())).unwrap()
}

pub(crate) fn at(state: StateId, i: u32) -> Address {
    let key = Bytes::copy_from_slice(&i.to_be_bytes());
    Address { group: KeyGroup::of(&key, 8), state, key, sub: Bytes::new() }
}

/// Writes `value` under the keys `0..n`.
pub(crate) fn fill(store: &dyn Store, state: StateId, n: u32, value: &'static [u8]) {
    let mutations = (0..n).map(|i| Mutation::Put(at(state, i), Cell::new(value))).collect();
    let mut batch = Batch { mutations, ..Batch::default() };
    batch.sort();
    block_on(store.commit(batch).finish()).unwrap();
}

pub(crate) fn get(reads: &dyn Reads, at: &Address) -> Result<Option<Bytes>> {
    Ok(block_on(reads.get(at).finish())?.map(|cell| cell.value))
}

/// All values of these groups.
pub(crate) fn values(reads: &dyn Reads, state: StateId, groups: std::ops::Range<u16>) -> Result<Vec<Bytes>> {
    let mut values = Vec::new();
    for group in groups {
        let rows = block_on(collect(reads, ScanRequest::all(state, KeyGroup(group))))?;
        values.extend(rows.into_iter().map(|row| row.cell.value));
    }
    Ok(values)
}

pub(crate) fn close(store: &dyn Store) {
    block_on(store.close()).unwrap();
}
