//! The service-provider interface: [`Backend`] opens a [`Store`].
//!
//! An ordered key-value engine within the process need not implement these
//! traits: it implements [`ordered::Engine`](crate::ordered::Engine), and
//! [`ordered::OrderedStore`](crate::ordered::OrderedStore) is its store.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Batch, Capabilities, Committed, Durability, KeyGroup, KeyGroups, Limits, Millis, Name, NativeArchive, Op, Options,
    Ownership, Reads, Resources, Result, Revision, Row, StateId, StateSpec, WriterId, portable,
};

/// What to do with a `Visible` store that was not closed cleanly: its last
/// writes are partly gone (contract LIFE-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unclean {
    /// Refuse to open, saying what the choices are.
    #[default]
    Refuse,
    /// Open; the caller recovers before anything is read.
    Recover,
    /// Throw the content away and open empty.
    Discard,
}

/// What a caller wants opened.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    /// The store's name in the descriptor, for errors and metrics.
    pub store: String,
    /// Whose data.
    pub namespace: Name,
    /// Which groups of the namespace.
    pub groups: KeyGroups,
    /// How it is shared.
    pub ownership: Ownership,
    /// What `finish` promises.
    pub durability: Durability,
    /// What sizes are accepted.
    pub limits: Limits,
    /// What to do after an unclean end.
    pub unclean: Unclean,
    /// The backend's own settings.
    pub options: Options,
    /// Threads, clock, memory.
    pub resources: Resources,
}

/// A kind of engine: knows how to open stores.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The name in descriptors, e.g. `rocksdb`.
    fn kind(&self) -> &'static str;

    /// What a store with these options can do. Opens and creates nothing, so it is also
    /// how options are checked before any store of a descriptor is touched.
    ///
    /// # Errors
    /// `InvalidInput` naming the option at fault.
    fn capabilities(&self, options: &Options) -> Result<Capabilities>;

    /// Opens the store, creating it where there is none (never under `ReadOnly`).
    ///
    /// # Errors
    /// - `InvalidInput`: other `key_groups`, overlapping ranges, wrong options.
    /// - `Unsupported`: ownership or durability that is not declared; the advice names the choices.
    /// - `Conflict`: another process holds it; it was not closed cleanly (LIFE-1).
    /// - `NotFound`: `ReadOnly` and there is none.
    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>>;
}

/// One opened engine, for one namespace and a range of key groups.
#[async_trait]
pub trait Store: Reads + StateOperator {
    /// What this store can do.
    fn capabilities(&self) -> &Capabilities;

    /// The groups it was opened for.
    fn groups(&self) -> KeyGroups;

    /// The time by which it judges expiry; never goes back.
    fn now(&self) -> Millis;

    /// What sizes it accepts.
    fn limits(&self) -> Limits;

    /// Every state in the catalog, by name.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>>;

    /// Puts a state into the catalog, or finds it there. Registering the same spec
    /// again answers the same id.
    ///
    /// # Errors
    /// `Conflict` if the state exists as something else ([`StateSpec::check`]);
    /// `Unsupported` if the spec needs an undeclared capability.
    async fn register(&self, spec: &StateSpec) -> Result<StateId>;

    /// Applies a batch, sorted and folded: the only write path. In one atomic step it checks
    /// ownership, answers a repeated marker, checks the conditions and writes everything or nothing.
    ///
    /// # Errors
    /// - `InvalidInput`, `LimitExceeded`, `Unsupported`: nothing was written.
    /// - `Conflict`: conditions failed (source: [`ConditionsFailed`](crate::ConditionsFailed)), or an older marker.
    /// - `Fenced`: the store was recovered, or has another owner.
    /// - `Indeterminate`: unknown; send it again with the same marker.
    fn commit(&self, batch: Batch) -> Op<'_, Committed>;

    /// The last marker of `writer`: its sequence and position (contract BATCH-5).
    /// `None` if it never wrote, or the scope is not `Store`.
    ///
    /// # Errors
    /// `Unsupported` without markers.
    async fn last_marker(&self, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>>;

    /// Reserves `count` ascending ordinals for list elements, greater than all before
    /// them, across reopen and recover too; the first is answered. `None` where the
    /// engine numbers elements itself and only `Append` adds to a list.
    fn reserve_ordinals(&self, count: u64) -> Option<u64>;

    /// Archives made of the engine's own files; there exactly if
    /// [`Capabilities::native_archive`](crate::Capabilities::native_archive) is declared.
    fn native(&self) -> Option<&dyn NativeArchive> {
        None
    }

    /// Bytes of memory that the engine holds for this store, as far as it knows.
    fn memory(&self) -> u64 {
        0
    }

    /// Name and version of the engine or server beneath, e.g. `Redis 7.0.15`, for reports; `None` where it has none.
    ///
    /// # Errors
    /// `Unavailable` if a server cannot be asked.
    async fn engine_version(&self) -> Result<Option<String>> {
        Ok(None)
    }
}

/// A cut: all states of a store at one instant. Reading it never blocks writers.
///
/// Of lists that may expire its scans yield the heads too: the row (key, nothing) with an empty value,
/// whose expiry is the list's. An archive carries them, and a loader takes them before the list's elements.
#[async_trait]
pub trait Snapshot: Reads {
    /// The instant by which expiry is judged.
    fn now(&self) -> Millis;

    /// The states at the cut.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>>;

    /// The greatest revision or ordinal prefix handed out so far; a store that
    /// loads this cut goes on above it.
    fn incarnation(&self) -> u32;
}

/// Loads content beside the live data; nothing that readers see changes before [`Loader::publish`].
/// Dropping it throws the loaded content away.
#[async_trait]
pub trait Loader: Send {
    /// A state of the new content.
    ///
    /// # Errors
    /// `InvalidInput` if it was named already with another spec.
    async fn state(&mut self, spec: &StateSpec) -> Result<StateId>;

    /// Rows of one state and group, ascending, behind all rows of that state and group loaded before.
    ///
    /// # Errors
    /// `LimitExceeded` if a row is over the store's limits; `ResourceExhausted`.
    async fn load(&mut self, state: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()>;

    /// The cut's floor of time and incarnation.
    ///
    /// # Errors
    /// `InvalidInput` if they cannot be kept.
    fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()>;

    /// Makes the loaded content the content of the groups, in one atomic step, durably, and
    /// raises the incarnation. States outside the loaded content are gone.
    ///
    /// # Errors
    /// Whatever the engine fails with; the old content is then still there.
    async fn publish(self: Box<Self>) -> Result<()>;
}

/// What `compact` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Expired records removed; a list counts as one.
    pub expired: u64,
}

/// Takes a cut's rows and keeps them somewhere: what `archive` writes to.
/// No backend knows an object store.
#[async_trait]
pub trait ArchiveSink: Send {
    /// A state of the cut; comes before its rows.
    ///
    /// # Errors
    /// Whatever the sink fails with.
    async fn state(&mut self, id: StateId, spec: &StateSpec) -> Result<()>;

    /// Rows of one state and group, ascending, behind those before.
    ///
    /// # Errors
    /// Whatever the sink fails with.
    async fn rows(&mut self, id: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()>;

    /// The cut's floor of time and incarnation; comes last.
    ///
    /// # Errors
    /// Whatever the sink fails with.
    async fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()>;
}

/// One step of an archive's content, in the order an [`ArchiveSink`] took it.
#[derive(Debug, Clone, PartialEq)]
pub enum ArchiveStep {
    /// A state begins, under an index of the archive's own.
    State(u32, StateSpec),
    /// Rows of a state in a group, ascending.
    Rows(u32, KeyGroup, Vec<Row>),
    /// The floor of time and incarnation.
    Floor(Millis, u32),
}

/// Yields what was archived: what `recover` reads from. A source checks each object's hash before
/// it yields a row of it, and the last one only shortly before the end: publish nothing earlier.
#[async_trait]
pub trait ArchiveSource: Send {
    /// The next step, or `None` at the end.
    ///
    /// # Errors
    /// `Corrupt` naming the object.
    async fn next(&mut self) -> Result<Option<ArchiveStep>>;
}

/// What is done to a whole store (contract LIFE).
#[async_trait]
pub trait StateOperator: Send + Sync {
    /// Returns once everything committed before is as durable as the store's level
    /// says, and which level that is.
    ///
    /// # Errors
    /// Whatever the engine fails with; then nothing is promised.
    async fn finish(&self) -> Result<Durability>;

    /// Takes a cut. Writes go on and are not in it.
    ///
    /// # Errors
    /// `Unsupported` where not declared.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>>;

    /// Begins to load new content for `groups` beside the live data.
    ///
    /// # Errors
    /// `Unsupported` where not declared; `InvalidInput` for groups that are not the store's.
    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn Loader>>;

    /// Writes one cut into `sink`. The ready body takes a snapshot and scans it.
    ///
    /// # Errors
    /// What the snapshot or the sink fails with.
    async fn archive(&self, groups: KeyGroups, sink: &mut dyn ArchiveSink) -> Result<()> {
        portable::archive(&*self.snapshot().await?, groups, sink).await
    }

    /// Makes the store exactly what `source` yields. The ready body loads it beside the
    /// live data and publishes.
    ///
    /// # Errors
    /// What the source or the loader fails with; the old content is then still there.
    async fn recover(&self, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        portable::recover(self.loader(groups).await?, source).await
    }

    /// Reclaims what is deleted or expired; changes no answer.
    ///
    /// # Errors
    /// Whatever the engine fails with.
    async fn compact(&self) -> Result<Compacted>;

    /// Removes a state with all its entries from the store.
    ///
    /// # Errors
    /// `NotFound` if there is no such state.
    async fn drop_state(&self, state: StateId) -> Result<()>;

    /// Releases every lock, file, connection and task. A second close does nothing;
    /// everything else afterwards is `Unavailable`.
    ///
    /// # Errors
    /// Whatever the engine fails with; the lock is released all the same.
    async fn close(&self) -> Result<()>;
}

/// Shortens what most backends need to say of a wrong request.
impl OpenRequest {
    /// Refuses ownership, durability, limits or groups that `capabilities` do not declare.
    ///
    /// # Errors
    /// `Unsupported` or `InvalidInput`, with the choices there are.
    pub fn check(&self, capabilities: &Capabilities) -> Result<()> {
        use crate::Error;
        if !capabilities.durability.contains(&self.durability) {
            let known: Vec<_> = capabilities.durability.iter().map(|d| d.as_str()).collect();
            return Err(Error::unsupported(format!("durability `{}` cannot be given", self.durability.as_str()))
                .in_store(&self.store)
                .about("durability")
                .advise(format!("choose one of: {}", known.join(", "))));
        }
        if !capabilities.ownership.contains(&self.ownership) {
            return Err(Error::unsupported(format!("ownership {:?} cannot be given", self.ownership))
                .in_store(&self.store)
                .about("ownership")
                .advise(format!("choose one of: {:?}", capabilities.ownership)));
        }
        if !capabilities.max_limits.admit(&self.limits) {
            return Err(Error::invalid("the limits are above the engine's own")
                .in_store(&self.store)
                .about("limits")
                .advise(format!("stay within {:?}", capabilities.max_limits)));
        }
        Ok(())
    }
}

impl Revision {
    /// Whether the state keeps revisions.
    #[must_use]
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }
}
