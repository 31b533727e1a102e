//! [`Fault`]: one defect, over any backend.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    Address, ArchiveSink, ArchiveSource, Backend, Batch, Capabilities, Cell, Committed, Compacted, Durability,
    KeyGroups, Limits, Loader, Millis, NativeArchive, Op, OpenRequest, Options, Page, Reads, Result, ScanRequest,
    Snapshot, StateId, StateOperator, StateSpec, Store, WriterId,
};

/// One defect. Every method's ready body is honest: it does what the store beneath does.
/// A fault lives as long as its backend, over all openings.
#[async_trait]
pub(super) trait Fault: Send + Sync + 'static {
    fn declare(&self, honest: Capabilities) -> Capabilities {
        honest
    }

    async fn open(&self, backend: &dyn Backend, request: OpenRequest) -> Result<Arc<dyn Store>> {
        backend.open(request).await
    }

    fn now(&self, store: &dyn Store) -> Millis {
        store.now()
    }

    async fn register(&self, store: &dyn Store, spec: &StateSpec) -> Result<StateId> {
        store.register(spec).await
    }

    fn get<'a>(&'a self, store: &'a dyn Store, at: &'a Address) -> Op<'a, Option<Cell>> {
        store.get(at)
    }

    fn get_many<'a>(&'a self, store: &'a dyn Store, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        store.get_many(at)
    }

    fn scan<'a>(&'a self, store: &'a dyn Store, request: &'a ScanRequest) -> Op<'a, Page> {
        store.scan(request)
    }

    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        store.commit(batch)
    }

    async fn last_marker(&self, store: &dyn Store, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        store.last_marker(writer).await
    }

    async fn finish(&self, store: &dyn Store) -> Result<Durability> {
        store.finish().await
    }

    async fn snapshot(&self, store: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        store.snapshot().await
    }

    async fn loader(&self, store: &dyn Store, groups: KeyGroups) -> Result<Box<dyn Loader>> {
        store.loader(groups).await
    }

    async fn archive(&self, store: &Arc<dyn Store>, groups: KeyGroups, sink: &mut dyn ArchiveSink) -> Result<()> {
        store.archive(groups, sink).await
    }

    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        store.recover(groups, source).await
    }

    async fn compact(&self, store: &dyn Store) -> Result<Compacted> {
        store.compact().await
    }

    async fn drop_state(&self, store: &dyn Store, state: StateId) -> Result<()> {
        store.drop_state(state).await
    }

    /// `again` if this opening was closed before.
    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        store.close().await
    }
}

/// A backend with a fault.
pub(super) struct FaultyBackend<F> {
    inner: Arc<dyn Backend>,
    fault: Arc<F>,
}

/// `inner` with `fault`.
pub(super) fn with<F: Fault>(inner: Arc<dyn Backend>, fault: F) -> Arc<dyn Backend> {
    Arc::new(FaultyBackend { inner, fault: Arc::new(fault) })
}

#[async_trait]
impl<F: Fault> Backend for FaultyBackend<F> {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        Ok(self.fault.declare(self.inner.capabilities(options)?))
    }

    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        // Wrong options are the backend's own business.
        let Ok(capabilities) = self.capabilities(&request.options) else {
            return self.fault.open(&*self.inner, request).await;
        };
        // What is no longer declared is refused, as a backend must.
        request.check(&capabilities)?;
        let limits = request.limits;
        let inner = self.fault.open(&*self.inner, request).await?;
        Ok(Arc::new(FaultyStore {
            inner,
            fault: self.fault.clone(),
            capabilities,
            limits,
            closed: AtomicBool::new(false),
        }))
    }
}

struct FaultyStore<F> {
    inner: Arc<dyn Store>,
    fault: Arc<F>,
    capabilities: Capabilities,
    limits: Limits,
    closed: AtomicBool,
}

impl<F: Fault> Reads for FaultyStore<F> {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        self.fault.get(&*self.inner, at)
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        self.fault.get_many(&*self.inner, at)
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        self.fault.scan(&*self.inner, request)
    }
}

#[async_trait]
impl<F: Fault> StateOperator for FaultyStore<F> {
    async fn finish(&self) -> Result<Durability> {
        self.fault.finish(&*self.inner).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.fault.snapshot(&self.inner).await
    }

    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn Loader>> {
        self.fault.loader(&*self.inner, groups).await
    }

    async fn archive(&self, groups: KeyGroups, sink: &mut dyn ArchiveSink) -> Result<()> {
        self.fault.archive(&self.inner, groups, sink).await
    }

    async fn recover(&self, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        self.fault.recover(&*self.inner, groups, source).await
    }

    async fn compact(&self) -> Result<Compacted> {
        self.fault.compact(&*self.inner).await
    }

    async fn drop_state(&self, state: StateId) -> Result<()> {
        self.fault.drop_state(&*self.inner, state).await
    }

    async fn close(&self) -> Result<()> {
        self.fault.close(&*self.inner, self.closed.swap(true, Ordering::SeqCst)).await
    }
}

#[async_trait]
impl<F: Fault> Store for FaultyStore<F> {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn groups(&self) -> KeyGroups {
        self.inner.groups()
    }

    fn now(&self) -> Millis {
        self.fault.now(&*self.inner)
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        self.inner.states().await
    }

    async fn register(&self, spec: &StateSpec) -> Result<StateId> {
        self.fault.register(&*self.inner, spec).await
    }

    fn commit(&self, batch: Batch) -> Op<'_, Committed> {
        self.fault.commit(&*self.inner, batch)
    }

    async fn last_marker(&self, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        self.fault.last_marker(&*self.inner, writer).await
    }

    fn reserve_ordinals(&self, count: u64) -> Option<u64> {
        self.inner.reserve_ordinals(count)
    }

    fn native(&self) -> Option<&dyn NativeArchive> {
        self.inner.native().filter(|_| self.capabilities.native_archive)
    }

    fn memory(&self) -> u64 {
        self.inner.memory()
    }

    async fn engine_version(&self) -> Result<Option<String>> {
        self.inner.engine_version().await
    }
}

/// The spec of a state, if the store has it.
pub(super) async fn spec_of(store: &dyn Store, id: StateId) -> Result<Option<StateSpec>> {
    Ok(store.states().await?.into_iter().find(|(other, _)| *other == id).map(|(_, spec)| spec))
}

/// Lets others run, on other threads too where there is but one processor to be had.
pub(super) async fn pause() {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}

/// A batch of `mutations` alone.
pub(super) fn batch(mutations: Vec<statehold_core::Mutation>) -> Batch {
    let mut batch = Batch { mutations, ..Batch::default() };
    batch.sort();
    batch
}
