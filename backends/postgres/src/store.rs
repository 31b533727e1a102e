//! [`PostgresStore`]: the handle, and what its parts share.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use sqlx::{PgConnection, error::Error as SqlError, query_as, query_scalar};
use statehold_core::{
    Address, Batch, Capabilities, Cell, Committed, Durability, Error, KeyGroup, KeyGroups, Limits, Millis, Op, Page,
    Reads, Result, ScanRequest, StateId, StateSpec, Store, StoreClock, WriterId,
};
use tokio::runtime::Handle;

use crate::{
    bits::flop,
    catalog::{self, Catalog, Known, States},
    error,
    pool::{Pool, Work},
    snapshot::Session,
    task::ToTheEnd,
};

/// What a handle, its snapshots and its loaders share.
pub(crate) struct Inner {
    pub(crate) name: String,
    /// The store's number in the schema.
    pub(crate) store: i32,
    /// Whose commits count; another one on the server means that this handle is fenced.
    pub(crate) epoch: i64,
    pub(crate) session: i64,
    pub(crate) groups: KeyGroups,
    pub(crate) limits: Limits,
    pub(crate) durability: Durability,
    pub(crate) read_only: bool,
    /// Opened after an unclean end, and not recovered since: never marked clean.
    pub(crate) suspect: AtomicBool,
    /// Counted among the handles that the server knows as not closed.
    pub(crate) counted: AtomicBool,
    pub(crate) capabilities: Capabilities,
    pub(crate) clock: StoreClock,
    pub(crate) catalog: Catalog,
    pub(crate) pool: Pool,
    /// Connections of snapshots, to be closed with the store.
    pub(crate) sessions: Mutex<Vec<Weak<Session>>>,
    /// Loads asked for so far.
    pub(crate) loads: AtomicU64,
    /// The last of them that began.
    pub(crate) last_load: tokio::sync::Mutex<u64>,
    pub(crate) runtime: Handle,
    pub(crate) closing: tokio::sync::Mutex<()>,
}

/// An opened store in PostgreSQL.
pub(crate) struct PostgresStore(pub(crate) Arc<Inner>);

impl Inner {
    /// Names the store in an error.
    pub(crate) fn named(&self, error: Error) -> Error {
        error.in_store(&self.name)
    }

    /// Does `work` once it is polled: it goes on to its end if the future is dropped, and the connection is always
    /// left in order.
    pub(crate) fn task<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Op<'static, T> {
        let inner = Arc::clone(self);
        let named = async move { work.await.map_err(|e| inner.named(e)) };
        Op::boxed(ToTheEnd::new(self.runtime.clone(), named))
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        self.pool.check_open()?;
        if self.read_only {
            return Err(Error::unsupported("the store is open for reading only")
                .advise("open it with exclusive or shared ownership to write"));
        }
        Ok(())
    }

    pub(crate) fn check_group(&self, group: KeyGroup) -> Result<()> {
        if self.groups.contains(group) {
            return Ok(());
        }
        Err(Error::invalid(format!("key group {group} is not in the store's {}", self.groups))
            .advise("ask the owner of that group"))
    }

    pub(crate) fn check_address(&self, at: &Address) -> Result<()> {
        self.check_group(at.group)?;
        self.limits.check_key(&at.key, &at.sub)
    }

    /// The catalog with at least `states`: another process may have registered them since this one looked.
    pub(crate) async fn known(&self, states: impl Iterator<Item = StateId> + Clone + Send) -> Result<Arc<Known>> {
        let known = self.catalog.known();
        if known.has(states.clone()) {
            return Ok(known);
        }
        self.states().await?;
        let known = self.catalog.known();
        if known.has(states) { Ok(known) } else { Err(error::gone()) }
    }

    pub(crate) async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        self.pool.check_open()?;
        let (states, incarnation) = catalog::parse(self.pool.read(&States { store: self.store }).await?)?;
        self.catalog.replace(&states, incarnation);
        Ok(states)
    }

    async fn version(&self) -> Result<String> {
        self.pool.check_open()?;
        let version = self.pool.read(&Version).await?;
        // Behind the number stands who packaged it: `17.5 (Debian 17.5-1)`.
        Ok(format!("PostgreSQL {}", version.split_whitespace().next().unwrap_or(&version)))
    }

    async fn last_marker(&self, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        self.pool.check_open()?;
        let found = self.pool.read(&LastMarker { store: self.store, writer }).await?;
        Ok(found.map(|(sequence, position)| (flop(sequence), position.map(Bytes::from))))
    }
}

struct Version;

impl Work for Version {
    type Out = String;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        query_scalar("SHOW server_version").fetch_one(on).await
    }
}

struct LastMarker {
    store: i32,
    writer: WriterId,
}

impl Work for LastMarker {
    type Out = Option<(i64, Option<Vec<u8>>)>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let sql = "SELECT sequence, position FROM markers WHERE store = $1 AND writer = $2";
        query_as(sql).bind(self.store).bind(self.writer.0.to_be_bytes().to_vec()).fetch_optional(on).await
    }
}

impl Reads for PostgresStore {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        self.0.get(at)
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        self.0.get_many(at)
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        self.0.scan(request)
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn groups(&self) -> KeyGroups {
        self.0.groups
    }

    fn now(&self) -> Millis {
        self.0.clock.now()
    }

    fn limits(&self) -> Limits {
        self.0.limits
    }

    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        let inner = Arc::clone(&self.0);
        self.0.task(async move { inner.states().await }).finish().await
    }

    async fn register(&self, spec: &StateSpec) -> Result<StateId> {
        let (inner, spec) = (Arc::clone(&self.0), spec.clone());
        self.0.task(async move { inner.register(&spec).await }).finish().await
    }

    fn commit(&self, batch: Batch) -> Op<'_, Committed> {
        self.0.commit(batch)
    }

    async fn last_marker(&self, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        let inner = Arc::clone(&self.0);
        self.0.task(async move { inner.last_marker(writer).await }).finish().await
    }

    /// The server numbers elements itself, in the order of commits.
    fn reserve_ordinals(&self, _: u64) -> Option<u64> {
        None
    }

    async fn engine_version(&self) -> Result<Option<String>> {
        let inner = Arc::clone(&self.0);
        self.0.task(async move { inner.version().await.map(Some) }).finish().await
    }
}

/// A handle dropped without close leaves no connection behind.
impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.0.pool.begin_close();
        if !self.0.read_only && self.0.counted.load(Ordering::Acquire) {
            tracing::warn!(store = %self.0.name, "a `visible` store is dropped without close: it opens only by recover or discard");
        }
        let inner = Arc::clone(&self.0);
        self.0.runtime.spawn(async move { inner.end().await });
    }
}
