//! [`Stripes`]: by which read-modify-write and caches notice a write in between.

use std::{
    hash::{BuildHasher, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use statehold_core::Address;

const STRIPES: usize = 4096;
/// In a count: what is committed may change, and no write tells. Nobody caches it.
const UNSETTLED: u64 = 1 << 63;

/// A stripe, and its count when it was looked at.
pub(crate) type Seen<'a> = (&'a AtomicU64, u64);

/// Whether somebody has written since.
#[inline]
pub(super) fn moved(seen: &[Seen<'_>]) -> bool {
    seen.iter().any(|(stripe, count)| stripe.load(Ordering::Acquire) != *count)
}

/// Whether what was read since may be cached: it is the last word, and stays so until somebody writes.
#[inline]
pub(super) fn is_settled(seen: Seen<'_>) -> bool {
    seen.1 & UNSETTLED == 0 && !moved(&[seen])
}

/// Stripes whose records are not cached until they are settled.
#[must_use]
pub(crate) struct Unsettled<'a>(Vec<&'a AtomicU64>);

impl Unsettled<'_> {
    /// What is committed is known again.
    pub(crate) fn settle(self) {
        for stripe in self.0 {
            stripe.fetch_and(!UNSETTLED, Ordering::AcqRel);
        }
    }
}

/// Counts writes to records that share a stripe: a number that stood still means no write in between.
pub(crate) struct Stripes {
    counts: Box<[AtomicU64]>,
    hasher: foldhash::fast::FixedState,
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self {
            counts: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(),
            hasher: foldhash::fast::FixedState::default(),
        }
    }

    #[inline]
    pub(crate) fn of(&self, at: &Address) -> &AtomicU64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u32(at.state.0);
        // Without the subkey: clearing a key has to be seen by all of its entries.
        hasher.write(&at.key);
        let slot = hasher.finish() as usize % STRIPES;
        // The remainder is below the length.
        self.counts.get(slot).unwrap_or(&FALLBACK)
    }

    /// Moves the stripes of `places` and unsettles them; those are answered that were not unsettled before.
    pub(super) fn unsettle(&self, places: &[Address]) -> Unsettled<'_> {
        unsettle(places.iter().map(|at| self.of(at)))
    }

    /// As [`Stripes::unsettle`], of whatever there is.
    pub(super) fn unsettle_all(&self) -> Unsettled<'_> {
        unsettle(self.counts.iter())
    }

    /// The content is another: nothing is on its way to it.
    pub(super) fn settle_all(&self) {
        Unsettled(self.counts.iter().collect()).settle();
    }
}

fn unsettle<'a>(stripes: impl Iterator<Item = &'a AtomicU64>) -> Unsettled<'a> {
    let unsettle = |stripe: &&AtomicU64| {
        stripe.fetch_add(1, Ordering::AcqRel);
        stripe.fetch_or(UNSETTLED, Ordering::AcqRel) & UNSETTLED == 0
    };
    Unsettled(stripes.filter(unsettle).collect())
}

static FALLBACK: AtomicU64 = AtomicU64::new(0);
