//! [`WriteBuffer`]: staged rows of one exclusive store, and the version stripes by which
//! read-modify-write and caches notice a write in between.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use statehold_core::{
    Address, Cell, ScanRequest, StateId,
    staged::{Captured, Generation, Layers},
};

const STRIPES: usize = 4096;

#[inline]
fn moved(seen: &[(&AtomicU64, u64)]) -> bool {
    seen.iter().any(|(stripe, count)| stripe.load(Ordering::Acquire) != *count)
}

/// Counts writes to records that share a stripe: a number that stood still means no write in between.
pub(crate) struct Stripes {
    counts: Box<[AtomicU64]>,
    hasher: foldhash::fast::FixedState,
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self { counts: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(), hasher: foldhash::fast::FixedState::default() }
    }

    #[inline]
    pub(crate) fn of(&self, at: &Address) -> &AtomicU64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u32(at.state.0);
        // Without the subkey: clearing a key has to be seen by all of its entries.
        at.key.hash(&mut hasher);
        let slot = hasher.finish() as usize % STRIPES;
        // The remainder is below the length.
        self.counts.get(slot).unwrap_or(&FALLBACK)
    }
}

static FALLBACK: AtomicU64 = AtomicU64::new(0);

/// Takes changes while the buffer is locked.
pub(crate) struct Stage<'a> {
    active: &'a mut Generation,
    stripes: &'a Stripes,
}

impl Stage<'_> {
    /// Sets a record, or removes it.
    #[inline]
    pub(crate) fn set(&mut self, at: Address, cell: Option<Cell>) {
        self.stripes.of(&at).fetch_add(1, Ordering::AcqRel);
        self.active.set(at, cell);
    }

    /// Removes everything under a key; `at.sub` is empty.
    pub(crate) fn clear(&mut self, at: Address) {
        self.stripes.of(&at).fetch_add(1, Ordering::AcqRel);
        self.active.clear(at.state, at.group, at.key);
    }
}

#[derive(Default)]
struct Inner {
    active: Generation,
    /// Oldest first; each with its number.
    sealed: VecDeque<(u64, Arc<Generation>)>,
}

/// The active generation and those that wait for their commit.
pub(crate) struct WriteBuffer {
    inner: Mutex<Inner>,
    seals: AtomicU64,
    flushed: AtomicU64,
    /// Bytes at which a generation is sealed; two may exist.
    limit: usize,
}

/// What staging led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Staged {
    /// Done; the flag says that a generation was sealed and wants flushing.
    Yes { sealed: bool },
    /// The buffer is full: wait for a flush and try again.
    Full,
    /// A stripe had moved: read again.
    Moved,
}

impl WriteBuffer {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            inner: Mutex::default(),
            seals: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
            limit: (bytes / 2).max(1),
        }
    }

    /// Lets `apply` stage its changes at once, if no stripe of `seen` has moved. It runs at most once, under
    /// the lock, so that caches it changes follow the order of the writes.
    #[inline]
    pub(crate) fn stage(
        &self,
        stripes: &Stripes,
        seen: &[(&AtomicU64, u64)],
        apply: &mut impl FnMut(&mut Stage<'_>),
    ) -> Staged {
        let mut inner = self.inner.lock();
        if inner.active.bytes() >= self.limit {
            if !inner.sealed.is_empty() {
                return Staged::Full;
            }
            self.seal(&mut inner);
        }
        if moved(seen) {
            return Staged::Moved;
        }
        apply(&mut Stage { active: &mut inner.active, stripes });
        let full = inner.active.bytes() >= self.limit && inner.sealed.is_empty();
        if full {
            self.seal(&mut inner);
        }
        Staged::Yes { sealed: full }
    }

    /// Runs `then` under the lock if nobody has written in between: how a read value gets into a cache.
    #[inline]
    pub(crate) fn if_unmoved(&self, seen: (&AtomicU64, u64), then: impl FnOnce()) {
        let _inner = self.inner.lock();
        if !moved(&[seen]) {
            then();
        }
    }

    /// Runs `then` under the lock, after the stripes of `written` have moved: for commits past the buffer.
    pub(crate) fn bypassed<'a>(&self, stripes: &Stripes, written: impl Iterator<Item = &'a Address>, then: impl FnOnce()) {
        let _inner = self.inner.lock();
        for at in written {
            stripes.of(at).fetch_add(1, Ordering::AcqRel);
        }
        then();
    }

    fn seal(&self, inner: &mut Inner) -> u64 {
        let number = self.seals.load(Ordering::Acquire) + 1;
        let generation = std::mem::take(&mut inner.active);
        inner.sealed.push_back((number, Arc::new(generation)));
        self.seals.store(number, Ordering::Release);
        number
    }

    /// Seals what is staged; the number of the generation to wait for, or of the last flushed one.
    pub(crate) fn seal_all(&self) -> u64 {
        let mut inner = self.inner.lock();
        if inner.active.is_empty() { self.seals.load(Ordering::Acquire) } else { self.seal(&mut inner) }
    }

    /// The oldest generation that waits for its commit.
    pub(crate) fn oldest(&self) -> Option<(u64, Arc<Generation>)> {
        self.inner.lock().sealed.front().cloned()
    }

    /// The commit of generation `number` is known: its rows are the engine's now.
    pub(crate) fn retire(&self, number: u64) {
        let mut inner = self.inner.lock();
        if inner.sealed.front().is_some_and(|(n, _)| *n == number) {
            inner.sealed.pop_front();
        }
        self.flushed.fetch_max(number, Ordering::AcqRel);
    }

    /// The newest generation whose commit is known.
    pub(crate) fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// Bytes staged now.
    pub(crate) fn bytes(&self) -> usize {
        let inner = self.inner.lock();
        inner.active.bytes() + inner.sealed.iter().map(|(_, g)| g.bytes()).sum::<usize>()
    }

    /// Records staged now.
    pub(crate) fn records(&self) -> usize {
        let inner = self.inner.lock();
        inner.active.records() + inner.sealed.iter().map(|(_, g)| g.records()).sum::<usize>()
    }

    /// Throws away everything staged.
    pub(crate) fn forget(&self) {
        let mut inner = self.inner.lock();
        inner.active = Generation::default();
        inner.sealed.clear();
        self.flushed.fetch_max(self.seals.load(Ordering::Acquire), Ordering::AcqRel);
    }
}

impl Inner {
    #[inline]
    fn look(&self, state: StateId, key: &[u8], sub: &[u8]) -> Option<Option<Cell>> {
        let newest = self.active.get(state, key, sub);
        let found = newest.or_else(|| self.sealed.iter().rev().find_map(|(_, g)| g.get(state, key, sub)));
        found.map(|cell| cell.cloned())
    }
}

impl Layers for WriteBuffer {
    fn look(&self, at: &Address) -> Option<Option<Cell>> {
        self.inner.lock().look(at.state, &at.key, &at.sub)
    }

    fn capture(&self, request: &ScanRequest) -> Captured {
        let mut captured = Captured::default();
        let inner = self.inner.lock();
        for (_, generation) in &inner.sealed {
            generation.capture(request, &mut captured);
        }
        inner.active.capture(request, &mut captured);
        captured
    }

    fn look_many(&self, at: &[Address]) -> Vec<Option<Option<Cell>>> {
        let inner = self.inner.lock();
        at.iter().map(|a| inner.look(a.state, &a.key, &a.sub)).collect()
    }

    fn seals(&self) -> u64 {
        self.seals.load(Ordering::Acquire)
    }
}
