//! Key groups: the fixed hash buckets of keys (contract NAME-3).

use std::{fmt, ops::Range};

use xxhash_rust::xxh3::xxh3_64;

use crate::{Error, Result};

/// The greatest number of key groups of a namespace.
pub const MAX_KEY_GROUPS: u16 = 32_768;

/// One bucket of keys: the unit of ownership, archive and rescale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGroup(pub u16);

impl KeyGroup {
    /// The group of an encoded key: XXH3-64 with seed 0, modulo the namespace's `key_groups`.
    ///
    /// The hash is part of the storage format and never changes; golden vectors
    /// pin it. Source: <https://github.com/Cyan4973/xxHash>.
    ///
    /// ```
    /// use statehold_core::KeyGroup;
    /// assert_eq!(KeyGroup::of(b"apple", 128), KeyGroup::of(b"apple", 128));
    /// ```
    #[inline]
    #[must_use]
    pub fn of(key: &[u8], key_groups: u16) -> Self {
        // The remainder is below `key_groups`, so it fits.
        Self((xxh3_64(key) % u64::from(key_groups.max(1))) as u16)
    }
}

impl fmt::Display for KeyGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A contiguous range of key groups out of a namespace's `total`.
///
/// ```
/// use statehold_core::{KeyGroup, KeyGroups};
/// let half = KeyGroups::new(0..64, 128)?;
/// assert!(half.contains(KeyGroup(63)) && !half.contains(KeyGroup(64)));
/// # Ok::<(), statehold_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyGroups {
    start: u16,
    end: u16,
    total: u16,
}

impl KeyGroups {
    /// The groups `range` of `total`.
    ///
    /// # Errors
    /// `InvalidInput` if the range is empty or reaches past `total`, or `total` is 0 or above 32,768.
    pub fn new(range: Range<u16>, total: u16) -> Result<Self> {
        if total == 0 || total > MAX_KEY_GROUPS {
            return Err(Error::invalid(format!("key_groups = {total} is out of range"))
                .advise(format!("choose 1 to {MAX_KEY_GROUPS}; 128 suits most namespaces")));
        }
        if range.start >= range.end || range.end > total {
            return Err(Error::invalid(format!("key groups {}..{} of {total}", range.start, range.end))
                .advise("give a range start..end with start < end <= key_groups"));
        }
        Ok(Self { start: range.start, end: range.end, total })
    }

    /// All groups of a namespace.
    ///
    /// # Errors
    /// As [`KeyGroups::new`].
    pub fn all(total: u16) -> Result<Self> {
        Self::new(0..total, total)
    }

    /// The namespace's number of groups.
    #[must_use]
    pub fn total(&self) -> u16 {
        self.total
    }

    /// The range owned.
    #[must_use]
    pub fn range(&self) -> Range<u16> {
        self.start..self.end
    }

    /// How many groups are in the range.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::from(self.end - self.start)
    }

    /// Whether `group` is in the range.
    #[inline]
    #[must_use]
    pub fn contains(&self, group: KeyGroup) -> bool {
        group.0 >= self.start && group.0 < self.end
    }

    /// Whether both ranges share a group.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The groups, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = KeyGroup> + use<> {
        self.range().map(KeyGroup)
    }
}

impl fmt::Display for KeyGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{} of {}", self.start, self.end, self.total)
    }
}
