//! [`Barrier`]: a store while a cut of it is taken.

use statehold_core::Result;

use super::{StoreRuntime, gate::Closed};

/// Divides the writes of a store into those that a cut has, and those that come behind it: they are staged meanwhile,
/// and committed once this is dropped. Commits past the buffer wait as long.
pub(crate) struct Barrier<'a> {
    runtime: &'a StoreRuntime,
    closed: Closed<'a>,
    /// The last generation before it.
    last: u64,
}

impl StoreRuntime {
    /// Closes the gate, waits for those inside to leave, and seals what is staged. Nobody writes before
    /// [`Barrier::let_stage`].
    pub(crate) async fn barrier(&self) -> Barrier<'_> {
        let closed = self.close_gate().await;
        let last = self.buffer.as_ref().map_or(0, super::buffer::WriteBuffer::divide);
        Barrier { runtime: self, closed, last }
    }
}

impl Barrier<'_> {
    /// Lets writers stage behind the barrier, if the store has a buffer: to be called when all stores of the cut
    /// have theirs.
    pub(crate) fn let_stage(&self) {
        if self.runtime.is_buffered() {
            self.closed.let_stage();
        }
    }

    /// Commits everything staged before the barrier.
    ///
    /// # Errors
    /// As [`StoreRuntime::flush`].
    pub(crate) async fn flush(&self) -> Result<()> {
        self.runtime.check_open()?;
        self.runtime.flush_up_to(self.last).await
    }
}

impl Drop for Barrier<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = &self.runtime.buffer {
            buffer.join();
            // What was sealed behind the barrier has waited for this.
            self.runtime.wake.notify_one();
        }
    }
}
