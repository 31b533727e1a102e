//! A small engine with a disk that can crash, wait and fail: for this module's tests.

use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use futures::executor::block_on;
use parking_lot::Mutex;

use super::{Engine, EngineBatch, EngineRead, OrderedStore, Visit, WriteLevel};
use crate::{
    Address, Batch, Capabilities, Cell, Committed, Durability, Error, ErrorKind, Inline, KeyGroup, KeyGroups, Limits,
    ManualClock, Millis, Model, Mutation, Name, OpenRequest, Options, Ownership, PageLimit, Reads, Resources, Result,
    Row, ScanRange, ScanRequest, StateId, StateSpec, Store, Unclean, collect,
};

pub(super) type Rows = BTreeMap<Vec<u8>, Bytes>;

/// What stays when the engine is closed or the process ends.
#[derive(Debug, Default)]
pub(super) struct Disk {
    rows: Mutex<Rows>,
    /// What a crash leaves.
    durable: Mutex<Rows>,
    /// No read is answered without waiting.
    pub(super) cold: AtomicBool,
    /// No write is taken without waiting.
    pub(super) throttled: AtomicBool,
    /// Writes fail.
    pub(super) full: AtomicBool,
}

impl Disk {
    pub(super) fn crash(&self) {
        *self.rows.lock() = self.durable.lock().clone();
    }

    pub(super) fn rows(&self) -> Rows {
        self.rows.lock().clone()
    }

    /// Engine keys of records, without the store's own.
    pub(super) fn record_keys(&self) -> Vec<Vec<u8>> {
        self.rows().into_keys().filter(|key| !key.starts_with(&[0xFF, 0xFF])).collect()
    }
}

#[derive(Debug)]
pub(super) struct TestEngine(pub(super) Arc<Disk>);

pub(super) struct TestImage(Rows);

impl EngineRead for TestImage {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.0.get(key).cloned())
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        for (key, value) in self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to))) {
            if let ControlFlow::Break(()) = visit(key, value) {
                break;
            }
        }
        Ok(())
    }
}

impl EngineRead for TestEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.image()?.get(key)
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        self.image()?.get_many(keys)
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        self.image()?.scan(from, to, visit)
    }
}

#[derive(Default)]
pub(super) struct TestBatch(Vec<(Vec<u8>, Change)>);

enum Change {
    Put(Bytes),
    Delete,
    DeleteTo(Vec<u8>),
}

impl EngineBatch for TestBatch {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.push((key.to_vec(), Change::Put(Bytes::copy_from_slice(value))));
    }

    fn delete(&mut self, key: &[u8]) {
        self.0.push((key.to_vec(), Change::Delete));
    }

    fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        self.0.push((from.to_vec(), Change::DeleteTo(to.to_vec())));
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl TestBatch {
    fn apply(&self, rows: &mut Rows) {
        for (key, change) in &self.0 {
            match change {
                Change::Put(value) => drop(rows.insert(key.clone(), value.clone())),
                Change::Delete => drop(rows.remove(key)),
                Change::DeleteTo(to) => rows.retain(|row, _| row < key || row >= to),
            }
        }
    }
}

impl Engine for TestEngine {
    type Batch = TestBatch;
    type Image = TestImage;

    const IN_MEMORY: bool = false;

    fn get_cached(&self, key: &[u8]) -> Result<Option<Option<Bytes>>> {
        if self.0.cold.load(SeqCst) { Ok(None) } else { self.get(key).map(Some) }
    }

    fn get_many_cached(&self, keys: &[&[u8]]) -> Result<Option<Vec<Option<Bytes>>>> {
        if self.0.cold.load(SeqCst) { Ok(None) } else { self.get_many(keys).map(Some) }
    }

    fn scan_cached(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<bool> {
        if self.0.cold.load(SeqCst) { Ok(false) } else { self.scan(from, to, visit).map(|()| true) }
    }

    fn batch(&self) -> TestBatch {
        TestBatch::default()
    }

    fn write(&self, batch: &mut TestBatch, level: WriteLevel) -> Result<()> {
        if self.0.full.load(SeqCst) {
            return Err(Error::new(ErrorKind::ResourceExhausted, "the disk is full"));
        }
        batch.apply(&mut self.0.rows.lock());
        if level > WriteLevel::Unlogged {
            batch.apply(&mut self.0.durable.lock());
        }
        batch.clear();
        Ok(())
    }

    fn try_write(&self, batch: &mut TestBatch, level: WriteLevel) -> Result<bool> {
        if self.0.throttled.load(SeqCst) { Ok(false) } else { self.write(batch, level).map(|()| true) }
    }

    fn flush(&self) -> Result<()> {
        *self.0.durable.lock() = self.0.rows();
        Ok(())
    }

    fn compact(&self) -> Result<()> {
        Ok(())
    }

    fn image(&self) -> Result<TestImage> {
        Ok(TestImage(self.0.rows()))
    }

    fn version(&self) -> Option<String> {
        Some("Test 1".to_owned())
    }
}

pub(super) const GROUP: KeyGroup = KeyGroup(3);

/// A store on a disk, with a clock that stands.
pub(super) struct Bench {
    pub(super) disk: Arc<Disk>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) request: OpenRequest,
}

impl Bench {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Millis(1_000)));
        let request = OpenRequest {
            store: "test".into(),
            namespace: Name::new("ns").unwrap(),
            groups: KeyGroups::all(8).unwrap(),
            ownership: Ownership::Exclusive,
            durability: Durability::Process,
            limits: Limits::default(),
            unclean: Unclean::Refuse,
            options: Options::new(),
            resources: Resources::new(Arc::new(Inline)).with_clock(clock.clone()),
        };
        Self { disk: Arc::default(), clock, request }
    }

    pub(super) fn open(&self) -> Result<Arc<OrderedStore<TestEngine>>> {
        OrderedStore::open(TestEngine(Arc::clone(&self.disk)), &self.request, Capabilities::in_process())
    }

    /// A store with one state of `model`.
    pub(super) fn with(
        model: Model,
        change: impl FnOnce(&mut StateSpec),
    ) -> (Self, Arc<OrderedStore<TestEngine>>, StateId) {
        let bench = Self::new();
        let store = bench.open().unwrap();
        let id = register(&*store, "s", model, change);
        (bench, store, id)
    }
}

pub(super) fn spec(name: &str, model: Model, change: impl FnOnce(&mut StateSpec)) -> StateSpec {
    let mut spec = StateSpec::bytes(name, model).unwrap();
    change(&mut spec);
    spec
}

pub(super) fn register(store: &dyn Store, name: &str, model: Model, change: impl FnOnce(&mut StateSpec)) -> StateId {
    block_on(store.register(&spec(name, model, change))).unwrap()
}

pub(super) fn at(state: StateId, key: &str, sub: impl AsRef<[u8]>) -> Address {
    Address {
        group: GROUP,
        state,
        key: Bytes::copy_from_slice(key.as_bytes()),
        sub: Bytes::copy_from_slice(sub.as_ref()),
    }
}

pub(super) fn cell(value: &str, expires_at: Option<u64>) -> Cell {
    Cell { expires_at: expires_at.map(Millis), ..Cell::new(Bytes::copy_from_slice(value.as_bytes())) }
}

pub(super) fn put(state: StateId, key: &str, value: &str) -> Mutation {
    Mutation::Put(at(state, key, ""), cell(value, None))
}

pub(super) fn append(state: StateId, key: &str, values: &[&str], expires_at: Option<u64>) -> Mutation {
    Mutation::Append { at: at(state, key, ""), cells: values.iter().map(|v| cell(v, expires_at)).collect() }
}

pub(super) fn commit(store: &dyn Store, mutations: Vec<Mutation>) -> Result<Committed> {
    let mut batch = Batch { mutations, ..Batch::default() };
    batch.sort();
    block_on(store.commit(batch).finish())
}

pub(super) fn get(reads: &dyn Reads, at: &Address) -> Option<String> {
    block_on(reads.get(at).finish()).unwrap().map(|cell| text(&cell.value))
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn request(state: StateId, range: ScanRange, rows: usize) -> ScanRequest {
    let limit = PageLimit { rows, ..PageLimit::default() };
    ScanRequest { range, limit, ..ScanRequest::all(state, GROUP) }
}

pub(super) fn rows(reads: &dyn Reads, request: ScanRequest) -> Vec<Row> {
    block_on(collect(reads, request)).unwrap()
}

/// Values of all rows, read in pages of two.
pub(super) fn values(reads: &dyn Reads, state: StateId) -> Vec<String> {
    rows(reads, request(state, ScanRange::All, 2)).iter().map(|row| text(&row.cell.value)).collect()
}
