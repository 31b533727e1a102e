//! Time: the only module that reads the wall clock.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::Millis;

/// Where `now` comes from.
pub trait Clock: Send + Sync + Debug {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> Millis;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the clock module is where the wall clock is read")]
    fn now(&self) -> Millis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that stands until told: for tests of expiry.
///
/// ```
/// use statehold_core::{Clock, ManualClock, Millis};
/// let clock = ManualClock::new(Millis(1_000));
/// clock.advance(500);
/// assert_eq!(clock.now(), Millis(1_500));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub fn new(at: Millis) -> Self {
        Self(AtomicU64::new(at.0))
    }

    /// Sets it, backwards too.
    pub fn set(&self, at: Millis) {
        self.0.store(at.0, Ordering::SeqCst);
    }

    /// Moves it forward by `millis`.
    pub fn advance(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

/// A store's `now`, which never goes back (contract KV-6): the greatest of the
/// clock and of every floor it was raised to (last compaction, last cut).
#[derive(Debug)]
pub struct StoreClock {
    clock: std::sync::Arc<dyn Clock>,
    floor: AtomicU64,
}

impl StoreClock {
    /// A store's clock with the floor it persisted.
    #[must_use]
    pub fn new(clock: std::sync::Arc<dyn Clock>, floor: Millis) -> Self {
        Self { clock, floor: AtomicU64::new(floor.0) }
    }

    /// The time by which this store judges expiry.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now().max(Millis(self.floor.load(Ordering::Acquire)))
    }

    /// Raises the floor to `at`; lower values change nothing. The caller persists it.
    pub fn raise(&self, at: Millis) {
        self.floor.fetch_max(at.0, Ordering::AcqRel);
    }
}
