//! [`Memory`]: zeroes of a size that is known before.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// From here on memory comes from the system, page by page as it is written to.
const MAPPED: usize = 256 << 10;
/// From here on its pages are asked to be huge: few are then half empty.
#[cfg(target_os = "linux")]
const HUGE: usize = 2 << 20;

/// Zeroes, or nothing. A cache is read at random, and with an allocator's small pages half of what that costs is
/// finding the page.
pub(super) enum Memory {
    Allocated(Vec<u8>),
    Mapped(MmapMut),
}

impl Memory {
    /// `size` zeroes; nothing if the system has no more.
    pub(super) fn of(size: usize) -> Self {
        if size < MAPPED {
            return Self::Allocated(vec![0; size]);
        }
        let mapped = match MmapMut::map_anon(size) {
            Ok(mapped) => mapped,
            Err(e) => {
                tracing::debug!(size, "a cache goes without memory: {e}");
                return Self::default();
            }
        };
        #[cfg(target_os = "linux")]
        if size >= HUGE {
            // A system without huge pages gives small ones.
            let _ = mapped.advise(memmap2::Advice::HugePage);
        }
        Self::Mapped(mapped)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::Allocated(Vec::new())
    }
}

impl Deref for Memory {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Allocated(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

impl DerefMut for Memory {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Allocated(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}
