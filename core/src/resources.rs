//! [`Resources`]: what all stores of a process share.

use std::{any::Any, fmt::Debug, sync::Arc};

use futures::channel::oneshot;

use crate::{Clock, Error, Result, SystemClock};

/// A bounded pool of threads for work that blocks: disk reads that miss the
/// cache, fsync, scans, compaction.
pub trait BlockingPool: Send + Sync + Debug {
    /// Runs `job` on some thread of the pool, soon.
    fn spawn(&self, job: Box<dyn FnOnce() + Send>);
}

/// Runs each job at once, on the caller's thread: for engines that never block.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inline;

impl BlockingPool for Inline {
    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }
}

/// A cache, budget or pool of an engine, shared by all its stores in a process.
/// Made by the first store that asks, kept as long as the resources live.
type Shared = parking_lot::Mutex<Vec<Arc<dyn Any + Send + Sync>>>;

/// What all stores of a process share: threads, clock, memory, engine caches.
#[derive(Clone)]
pub struct Resources {
    /// Threads for work that blocks.
    pub pool: Arc<dyn BlockingPool>,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// Bytes that the engines of this process may use for caches and write buffers together.
    pub memory: usize,
    shared: Arc<Shared>,
}

impl Debug for Resources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resources").field("clock", &self.clock).field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl Resources {
    /// Engine memory unless the descriptor says otherwise: 256 MiB.
    pub const DEFAULT_MEMORY: usize = 256 << 20;

    /// Resources with the machine's clock.
    #[must_use]
    pub fn new(pool: Arc<dyn BlockingPool>) -> Self {
        Self { pool, clock: Arc::new(SystemClock), memory: Self::DEFAULT_MEMORY, shared: Arc::default() }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same with another memory budget, in bytes.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// The engine's shared thing of type `T`, made by the first who asks.
    ///
    /// # Errors
    /// What `make` failed with.
    pub fn shared<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> Result<T>) -> Result<Arc<T>> {
        let mut shared = self.shared.lock();
        if let Some(found) = shared.iter().find_map(|any| any.clone().downcast::<T>().ok()) {
            return Ok(found);
        }
        let made = Arc::new(make(self)?);
        shared.push(made.clone());
        Ok(made)
    }

    /// Begins `work` on the pool at once; the future waits for its end. Dropping it does not stop the work.
    ///
    /// # Errors
    /// What `work` failed with; `Unavailable` if the pool is shutting down, `Internal` if `work` panicked.
    pub fn blocking<T: Send + 'static, W: FnOnce() -> Result<T> + Send + 'static>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W> {
        let (done, outcome) = oneshot::channel();
        self.pool.spawn(Box::new(move || {
            // The receiver is gone when the caller dropped its future: the work still counts.
            let _ = done.send(work());
        }));
        async move {
            outcome.await.map_err(|_| {
                Error::new(crate::ErrorKind::Unavailable, "blocking work ended without an answer")
                    .advise("the runtime is shutting down, or the work panicked: see the log")
            })?
        }
    }
}
