//! [`StoreRuntime`]: reads through the buffer, stages or writes through, and knows whether it was fenced.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use statehold_core::{
    Address, Batch, Cell, Committed, Durability, Error, ErrorKind, Op, Resources, Result, StateId, Store, WriterId,
    staged::Layers as _,
};
use tokio::sync::Notify;

use super::{
    Reader,
    buffer::{Stage, Staged, WriteBuffer},
    flush::{self, Failures, FlushMetrics, is_unknown},
    gate::{Closed, Gate, Inside, To},
    stripes::{Seen, Stripes, Unsettled},
};

/// Runs `work` to its end even if the caller goes away (contract OWN-2).
pub(crate) async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.map_err(|e| Error::internal("a task ended before its work was done").because(e))?
}

/// What trying to stage came to.
enum Tried {
    /// All or nothing is staged: whether it is.
    Done(bool),
    /// The gate is closed: nothing is staged.
    Closed,
    /// The buffer is full until this generation is flushed: nothing is staged.
    Full(u64),
}

/// One opened store of a manager.
pub(crate) struct StoreRuntime {
    pub(crate) name: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) resources: Resources,
    pub(super) buffer: Option<WriteBuffer>,
    stripes: Stripes,
    gate: Gate,
    /// Wakes the flusher; shared with it, so that it can wait without keeping the runtime alive.
    pub(super) wake: Arc<Notify>,
    /// Wakes those who wait for a flush.
    pub(super) flushed: Notify,
    pub(super) failures: parking_lot::Mutex<Failures>,
    /// Held by the flusher while it tries.
    pub(super) flushing: tokio::sync::Mutex<()>,
    pub(super) writer: WriterId,
    pub(super) metrics: FlushMetrics,
    /// Raised when content is replaced: handles of before are fenced.
    epoch: AtomicU64,
    closed: AtomicBool,
    /// The most bytes of a batch.
    batch: usize,
}

impl StoreRuntime {
    /// Must be called within a tokio runtime: the flusher is a task of it.
    pub(crate) fn new(
        name: &str,
        store: Arc<dyn Store>,
        resources: Resources,
        buffer_bytes: usize,
        writer: WriterId,
    ) -> Arc<Self> {
        let batch_bytes = store.limits().batch;
        let runtime = Arc::new(Self {
            name: name.to_owned(),
            store,
            resources,
            buffer: (buffer_bytes > 0).then(|| WriteBuffer::new(buffer_bytes, batch_bytes)),
            stripes: Stripes::new(),
            gate: Gate::default(),
            wake: Arc::default(),
            flushed: Notify::new(),
            failures: parking_lot::Mutex::default(),
            flushing: tokio::sync::Mutex::default(),
            writer,
            metrics: FlushMetrics::of(name),
            epoch: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            batch: batch_bytes,
        });
        if runtime.buffer.is_some() {
            tokio::spawn(flush::run(Arc::downgrade(&runtime), runtime.wake.clone()));
        }
        runtime
    }

    /// Which content this is: raised by recover.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Fences every handle and forgets what is staged: the content is another one now.
    pub(crate) fn replaced(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        if let Some(buffer) = &self.buffer {
            buffer.forget();
        }
        self.stripes.settle_all();
        // Those who wait for a flush of what was forgotten.
        self.flushed.notify_waiters();
    }

    /// Whether writes are staged.
    pub(crate) fn is_buffered(&self) -> bool {
        self.buffer.is_some()
    }

    /// Bytes and records staged now.
    pub(crate) fn staged(&self) -> (usize, usize) {
        self.buffer.as_ref().map_or((0, 0), |b| (b.bytes(), b.records()))
    }

    /// The number that stands still while nobody writes under the record's key.
    #[inline]
    pub(crate) fn stripe(&self, at: &Address) -> Seen<'_> {
        let stripe = self.stripes.of(at);
        (stripe, stripe.load(Ordering::Acquire))
    }

    /// Nobody caches what is read from now on until the answer is settled or the content [replaced](Self::replaced).
    pub(crate) fn unsettle_all(&self) -> Option<Unsettled<'_>> {
        self.buffer.as_ref().map(|buffer| buffer.unsettle_all(&self.stripes))
    }

    /// Runs `then` if nobody has written the record since `seen`, in step with writers, and nobody is about to.
    #[inline]
    pub(crate) fn if_unmoved(&self, seen: Seen<'_>, then: impl FnOnce()) {
        if let Some(buffer) = &self.buffer {
            buffer.if_unmoved(seen, then);
        }
    }

    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Unavailable, "the manager is closed")
                .in_store(&self.name)
                .advise("open it again"));
        }
        Ok(())
    }

    /// The record at `at`, staged or committed.
    #[inline]
    pub(crate) fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        match self.buffer.as_ref().and_then(|b| b.look(at)) {
            // Only an expiry needs the clock, which costs a tenth of such a read.
            Some(staged) => Op::Ready(Ok(staged.filter(|c| c.expires_at.is_none() || c.is_live(self.store.now())))),
            None => self.store.get(at),
        }
    }

    /// Staged over committed rows.
    #[inline]
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader(self)
    }

    /// Refuses what no commit could hold.
    #[inline]
    pub(crate) fn check_batch(&self, size: usize) -> Result<()> {
        let limit = self.batch;
        if size <= limit {
            return Ok(());
        }
        Err(Error::new(ErrorKind::LimitExceeded, format!("a batch of {size} bytes is over the limit of {limit}"))
            .in_store(&self.name)
            .advise("nothing was written; make several batches"))
    }

    /// Stages what `apply` sets, `size` bytes of keys and values, if no stripe of `seen` has moved; `false` if
    /// one has. Waits for room. `check` is asked when nothing can replace the store's content any more: what is
    /// staged for content that is gone could never be flushed.
    ///
    /// # Errors
    /// What `check` answers; `LimitExceeded`; `Internal` without a buffer; what keeps the flusher from making room.
    #[inline]
    pub(crate) fn stage<'a>(
        &'a self,
        check: impl Fn() -> Result<()> + Send + 'a,
        seen: &'a [Seen<'a>],
        size: usize,
        mut apply: impl FnMut(&mut Stage<'_>) + Send + 'a,
    ) -> Op<'a, bool> {
        match self.try_stage(&check, seen, size, &mut apply) {
            Ok(Tried::Done(done)) => Op::Ready(Ok(done)),
            Err(e) => Op::Ready(Err(e)),
            // Its own allocation: else every write's future would be large enough for it, and is moved twice.
            Ok(tried) => Op::boxed(self.stage_later(tried, check, seen, size, apply)),
        }
    }

    async fn stage_later(
        &self,
        mut tried: Tried,
        check: impl Fn() -> Result<()>,
        seen: &[Seen<'_>],
        size: usize,
        mut apply: impl FnMut(&mut Stage<'_>),
    ) -> Result<bool> {
        loop {
            match tried {
                Tried::Done(done) => return Ok(done),
                Tried::Closed => drop(self.gate.enter(To::Stage).await),
                Tried::Full(number) => self.flush_up_to(number).await?,
            }
            tried = self.try_stage(&check, seen, size, &mut apply)?;
        }
    }

    #[inline]
    fn try_stage(
        &self,
        check: &impl Fn() -> Result<()>,
        seen: &[Seen<'_>],
        size: usize,
        apply: &mut impl FnMut(&mut Stage<'_>),
    ) -> Result<Tried> {
        let Some(buffer) = &self.buffer else { return Err(Error::internal("staging without a buffer")) };
        self.check_batch(size)?;
        let outcome = {
            let Some(_inside) = self.gate.try_enter(To::Stage) else { return Ok(Tried::Closed) };
            self.check_open()?;
            check()?;
            buffer.stage(&self.stripes, seen, size, apply)
        };
        Ok(match outcome {
            Staged::Yes { sealed } => {
                if sealed {
                    self.wake.notify_one();
                }
                Tried::Done(true)
            }
            Staged::Moved => Tried::Done(false),
            Staged::Full(number) => Tried::Full(number),
        })
    }

    /// Commits past the buffer: for stores and states that stage nothing.
    #[inline]
    pub(crate) fn commit(&self, batch: Batch) -> Op<'_, Committed> {
        let Some(inside) = self.gate.try_enter(To::Commit) else {
            return Op::boxed(async move {
                let inside = self.gate.enter(To::Commit).await;
                self.commit_inside(batch, inside).finish().await
            });
        };
        self.commit_inside(batch, inside)
    }

    #[inline]
    fn commit_inside<'a>(&'a self, batch: Batch, inside: Inside<'a>) -> Op<'a, Committed> {
        if let Err(e) = self.check_open() {
            return Op::Ready(Err(e));
        }
        match self.store.commit(batch) {
            Op::Boxed(commit) => Op::boxed(async move {
                let _inside = inside;
                commit.await
            }),
            done => done,
        }
    }

    /// Commits a batch over states of which some are staged: everything staged goes first, and `uncache`
    /// (which forgets a cached record) runs before it is sent. With a marker it is sent again while its
    /// outcome is unknown. `check` is asked when nothing can replace the store's content any more: a marker names no
    /// state, and would be taken by any content. Runs to its end even if the caller goes away.
    pub(crate) async fn commit_in_order(
        self: &Arc<Self>,
        batch: Batch,
        check: impl Fn() -> Result<()> + Send + 'static,
        uncache: impl Fn(&Address) + Send + 'static,
    ) -> Result<Committed> {
        let runtime = self.clone();
        to_the_end(async move {
            let _closed = runtime.close_gate().await;
            runtime.check_open()?;
            check()?;
            runtime.flush().await?;
            let places: Vec<Address> = batch.mutations.iter().map(|m| m.at().clone()).collect();
            let Some(buffer) = &runtime.buffer else { return runtime.commit_again(batch).await };
            let unsettled = buffer.bypass(&runtime.stripes, &places, uncache);
            let outcome = runtime.commit_again(batch).await;
            let unknown = outcome.as_ref().is_err_and(is_unknown);
            if unknown {
                tracing::warn!(store = %runtime.name, records = places.len(), "a commit's outcome is unknown: what it would change is not cached until the store is recovered or opened again");
            }
            buffer.bypassed(&runtime.stripes, &places, (!unknown).then_some(unsettled));
            outcome
        })
        .await
    }

    /// Keeps writers out until the guard is dropped.
    pub(crate) async fn close_gate(&self) -> Closed<'_> {
        self.gate.close().await
    }

    /// Everything staged and committed before is as durable as the store promises.
    pub(crate) async fn finish(&self) -> Result<Durability> {
        self.check_open()?;
        self.flush().await?;
        self.store.finish().await
    }

    /// Removes a state: nobody writes meanwhile.
    pub(crate) async fn drop_state(&self, state: StateId) -> Result<()> {
        let _closed = self.close_gate().await;
        self.flush().await?;
        self.store.drop_state(state).await
    }

    /// Flushes and closes the store, to the end even if the caller goes away. The store is closed even if the
    /// flush fails.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<()> {
        let runtime = self.clone();
        to_the_end(async move {
            let _closed = runtime.close_gate().await;
            if runtime.closed.swap(true, Ordering::AcqRel) {
                return Ok(());
            }
            let finished = runtime.flush_and_finish().await;
            runtime.store.close().await?;
            finished
        })
        .await
    }

    /// As [`StoreRuntime::finish`], for the last time: what cannot be committed now is given up, and never committed.
    async fn flush_and_finish(&self) -> Result<()> {
        if let (Err(cause), Some(buffer)) = (self.flush().await, &self.buffer) {
            // The flusher may be trying again: that try is waited for, and finds no successor.
            let _flushing = self.flushing.lock().await;
            let (bytes, records) = self.staged();
            buffer.forget();
            if records > 0 {
                let message =
                    format!("closed with {records} staged writes ({bytes} bytes) that are lost: {}", cause.message());
                return Err(Error::new(cause.kind(), message)
                    .in_store(&self.name)
                    .advise("go back to the latest checkpoint; call `finish` before `close` to be able to try again")
                    .because(cause));
            }
        }
        self.store.finish().await.map(drop)
    }
}

impl Drop for StoreRuntime {
    fn drop(&mut self) {
        let (bytes, records) = self.staged();
        if records > 0 {
            tracing::warn!(store = %self.name, records, bytes, "staged writes are lost: the manager went without closing, or its last flush failed");
        }
        // The flusher finds the runtime gone and ends.
        self.wake.notify_one();
    }
}
