//! [`StoreRuntime`]: reads through the buffer, stages or writes through, and knows whether it was fenced.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use statehold_core::{
    Address, Batch, Cell, Committed, Durability, Error, ErrorKind, Mutation, Reads as _, Resources, Result, StateId,
    Store, WriterId,
};
use tokio::sync::Notify;

use super::{
    Reader,
    buffer::{Stage, Staged, Stripes, WriteBuffer},
    flush::{self, FlushMetrics},
    gate::{Closed, Gate},
};

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
    /// Why the last flush failed, until the next is asked for.
    pub(super) failure: parking_lot::Mutex<Option<Arc<Error>>>,
    pub(super) writer: WriterId,
    pub(super) metrics: FlushMetrics,
    /// Raised when content is replaced: handles of before are fenced.
    epoch: AtomicU64,
    closed: AtomicBool,
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
        let runtime = Arc::new(Self {
            name: name.to_owned(),
            store,
            resources,
            buffer: (buffer_bytes > 0).then(|| WriteBuffer::new(buffer_bytes)),
            stripes: Stripes::new(),
            gate: Gate::default(),
            wake: Arc::default(),
            flushed: Notify::new(),
            failure: parking_lot::Mutex::new(None),
            writer,
            metrics: FlushMetrics::of(name),
            epoch: AtomicU64::new(0),
            closed: AtomicBool::new(false),
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
    pub(crate) fn stripe(&self, at: &Address) -> (&AtomicU64, u64) {
        let stripe = self.stripes.of(at);
        (stripe, stripe.load(Ordering::Acquire))
    }

    /// Runs `then` if nobody has written the record since `seen`, in step with writers.
    #[inline]
    pub(crate) fn if_unmoved(&self, seen: (&AtomicU64, u64), then: impl FnOnce()) {
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
    pub(crate) async fn get(&self, at: &Address) -> Result<Option<Cell>> {
        self.reader().get(at).finish().await
    }

    /// Staged over committed rows.
    #[inline]
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader(self)
    }

    /// Stages what `apply` sets, if no stripe of `seen` has moved; `false` if one has. Waits for room.
    ///
    /// # Errors
    /// `Internal` without a buffer; what keeps the flusher from making room.
    #[inline]
    pub(crate) async fn stage(
        &self,
        seen: &[(&AtomicU64, u64)],
        mut apply: impl FnMut(&mut Stage<'_>),
    ) -> Result<bool> {
        let Some(buffer) = &self.buffer else { return Err(Error::internal("staging without a buffer")) };
        loop {
            let outcome = {
                let _inside = match self.gate.try_enter() {
                    Some(inside) => inside,
                    None => self.gate.enter().await,
                };
                self.check_open()?;
                buffer.stage(&self.stripes, seen, &mut apply)
            };
            match outcome {
                Staged::Yes { sealed } => {
                    if sealed {
                        self.wake.notify_one();
                    }
                    return Ok(true);
                }
                Staged::Moved => return Ok(false),
                Staged::Full => self.wait_for_room().await?,
            }
        }
    }

    #[cold]
    async fn wait_for_room(&self) -> Result<()> {
        let Some(buffer) = &self.buffer else { return Ok(()) };
        self.wake.notify_one();
        self.wait(|| buffer.oldest().is_none()).await
    }

    /// Commits past the buffer: for stores and states that stage nothing.
    #[inline]
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Committed> {
        let _inside = match self.gate.try_enter() {
            Some(inside) => inside,
            None => self.gate.enter().await,
        };
        self.check_open()?;
        self.store.commit(batch).finish().await
    }

    /// Commits a batch over states of which some are staged: everything staged goes first, and `then`
    /// (which drops cached values) runs before anybody writes again. Runs to its end even if the
    /// caller goes away.
    pub(crate) async fn commit_in_order(
        self: &Arc<Self>,
        batch: Batch,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<Committed> {
        let runtime = self.clone();
        let task = tokio::spawn(async move {
            let _closed = runtime.close_gate().await;
            runtime.check_open()?;
            runtime.flush().await?;
            let written: Vec<Address> = batch.mutations.iter().map(|m| m.at().clone()).collect();
            let outcome = runtime.store.commit(batch).finish().await;
            if let Some(buffer) = &runtime.buffer {
                buffer.bypassed(&runtime.stripes, written.iter(), then);
            }
            outcome
        });
        task.await.map_err(|e| Error::internal("the commit's task ended early").because(e))?
    }

    /// Writes one record: staged where there is a buffer and `direct` is not asked for, else at once.
    /// `then` runs in step with the write.
    #[inline]
    pub(crate) async fn set(&self, at: Address, cell: Option<Cell>, direct: bool, then: impl FnOnce()) -> Result<()> {
        if direct || self.buffer.is_none() {
            let mutation = match cell {
                Some(cell) => Mutation::Put(at, cell),
                None => Mutation::Delete(at),
            };
            return self.commit(Batch { mutations: vec![mutation], ..Batch::default() }).await.map(drop);
        }
        let mut change = Some((at, cell, then));
        self.stage(&[], |stage| {
            if let Some((at, cell, then)) = change.take() {
                stage.set(at, cell);
                then();
            }
        })
        .await
        .map(drop)
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

    /// Flushes and closes the store. The store is closed even if the flush fails.
    pub(crate) async fn close(&self) -> Result<()> {
        let _closed = self.close_gate().await;
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let flushed = self.flush().await;
        let finished = if flushed.is_ok() { self.store.finish().await.map(drop) } else { Ok(()) };
        self.store.close().await?;
        flushed.and(finished)
    }
}

impl Drop for StoreRuntime {
    fn drop(&mut self) {
        let (bytes, records) = self.staged();
        if records > 0 {
            tracing::warn!(store = %self.name, records, bytes, "dropped without close: staged writes are lost");
        }
        // The flusher finds the runtime gone and ends.
        self.wake.notify_one();
    }
}
