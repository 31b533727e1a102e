//! Rows of the waist: where a record is and what it holds.

use bytes::Bytes;

use crate::KeyGroup;

/// A state's number within one store, given by [`Store::register`](crate::Store::register) and never
/// given again: after drop or recover the old number is `Fenced`. Meaningless in any other store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId(pub u32);

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

/// Where a record is: one row of a state.
///
/// Field order is sort order: batches are applied in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The key's group; computed in core, never by a backend.
    pub group: KeyGroup,
    /// The state.
    pub state: StateId,
    /// The encoded key, never empty.
    pub key: Bytes,
    /// Empty for KV, the subkey of a map, the ordinal of a list's element.
    pub sub: Bytes,
}

/// Which state of a record this is (contract KV-5): compared, never computed with.
///
/// The upper 24 bits are the store's incarnation, the lower 40 a sequence per
/// key group. [`Revision::NONE`] where the state keeps none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// No revision: the state does not keep any.
    pub const NONE: Self = Self(0);
    /// Bits of the per-group sequence.
    pub const SEQUENCE_BITS: u32 = 40;

    /// Joins an incarnation and a sequence.
    #[must_use]
    pub fn new(incarnation: u32, sequence: u64) -> Self {
        Self((u64::from(incarnation) << Self::SEQUENCE_BITS) | (sequence & ((1 << Self::SEQUENCE_BITS) - 1)))
    }
}

/// What a record holds. A backend never looks into `value`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// Envelope and payload, as made by [`Envelope`](crate::Envelope).
    pub value: Bytes,
    /// Set by the engine when it commits; ignored in a mutation, kept by a loader.
    pub revision: Revision,
    /// From this instant on the record is not there (contract KV-6).
    pub expires_at: Option<Millis>,
}

impl Cell {
    /// A cell without expiry.
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }

    /// Whether the record is still there at `now`: expiry is inclusive.
    #[inline]
    #[must_use]
    pub fn is_live(&self, now: Millis) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

/// One record with its place within a state and group, as scans yield it.
///
/// Rows of one page may share memory: copy what is kept for long out of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The encoded key.
    pub key: Bytes,
    /// The subkey, ordinal, or nothing.
    pub sub: Bytes,
    /// What it holds.
    pub cell: Cell,
}

/// A place in a scan: the last row seen. The next page begins strictly behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The encoded key.
    pub key: Bytes,
    /// The subkey, ordinal, or nothing.
    pub sub: Bytes,
}
