//! The flusher: a task of each store that commits sealed generations, oldest first.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    time::Instant,
};

use futures::FutureExt;
use statehold_core::{
    AtomicScope, Batch, Committed, Error, ErrorKind, KeyGroup, Marker, Mutation, Result, staged::Generation,
};
use tokio::sync::Notify;

use super::StoreRuntime;

/// How often a commit with unknown or passing failure is sent again, under the same marker.
const TRIES: u32 = 4;

/// The last flush that failed.
#[derive(Default)]
pub(super) struct Failures {
    /// How many have failed, ever.
    count: u64,
    last: Option<Arc<Error>>,
}

/// What flushes report, under the names of `docs/src/metrics.md`.
pub(super) struct FlushMetrics {
    flushes: metrics::Counter,
    bytes: metrics::Counter,
    seconds: metrics::Histogram,
    failures: metrics::Counter,
}

impl FlushMetrics {
    pub(super) fn of(store: &str) -> Self {
        let store = store.to_owned();
        Self {
            flushes: metrics::counter!("statehold_flushes_total", "store" => store.clone()),
            bytes: metrics::counter!("statehold_flushed_bytes_total", "store" => store.clone()),
            seconds: metrics::histogram!("statehold_flush_seconds", "store" => store.clone()),
            failures: metrics::counter!("statehold_flush_failures_total", "store" => store),
        }
    }
}

/// Lives as long as the runtime.
pub(super) async fn run(runtime: Weak<StoreRuntime>, wake: Arc<Notify>) {
    loop {
        wake.notified().await;
        let Some(runtime) = runtime.upgrade() else { return };
        runtime.flush_sealed().await;
    }
}

fn by_group(mutations: Vec<Mutation>) -> Vec<Vec<Mutation>> {
    let mut parts: Vec<(KeyGroup, Vec<Mutation>)> = Vec::new();
    for mutation in mutations {
        let group = mutation.at().group;
        match parts.last_mut() {
            Some((last, part)) if *last == group => part.push(mutation),
            _ => parts.push((group, vec![mutation])),
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// Whether a commit that failed so may have happened, or may the next time.
pub(crate) fn is_unknown(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Indeterminate | ErrorKind::Timeout | ErrorKind::Unavailable)
}

impl StoreRuntime {
    async fn flush_sealed(&self) {
        let Some(buffer) = &self.buffer else { return };
        let _flushing = self.flushing.lock().await;
        while let Some((number, generation)) = buffer.oldest() {
            let begun = Instant::now();
            let bytes = generation.bytes();
            // A backend that panics must not leave those who wait for this flush waiting for ever.
            let outcome = AssertUnwindSafe(self.commit_generation(number, generation)).catch_unwind().await;
            match outcome.unwrap_or_else(|_| Err(Error::internal("the backend panicked during a commit"))) {
                Ok(()) => {
                    buffer.retire(number);
                    self.metrics.flushes.increment(1);
                    self.metrics.bytes.increment(bytes as u64);
                    self.metrics.seconds.record(begun.elapsed().as_secs_f64());
                    self.flushed.notify_waiters();
                }
                // Recovered over meanwhile: nobody wants these writes any more.
                Err(_) if !buffer.is_oldest(number) => {}
                Err(error) => {
                    tracing::error!(store = %self.name, %error, "a flush failed; its writes stay staged");
                    self.metrics.failures.increment(1);
                    {
                        let mut failures = self.failures.lock();
                        failures.count += 1;
                        failures.last = Some(Arc::new(error));
                    }
                    self.flushed.notify_waiters();
                    return;
                }
            }
        }
    }

    async fn commit_generation(&self, number: u64, generation: Arc<Generation>) -> Result<()> {
        // Sorting a full buffer takes milliseconds: not on an async thread.
        let mutations = self.resources.blocking(move || Ok(generation.mutations())).await?;
        let parts = match self.store.capabilities().scope {
            AtomicScope::Store => vec![mutations],
            AtomicScope::KeyGroup => by_group(mutations),
        };
        let marker = self.store.capabilities().markers.then_some(Marker {
            writer: self.writer,
            sequence: number,
            position: None,
        });
        for mutations in parts {
            let batch = Batch { marker: marker.clone(), conditions: Vec::new(), mutations };
            self.commit_again(batch).await?;
        }
        Ok(())
    }

    /// Commits, and sends again what may or may not have happened: the marker makes that harmless.
    pub(super) async fn commit_again(&self, mut batch: Batch) -> Result<Committed> {
        let tries = if batch.marker.is_some() { TRIES } else { 1 };
        for attempt in 1.. {
            let sent = if attempt < tries { batch.clone() } else { std::mem::take(&mut batch) };
            match self.commit_beneath(sent).await {
                Err(error) if attempt < tries && is_unknown(&error) => {
                    tokio::time::sleep(std::time::Duration::from_millis(20 << attempt)).await;
                }
                outcome => return outcome,
            }
        }
        Err(Error::internal("a commit was not tried"))
    }

    /// Commits while no reader holds commits back.
    pub(super) async fn commit_beneath(&self, batch: Batch) -> Result<Committed> {
        let _committing = match &self.buffer {
            Some(buffer) => Some(buffer.committing().await),
            None => None,
        };
        self.store.commit(batch).finish().await
    }

    /// Commits everything staged before this call.
    ///
    /// # Errors
    /// What the engine failed with; the writes stay staged and the next flush tries again.
    pub(crate) async fn flush(&self) -> Result<()> {
        let Some(buffer) = &self.buffer else { return Ok(()) };
        self.flush_up_to(buffer.seal_all()).await
    }

    /// Has the flusher try, and waits until generation `number` is committed or a try has failed.
    pub(super) async fn flush_up_to(&self, number: u64) -> Result<()> {
        let Some(buffer) = &self.buffer else { return Ok(()) };
        let before = self.failures.lock().count;
        self.wake.notify_one();
        loop {
            let flushed = self.flushed.notified();
            tokio::pin!(flushed);
            // Registered before the look, so that no flush in between is missed.
            flushed.as_mut().enable();
            if buffer.flushed() >= number {
                return Ok(());
            }
            let failed = {
                let failures = self.failures.lock();
                failures.last.clone().filter(|_| failures.count != before)
            };
            if let Some(cause) = failed {
                return Err(Error::new(
                    cause.kind(),
                    format!("staged writes could not be committed: {}", cause.message()),
                )
                .in_store(&self.name)
                .advise("nothing is lost: they stay staged and readable; mend the cause and call `finish` again")
                .because(cause));
            }
            flushed.await;
        }
    }
}
