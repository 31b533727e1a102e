//! [`Inner`]: what a store's handle, its snapshots, its loader and its work on the pool share.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::{MappedRwLockReadGuard, Mutex, MutexGuard, RwLock, RwLockReadGuard};

use super::{
    Engine, EngineBatch, WriteLevel,
    catalog::Catalog,
    layout::Form,
    meta::{self, Head, StoredMarker},
    snapshot::Image,
};
use crate::{
    Address, Capabilities, Durability, Error, ErrorKind, KeyGroup, KeyGroups, Limits, Millis, Op, Resources, Result,
    StateId, StoreClock, WriterId,
};

/// An opened store. Lock order: writer, engine, catalog; each may be taken without those before it.
pub(super) struct Inner<E: Engine> {
    pub(super) name: String,
    pub(super) groups: KeyGroups,
    pub(super) limits: Limits,
    pub(super) durability: Durability,
    pub(super) read_only: bool,
    pub(super) capabilities: Capabilities,
    pub(super) resources: Resources,
    pub(super) clock: StoreClock,
    closed: AtomicBool,
    /// Held by the `close` that is under way.
    pub(super) closing: Mutex<()>,
    /// Readers hold it for one engine call; `close` takes the engine out.
    pub(super) engine: RwLock<Option<E>>,
    pub(super) catalog: RwLock<Catalog>,
    /// Advances whenever states vanish from the catalog.
    generation: AtomicU64,
    /// Odd while a batch is being applied, so that several reads know whether they were one point in time.
    commits: AtomicU64,
    /// The next list ordinal: session (24 bits), counter (40 bits).
    pub(super) ordinals: AtomicU64,
    /// Loads asked for so far.
    pub(super) loads: AtomicU64,
    pub(super) writer: Mutex<Writer<E>>,
    pub(super) images: Mutex<Vec<Weak<Image<E>>>>,
}

/// What only the one who writes has: the lock around it orders all commits.
pub(super) struct Writer<E: Engine> {
    pub(super) head: Head,
    /// The last revision's sequence, per group of the store.
    pub(super) sequences: Vec<u64>,
    /// The greatest of them.
    pub(super) highest: u64,
    pub(super) markers: HashMap<WriterId, StoredMarker>,
    /// Opened after an unclean end, and not recovered since: never marked clean.
    pub(super) suspect: bool,
    /// The loader that may still publish: the last that began.
    pub(super) loader: u64,
    pub(super) scratch: Scratch<E>,
}

/// Buffers that commits use again.
pub(super) struct Scratch<E: Engine> {
    pub(super) batch: E::Batch,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// (group, its sequence after the batch).
    pub(super) touched: Vec<(KeyGroup, u64)>,
}

impl<E: Engine> Scratch<E> {
    pub(super) fn new(engine: &E) -> Self {
        Self { batch: engine.batch(), key: Vec::new(), value: Vec::new(), touched: Vec::new() }
    }
}

/// What `open` found or made.
pub(super) struct Parts<E: Engine> {
    pub(super) engine: E,
    pub(super) head: Head,
    pub(super) catalog: Catalog,
    pub(super) sequences: Vec<u64>,
    pub(super) markers: HashMap<WriterId, StoredMarker>,
    pub(super) suspect: bool,
}

impl<E: Engine> Inner<E> {
    pub(super) fn new(parts: Parts<E>, request: &crate::OpenRequest, capabilities: Capabilities) -> Self {
        let Parts { engine, head, catalog, sequences, markers, suspect } = parts;
        let scratch = Scratch::new(&engine);
        let highest = sequences.iter().max().copied().unwrap_or(0);
        Self {
            name: request.store.clone(),
            groups: request.groups,
            limits: request.limits,
            durability: request.durability,
            read_only: request.ownership == crate::Ownership::ReadOnly,
            capabilities,
            resources: request.resources.clone(),
            clock: StoreClock::new(request.resources.clock.clone(), Millis(head.floor)),
            closed: AtomicBool::new(false),
            closing: Mutex::default(),
            engine: RwLock::new(Some(engine)),
            catalog: RwLock::new(catalog),
            generation: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            ordinals: AtomicU64::new(first_ordinal(head.session)),
            loads: AtomicU64::new(0),
            writer: Mutex::new(Writer { head, sequences, highest, markers, suspect, loader: 0, scratch }),
            images: Mutex::default(),
        }
    }

    /// The engine, for as long as the guard lives. Never waits for a `close` that waits for others.
    pub(super) fn engine(&self) -> Result<MappedRwLockReadGuard<'_, E>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        RwLockReadGuard::try_map(self.engine.read_recursive(), Option::as_ref).map_err(|_| closed())
    }

    /// Nothing begins any more.
    pub(super) fn begin_close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    pub(super) fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if self.read_only {
            return Err(Error::unsupported("the store is open for reading only")
                .advise("open it with exclusive ownership to write"));
        }
        Ok(())
    }

    pub(super) fn check_group(&self, group: KeyGroup) -> Result<()> {
        if self.groups.contains(group) {
            return Ok(());
        }
        Err(Error::invalid(format!("key group {group} is not in the store's {}", self.groups))
            .advise("ask the owner of that group"))
    }

    pub(super) fn check_address(&self, at: &Address) -> Result<()> {
        self.check_group(at.group)?;
        self.limits.check_key(&at.key, &at.sub)
    }

    /// Names the store in an error.
    pub(super) fn named(&self, error: Error) -> Error {
        error.in_store(&self.name)
    }

    /// Does `work` on the blocking pool when polled; it goes on to its end if the future is dropped.
    pub(super) fn hop<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T> + Send + 'static,
    ) -> Op<'static, T> {
        let core = Arc::clone(self);
        Op::boxed(async move {
            let inner = Arc::clone(&core);
            core.resources.blocking(move || work(&inner)).await.map_err(|e| core.named(e))
        })
    }

    /// As [`Inner::hop`], but at once for engines that never wait.
    pub(super) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T> + Send + 'static,
    ) -> Op<'static, T> {
        if E::IN_MEMORY { Op::Ready(work(self).map_err(|e| self.named(e))) } else { self.hop(work) }
    }

    /// To be taken before states are looked up that are then read.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// What was read since `before`, failures included, counts only if these states are still there.
    pub(super) fn still_there(&self, before: u64, states: impl IntoIterator<Item = StateId>) -> Result<()> {
        if self.generation() == before {
            return Ok(());
        }
        let catalog = self.catalog.read();
        states.into_iter().try_for_each(|state| catalog.form(state).map(drop))
    }

    pub(super) fn form(&self, state: StateId) -> Result<Form> {
        self.catalog.read().form(state)
    }

    /// Changes the catalog so that states vanish from it.
    pub(super) fn change_catalog(&self, change: impl FnOnce(&mut Catalog)) {
        change(&mut self.catalog.write());
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Does several reads that shall be one point in time: `None` if a batch was applied meanwhile.
    pub(super) fn undisturbed<T>(&self, read: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        let before = self.commits.load(Ordering::Acquire);
        if before % 2 == 1 {
            return Ok(None);
        }
        let out = read()?;
        Ok((self.commits.load(Ordering::Acquire) == before).then_some(out))
    }

    /// Writes the batch; all writes to content that is in use go through here, under the writer's lock.
    /// `false` if it would have to wait and may not.
    pub(super) fn write(&self, engine: &E, batch: &mut E::Batch, level: WriteLevel, patient: bool) -> Result<bool> {
        self.commits.fetch_add(1, Ordering::AcqRel);
        let written = if patient { engine.write(batch, level).map(|()| true) } else { engine.try_write(batch, level) };
        self.commits.fetch_add(1, Ordering::AcqRel);
        if !matches!(written, Ok(true)) {
            batch.clear();
        }
        written
    }

    /// The level at which commits are written.
    pub(super) fn level(&self) -> WriteLevel {
        match self.durability {
            Durability::Visible => WriteLevel::Unlogged,
            Durability::Process => WriteLevel::Logged,
            Durability::Power => WriteLevel::Synced,
        }
    }

    /// Writes `head` together with what `fill` adds, and then keeps it.
    pub(super) fn write_head(
        &self,
        writer: &mut Writer<E>,
        head: Head,
        level: WriteLevel,
        fill: impl FnOnce(&mut E::Batch) -> Result<()>,
    ) -> Result<()> {
        let engine = self.engine()?;
        let mut batch = engine.batch();
        fill(&mut batch)?;
        batch.put(&meta::head_key(), &meta::seal(&head)?);
        self.write(&engine, &mut batch, level, true)?;
        writer.head = head;
        Ok(())
    }

    /// Raises the floor of time to `now` and persists it (contract KV-6).
    pub(super) fn raise_floor(&self, writer: &mut Writer<E>, now: Millis) -> Result<()> {
        if now.0 > writer.head.floor {
            let head = Head { floor: now.0, ..writer.head };
            self.write_head(writer, head, self.level(), |_| Ok(()))?;
        }
        self.clock.raise(now);
        Ok(())
    }

    /// The writer's lock, for those who may wait.
    pub(super) fn lock(&self) -> MutexGuard<'_, Writer<E>> {
        self.writer.lock()
    }
}

/// The first ordinal of a session.
pub(super) fn first_ordinal(session: u32) -> u64 {
    u64::from(session) << SESSION_SHIFT
}

/// The session an ordinal was drawn in.
pub(super) fn session_of(ordinal: u64) -> u32 {
    // 24 bits are left.
    (ordinal >> SESSION_SHIFT) as u32
}

const SESSION_SHIFT: u32 = 40;

#[cold]
pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed").advise("open it again")
}
