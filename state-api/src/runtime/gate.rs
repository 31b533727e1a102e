//! [`Gate`]: writers pass, until a cut closes it for a moment.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::{Mutex, MutexGuard, Notify};

/// The flag of a closed gate, above any number of writers.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// Lets any number of writers in, or one closer who waits for them to leave.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Writers inside, and [`CLOSED`].
    state: AtomicUsize,
    emptied: Notify,
    opened: Notify,
    closer: Mutex<()>,
}

/// A writer inside.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Gate);

/// The gate is closed and empty.
#[derive(Debug)]
pub(crate) struct Closed<'a>(&'a Gate, #[allow(dead_code, reason = "held, not read")] MutexGuard<'a, ()>);

impl Gate {
    /// Goes in, once the gate is open.
    pub(crate) async fn enter(&self) -> Inside<'_> {
        loop {
            if let Some(inside) = self.try_enter() {
                return inside;
            }
            let opened = self.opened.notified();
            if self.state.load(SeqCst) & CLOSED != 0 {
                opened.await;
            }
        }
    }

    /// Goes in if the gate is open.
    #[inline]
    pub(crate) fn try_enter(&self) -> Option<Inside<'_>> {
        let before = self.state.fetch_add(1, SeqCst);
        let inside = Inside(self);
        (before & CLOSED == 0).then_some(inside)
    }

    /// Closes the gate and waits for all inside to leave. Dropping the future opens it again.
    pub(crate) async fn close(&self) -> Closed<'_> {
        let guard = self.closer.lock().await;
        self.state.fetch_or(CLOSED, SeqCst);
        let closed = Closed(self, guard);
        loop {
            let emptied = self.emptied.notified();
            if self.state.load(SeqCst) == CLOSED {
                return closed;
            }
            emptied.await;
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.0.state.fetch_sub(1, SeqCst) == CLOSED + 1 {
            self.0.emptied.notify_waiters();
            self.0.emptied.notify_one();
        }
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!CLOSED, SeqCst);
        self.0.opened.notify_waiters();
    }
}
