//! [`FaultBackend`]: any backend, with commits and reads that fail when told to.
//!
//! What happened and what is reported are chosen apart, as in Materialize's `persist`: a lost commit, a
//! commit whose answer is lost, and a lie.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    Address, ArchiveSink, ArchiveSource, Backend, Batch, Capabilities, Cell, Committed, Compacted, Durability, Error,
    ErrorKind, KeyGroups, Limits, Loader, Millis, NativeArchive, Op, OpenRequest, Options, Page, Reads, Result,
    ScanRequest, Snapshot, StateId, StateOperator, StateSpec, Store, WriterId,
};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// What becomes of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not happen, and fails with this kind.
    Lost(ErrorKind),
    /// It happens, and fails as `Indeterminate` all the same.
    AnswerLost,
    /// It fails as `Indeterminate`, and happens later: when what [`FaultSwitch::hold_back`] answered is dropped.
    Late,
    /// It does not happen, and is reported as done: what no engine may do. Proves that a test would notice.
    Lie,
    /// It does not happen: the backend panics, as no backend may.
    Panic,
}

/// While it lives, every commit and every snapshot begins late, and every read answers late what it saw when it was
/// asked ([`FaultSwitch::delay`]), or what failed has not happened yet ([`FaultSwitch::hold_back`]).
#[derive(Debug)]
#[must_use = "nothing is late any more when this is dropped"]
pub struct Delay(#[allow(dead_code, reason = "held, not read")] OwnedRwLockWriteGuard<()>);

/// Says which operations fail; shared by all stores that the backend opened.
#[derive(Debug, Clone, Default)]
pub struct FaultSwitch {
    late: Arc<RwLock<()>>,
    held_back: Arc<RwLock<()>>,
    commits: Arc<Mutex<VecDeque<Option<Fault>>>>,
    reads: Arc<Mutex<VecDeque<Option<Fault>>>>,
    recover: Arc<AtomicBool>,
    rows: Arc<AtomicU64>,
}

fn next(queue: &Mutex<VecDeque<Option<Fault>>>) -> Option<Fault> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front().flatten()
}

impl FaultSwitch {
    /// After `pass` commits, the next has this fault. Calls add up.
    pub fn fail_commit(&self, pass: usize, fault: Fault) {
        let mut queue = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        queue.extend(std::iter::repeat_n(None, pass));
        queue.push_back(Some(fault));
    }

    /// After `pass` reads, the next has this fault ([`Fault::Lost`] is the only one that reads know).
    pub fn fail_read(&self, pass: usize, kind: ErrorKind) {
        let mut queue = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        queue.extend(std::iter::repeat_n(None, pass));
        queue.push_back(Some(Fault::Lost(kind)));
    }

    /// The answer of the next recover in portable form is lost: it happens, and fails as `Indeterminate`.
    pub fn lose_answer_of_recover(&self) {
        self.recover.store(true, Ordering::SeqCst);
    }

    /// Makes the engine slow until the answer is dropped. Waits for what is late already.
    pub async fn delay(&self) -> Delay {
        Delay(self.late.clone().write_owned().await)
    }

    /// Commits with [`Fault::Late`] happen once the answer is dropped. Waits for those that happen now.
    pub async fn hold_back(&self) -> Delay {
        Delay(self.held_back.clone().write_owned().await)
    }

    /// How many rows scans have answered so far: what a read costs, if not in time.
    #[must_use]
    pub fn rows_scanned(&self) -> u64 {
        self.rows.load(Ordering::SeqCst)
    }

    /// Waits until nothing is to be late.
    async fn pass(&self) {
        drop(self.late.read().await);
    }

    /// The answer of `read`, late if that is asked for.
    fn late<'a, T: Send + 'a>(&'a self, read: Op<'a, T>) -> Op<'a, T> {
        if self.late.try_read().is_ok() {
            return read;
        }
        Op::boxed(async move {
            let found = read.finish().await;
            self.pass().await;
            found
        })
    }

    /// No more faults.
    pub fn mend(&self) {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.recover.store(false, Ordering::SeqCst);
    }
}

/// A backend whose stores fail when their switch says so.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> statehold::Result<()> {
/// use std::sync::Arc;
/// use statehold::{Descriptor, ErrorKind, Model, Registry, StateDescriptor, StateManager, StoreDescriptor};
/// use statehold::testing::{Fault, FaultBackend};
/// let (backend, switch) = FaultBackend::new(Registry::default().get("memory")?.clone());
/// let descriptor = Descriptor::new("demo")
///     .store("s", StoreDescriptor::new("memory"))
///     .state("counts", StateDescriptor::new(Model::Kv));
/// let registry = Registry::empty().with(Arc::new(backend));
/// let manager = StateManager::builder(descriptor).registry(registry).open().await?;
/// let counts = manager.key_value::<String, u64>("counts").await?;
/// counts.put("apple", 1).await?;
/// switch.fail_commit(0, Fault::Lost(ErrorKind::ResourceExhausted));
/// assert_eq!(manager.finish().await.unwrap_err().kind(), ErrorKind::ResourceExhausted);
/// assert_eq!(counts.get("apple").await?, Some(1)); // staged still
/// manager.finish().await?; // and now committed
/// # manager.close().await }
/// ```
pub struct FaultBackend {
    inner: Arc<dyn Backend>,
    switch: FaultSwitch,
}

impl FaultBackend {
    /// `inner` with a switch.
    #[must_use]
    pub fn new(inner: Arc<dyn Backend>) -> (Self, FaultSwitch) {
        let switch = FaultSwitch::default();
        (Self { inner, switch: switch.clone() }, switch)
    }
}

impl std::fmt::Debug for FaultBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultBackend").field("kind", &self.inner.kind()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for FaultBackend {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        self.inner.capabilities(options)
    }
    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(FaultStore { inner: self.inner.open(request).await?, switch: self.switch.clone() }))
    }
}

struct FaultStore {
    inner: Arc<dyn Store>,
    switch: FaultSwitch,
}

fn injected(kind: ErrorKind) -> Error {
    Error::new(kind, "an injected fault").advise("ask the fault switch to mend")
}

impl FaultStore {
    fn read_fault(&self) -> Option<Error> {
        next(&self.switch.reads).map(|fault| match fault {
            Fault::Lost(kind) => injected(kind),
            Fault::AnswerLost | Fault::Late | Fault::Lie | Fault::Panic => injected(ErrorKind::Unavailable),
        })
    }
}

impl Reads for FaultStore {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        self.read_fault().map_or_else(|| self.switch.late(self.inner.get(at)), |e| Op::Ready(Err(e)))
    }
    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        self.read_fault().map_or_else(|| self.switch.late(self.inner.get_many(at)), |e| Op::Ready(Err(e)))
    }
    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        let page = self.read_fault().map_or_else(|| self.switch.late(self.inner.scan(request)), |e| Op::Ready(Err(e)));
        page.and_then(|page| {
            self.switch.rows.fetch_add(page.rows.len() as u64, Ordering::SeqCst);
            Ok(page)
        })
    }
}

#[async_trait]
impl Store for FaultStore {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
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
        match next(&self.switch.commits) {
            None if self.switch.late.try_read().is_ok() => self.inner.commit(batch),
            None => Op::boxed(async move {
                self.switch.pass().await;
                self.inner.commit(batch).finish().await
            }),
            Some(Fault::Lost(kind)) => Op::Ready(Err(injected(kind))),
            Some(Fault::Lie) => Op::Ready(Ok(Committed::default())),
            #[allow(clippy::panic, reason = "this is what was asked for")]
            Some(Fault::Panic) => Op::boxed(async { panic!("an injected panic") }),
            Some(Fault::Late) => {
                let (inner, held_back) = (self.inner.clone(), self.switch.held_back.clone());
                tokio::spawn(async move {
                    let _happening = held_back.read().await;
                    inner.commit(batch).finish().await
                });
                Op::Ready(Err(injected(ErrorKind::Indeterminate)))
            }
            Some(Fault::AnswerLost) => Op::boxed(async move {
                self.inner.commit(batch).finish().await?;
                Err(injected(ErrorKind::Indeterminate))
            }),
        }
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
impl StateOperator for FaultStore {
    async fn finish(&self) -> Result<Durability> {
        self.inner.finish().await
    }
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.switch.pass().await;
        self.inner.snapshot().await
    }
    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn Loader>> {
        self.inner.loader(groups).await
    }
    async fn archive(&self, groups: KeyGroups, sink: &mut dyn ArchiveSink) -> Result<()> {
        self.inner.archive(groups, sink).await
    }
    async fn recover(&self, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        self.inner.recover(groups, source).await?;
        let lost = self.switch.recover.swap(false, Ordering::SeqCst);
        if lost { Err(injected(ErrorKind::Indeterminate)) } else { Ok(()) }
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
