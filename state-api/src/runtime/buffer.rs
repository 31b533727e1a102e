//! [`WriteBuffer`]: staged rows of one exclusive store.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use statehold_core::{
    Address, Cell, ScanRequest,
    staged::{Captured, Cleared, Generation, Hold, Layers},
};
use tokio::sync::{RwLock, RwLockWriteGuard};

use super::stripes::{Seen, Stripes, Unsettled, is_settled, moved};

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

    /// Removes what lies under a key; `at.sub` is empty.
    pub(crate) fn clear(&mut self, at: Address, cleared: Cleared) {
        self.stripes.of(&at).fetch_add(1, Ordering::AcqRel);
        self.active.clear(at, cleared);
    }
}

#[derive(Default)]
struct Inner {
    active: Generation,
    /// Oldest first; each with its number.
    sealed: VecDeque<(u64, Arc<Generation>)>,
    /// While a cut is taken: the last generation that is in it. None behind it is committed.
    barrier: Option<u64>,
}

/// The active generation and those that wait for their commit.
pub(crate) struct WriteBuffer {
    inner: Mutex<Inner>,
    seals: AtomicU64,
    flushed: AtomicU64,
    /// Commits sent past the buffer.
    bypasses: AtomicU64,
    /// To write: whoever commits beneath readers. To read: a reader whom commits keep overtaking.
    commits: RwLock<()>,
    /// Bytes at which a generation is sealed; no more than twice that is staged, but for the last change.
    limit: usize,
    /// The most that one commit may hold.
    batch: usize,
}

/// What staging led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Staged {
    /// Done; the flag says that a generation was sealed and wants flushing.
    Yes { sealed: bool },
    /// The buffer is full: wait until this generation, the oldest, is flushed, and try again.
    Full(u64),
    /// A stripe had moved: read again.
    Moved,
}

impl WriteBuffer {
    /// Stages about `bytes`, to be committed in batches of at most `batch`.
    pub(crate) fn new(bytes: usize, batch: usize) -> Self {
        Self {
            inner: Mutex::default(),
            seals: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
            bypasses: AtomicU64::new(0),
            commits: RwLock::new(()),
            limit: (bytes / 2).max(1),
            batch,
        }
    }

    /// Lets `apply` stage its changes of `size` bytes at once, if no stripe of `seen` has moved. It runs at
    /// most once, under the lock, so that caches it changes follow the order of the writes.
    #[inline]
    pub(crate) fn stage(
        &self,
        stripes: &Stripes,
        seen: &[Seen<'_>],
        size: usize,
        apply: &mut impl FnMut(&mut Stage<'_>),
    ) -> Staged {
        let mut inner = self.inner.lock();
        let due = inner.active.bytes() >= self.limit
            || (!inner.active.is_empty() && inner.active.batch_bytes() + size > self.batch);
        if let Some((oldest, _)) = inner.sealed.front()
            && (due || inner.bytes() >= 2 * self.limit)
        {
            return Staged::Full(*oldest);
        }
        if moved(seen) {
            return Staged::Moved;
        }
        if due {
            self.seal(&mut inner);
        }
        apply(&mut Stage { active: &mut inner.active, stripes });
        let full = !due && inner.active.bytes() >= self.limit && inner.sealed.is_empty();
        if full {
            self.seal(&mut inner);
        }
        Staged::Yes { sealed: due || full }
    }

    /// Runs `then` under the lock if nobody has written in between, and nobody is about to: how a read value gets
    /// into a cache.
    #[inline]
    pub(crate) fn if_unmoved(&self, seen: Seen<'_>, then: impl FnOnce()) {
        let _inner = self.inner.lock();
        if is_settled(seen) {
            then();
        }
    }

    /// To be held by whoever commits, while he does.
    pub(crate) async fn committing(&self) -> RwLockWriteGuard<'_, ()> {
        self.commits.write().await
    }

    /// To be called before a commit past the buffer, so that readers do not mix it with staged rows. Runs `uncache`
    /// for each place under the lock: from here on until they are settled nobody caches what is there, which may be of
    /// before the commit or of after it.
    pub(crate) fn bypass<'s>(
        &self,
        stripes: &'s Stripes,
        places: &[Address],
        uncache: impl Fn(&Address),
    ) -> Unsettled<'s> {
        self.bypasses.fetch_add(1, Ordering::AcqRel);
        let _inner = self.inner.lock();
        places.iter().for_each(uncache);
        stripes.unsettle(places)
    }

    /// After a commit past the buffer: moves the stripes, and settles those of `unsettled` if its outcome is known. If
    /// it is not, it may still come to pass.
    pub(crate) fn bypassed(&self, stripes: &Stripes, places: &[Address], unsettled: Option<Unsettled<'_>>) {
        let _inner = self.inner.lock();
        for at in places {
            stripes.of(at).fetch_add(1, Ordering::AcqRel);
        }
        unsettled.into_iter().for_each(Unsettled::settle);
    }

    /// As [`WriteBuffer::bypass`], before all that is committed may be replaced.
    pub(crate) fn unsettle_all<'s>(&self, stripes: &'s Stripes) -> Unsettled<'s> {
        let _inner = self.inner.lock();
        stripes.unsettle_all()
    }

    fn seal(&self, inner: &mut Inner) -> u64 {
        let number = self.seals.load(Ordering::Acquire) + 1;
        let generation = std::mem::take(&mut inner.active);
        inner.sealed.push_back((number, Arc::new(generation)));
        self.seals.store(number, Ordering::Release);
        number
    }

    /// Seals what is staged; the number of the generation to wait for, or of the last sealed one.
    pub(crate) fn seal_all(&self) -> u64 {
        self.seal_active(&mut self.inner.lock())
    }

    fn seal_active(&self, inner: &mut Inner) -> u64 {
        if inner.active.is_empty() { self.seals.load(Ordering::Acquire) } else { self.seal(inner) }
    }

    /// Seals what is staged, and keeps back from the engine what is staged from now on, until
    /// [`WriteBuffer::join`]; the number of the last generation before.
    pub(crate) fn divide(&self) -> u64 {
        let mut inner = self.inner.lock();
        let last = self.seal_active(&mut inner);
        inner.barrier = Some(last);
        last
    }

    /// What [`WriteBuffer::divide`] kept back may be committed.
    pub(crate) fn join(&self) {
        self.inner.lock().barrier = None;
    }

    /// The oldest generation that waits for its commit, and may be committed now.
    pub(crate) fn oldest(&self) -> Option<(u64, Arc<Generation>)> {
        let inner = self.inner.lock();
        inner.sealed.front().filter(|(number, _)| inner.barrier.is_none_or(|last| *number <= last)).cloned()
    }

    /// Whether generation `number` is the oldest still: not retired, and not forgotten.
    pub(crate) fn is_oldest(&self, number: u64) -> bool {
        self.inner.lock().sealed.front().is_some_and(|(n, _)| *n == number)
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
        self.inner.lock().bytes()
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
    fn bytes(&self) -> usize {
        self.active.bytes() + self.sealed.iter().map(|(_, g)| g.bytes()).sum::<usize>()
    }

    #[inline]
    fn look(&self, at: &Address) -> Option<Option<Cell>> {
        let newest = self.active.get(at);
        let found = newest.or_else(|| self.sealed.iter().rev().find_map(|(_, g)| g.get(at)));
        found.map(|cell| cell.cloned())
    }
}

impl Layers for WriteBuffer {
    fn look(&self, at: &Address) -> Option<Option<Cell>> {
        self.inner.lock().look(at)
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
        at.iter().map(|at| inner.look(at)).collect()
    }

    fn seals(&self) -> u64 {
        // Both only grow, so their sum stands still only if both do.
        self.seals.load(Ordering::Acquire) + self.bypasses.load(Ordering::Acquire)
    }

    fn hold(&self) -> BoxFuture<'_, Hold<'_>> {
        async { Box::new(self.commits.read().await) as Hold<'_> }.boxed()
    }
}
