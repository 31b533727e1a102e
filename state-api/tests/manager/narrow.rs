//! Over an engine whose batches are atomic within one key group only.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use statehold::{
    Durability, ErrorKind, KeyGroups, Limits, Registry, Result, ScanOrder, WriteBatch,
    core::{
        Address, AtomicScope, Backend, Batch, Capabilities, Cell, Committed, Compacted, Error, Loader, Millis,
        NativeArchive, Op, OpenRequest, Options, Page, Reads, ScanRequest, Snapshot, StateId, StateOperator, StateSpec,
        Store, WriterId,
    },
};

use crate::support::{BUFFERS, Place, refused};

fn narrowed(capabilities: Capabilities) -> Capabilities {
    // Markers are kept per group there; the engine beneath keeps one for all.
    Capabilities { scope: AtomicScope::KeyGroup, markers: false, ..capabilities }
}

struct Narrow(Arc<dyn Backend>);

#[async_trait]
impl Backend for Narrow {
    fn kind(&self) -> &'static str {
        "memory"
    }
    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        self.0.capabilities(options).map(narrowed)
    }
    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let inner = self.0.open(request).await?;
        Ok(Arc::new(NarrowStore { capabilities: narrowed(inner.capabilities().clone()), inner }))
    }
}

struct NarrowStore {
    inner: Arc<dyn Store>,
    capabilities: Capabilities,
}

impl Reads for NarrowStore {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        self.inner.get(at)
    }
    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        self.inner.get_many(at)
    }
    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        self.inner.scan(request)
    }
}

#[async_trait]
impl Store for NarrowStore {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    fn groups(&self) -> KeyGroups {
        self.inner.groups()
    }
    fn now(&self) -> Millis {
        self.inner.now()
    }
    fn limits(&self) -> Limits {
        self.inner.limits()
    }
    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        self.inner.states().await
    }
    async fn register(&self, spec: &StateSpec) -> Result<StateId> {
        self.inner.register(spec).await
    }
    fn commit(&self, batch: Batch) -> Op<'_, Committed> {
        if batch.groups().len() > 1 {
            return Op::Ready(Err(Error::unsupported("wider than one group").advise("split it")));
        }
        self.inner.commit(batch)
    }
    async fn last_marker(&self, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        self.inner.last_marker(writer).await
    }
    fn reserve_ordinals(&self, count: u64) -> Option<u64> {
        self.inner.reserve_ordinals(count)
    }
    fn native(&self) -> Option<&dyn NativeArchive> {
        self.inner.native()
    }
    fn memory(&self) -> u64 {
        self.inner.memory()
    }
    async fn engine_version(&self) -> Result<Option<String>> {
        self.inner.engine_version().await
    }
}

#[async_trait]
impl StateOperator for NarrowStore {
    async fn finish(&self) -> Result<Durability> {
        self.inner.finish().await
    }
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.inner.snapshot().await
    }
    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn Loader>> {
        self.inner.loader(groups).await
    }
    async fn compact(&self) -> Result<Compacted> {
        self.inner.compact().await
    }
    async fn drop_state(&self, state: StateId) -> Result<()> {
        self.inner.drop_state(state).await
    }
    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

fn place() -> Place {
    let mut place = Place::new("memory");
    let memory = place.registry.get("memory").unwrap().clone();
    place.registry = Registry::empty().with(Arc::new(Narrow(memory)));
    place
}

#[tokio::test]
async fn batch_1_flushes_and_multi_key_forms_are_split_at_the_scope() {
    for buffer in BUFFERS {
        let place = place();
        let manager = place.open(place.sized(buffer, 0)).await;
        for name in ["kv", "versioned"] {
            let state = manager.key_value::<u64, u64>(name).await.unwrap();
            state.put_many((0..1_000).map(|n| (n, 1)).chain((500..1_500).map(|n| (n, n)))).await.unwrap();
            state.delete_many(&(0..100).collect::<Vec<u64>>()).await.unwrap();
            manager.finish().await.unwrap();
            let rows: Vec<(u64, u64)> = state.scan(ScanOrder::Key).try_collect().await.unwrap();
            let expected = (100..1_500).map(|n| (n, if n < 500 { 1 } else { n }));
            assert_eq!(rows, expected.collect::<Vec<_>>(), "{name}, buffer {buffer}");
        }
        manager.close().await.unwrap();
    }
}

#[tokio::test]
async fn batch_1_a_batch_wider_than_the_scope_is_refused_before_anything_is_written() {
    for buffer in BUFFERS {
        let place = place();
        let manager = place.open(place.sized(buffer, 0)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        let map = manager.key_map::<u64, u64, u64>("map").await.unwrap();
        let mut wide = WriteBatch::new();
        (0..10).for_each(|n| wide.put(&kv, &n, n).unwrap());
        assert_eq!(refused(wide.commit().await).0, ErrorKind::Unsupported);
        assert_eq!(kv.get_many(&(0..10).collect::<Vec<u64>>()).await.unwrap(), [None; 10]);
        // One key lies in one group, whatever the state.
        let mut narrow = WriteBatch::new();
        narrow.put(&kv, &1, 1).unwrap();
        narrow.put_entry(&map, &1, &1, 1).unwrap();
        narrow.commit().await.unwrap();
        manager.finish().await.unwrap();
        assert_eq!(map.get(&1, &1).await.unwrap(), Some(1));
        manager.close().await.unwrap();
    }
}
