//! [`Stripes`]: by which read-modify-write and caches notice a write in between.

use std::{
    hash::{BuildHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use statehold_core::Address;

const STRIPES: usize = 4096;

/// A stripe, and its count when it was looked at.
pub(crate) type Seen<'a> = (&'a AtomicU64, u64);

/// Whether somebody has written since.
#[inline]
pub(super) fn moved(seen: &[Seen<'_>]) -> bool {
    seen.iter().any(|(stripe, count)| stripe.load(Ordering::Acquire) != *count)
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
        at.key.hash(&mut hasher);
        let slot = hasher.finish() as usize % STRIPES;
        // The remainder is below the length.
        self.counts.get(slot).unwrap_or(&FALLBACK)
    }
}

static FALLBACK: AtomicU64 = AtomicU64::new(0);
