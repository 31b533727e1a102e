//! [`Gate`]: writers pass, until a cut closes it for a moment.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::{Mutex, MutexGuard, Notify};

/// The flags of a closed gate, above any number of writers.
const CLOSED: usize = To::Commit.flag() | To::Stage.flag();

/// What a writer comes in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// To change what the engine holds.
    Commit,
    /// To change what is staged, and nothing else.
    Stage,
}

impl To {
    /// Set while the gate is closed to such writers.
    const fn flag(self) -> usize {
        match self {
            Self::Commit => 1 << (usize::BITS - 1),
            Self::Stage => 1 << (usize::BITS - 2),
        }
    }
}

/// Lets any number of writers in, or one closer who waits for them to leave.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Writers inside, and the flags of those who may not come in.
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
    pub(crate) async fn enter(&self, to: To) -> Inside<'_> {
        loop {
            if let Some(inside) = self.try_enter(to) {
                return inside;
            }
            let opened = self.opened.notified();
            if self.state.load(SeqCst) & to.flag() != 0 {
                opened.await;
            }
        }
    }

    /// Goes in if the gate is open.
    #[inline]
    pub(crate) fn try_enter(&self, to: To) -> Option<Inside<'_>> {
        let before = self.state.fetch_add(1, SeqCst);
        let inside = Inside(self);
        (before & to.flag() == 0).then_some(inside)
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

impl Closed<'_> {
    /// Lets those in who stage; commits wait on.
    pub(crate) fn let_stage(&self) {
        self.open(To::Stage.flag());
    }

    fn open(&self, flags: usize) {
        self.0.state.fetch_and(!flags, SeqCst);
        self.0.opened.notify_waiters();
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
        self.open(CLOSED);
    }
}
