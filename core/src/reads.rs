//! [`Reads`]: everything that is read, of a store, a snapshot or a buffer over them.

use std::ops::Bound;

use bytes::Bytes;

use crate::{Address, Cell, KeyGroup, Op, Position, Row, StateId};

/// How much one page may hold; whichever is reached first. At least one row is always yielded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit {
    /// Rows.
    pub rows: usize,
    /// Bytes of keys, subkeys and values.
    pub bytes: usize,
}

impl Default for PageLimit {
    fn default() -> Self {
        Self { rows: 1024, bytes: 1 << 20 }
    }
}

/// Which rows of a group a scan wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanRange {
    /// All rows of the state in the group.
    All,
    /// Rows whose key lies between the bounds.
    Keys(Bound<Bytes>, Bound<Bytes>),
    /// Rows of one key whose subkey lies between the bounds.
    Subs(Bytes, Bound<Bytes>, Bound<Bytes>),
}

fn between(x: &[u8], from: &Bound<Bytes>, to: &Bound<Bytes>) -> bool {
    (match from {
        Bound::Included(b) => x >= &b[..],
        Bound::Excluded(b) => x > &b[..],
        Bound::Unbounded => true,
    }) && (match to {
        Bound::Included(b) => x <= &b[..],
        Bound::Excluded(b) => x < &b[..],
        Bound::Unbounded => true,
    })
}

impl ScanRange {
    /// Whether a row belongs to the range.
    #[must_use]
    pub fn contains(&self, key: &[u8], sub: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Keys(from, to) => between(key, from, to),
            Self::Subs(of, from, to) => key == &of[..] && between(sub, from, to),
        }
    }
}

/// One page of one group, in (key, subkey) byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRequest {
    /// The state.
    pub state: StateId,
    /// The group.
    pub group: KeyGroup,
    /// Which rows.
    pub range: ScanRange,
    /// The last row of the page before, if any; the row itself need not exist any more.
    pub after: Option<Position>,
    /// How much at once.
    pub limit: PageLimit,
    /// The cells may come without their values: a hint, which an engine is free to ignore.
    pub keys_only: bool,
}

impl ScanRequest {
    /// The first page of all rows of `state` in `group`.
    #[must_use]
    pub fn all(state: StateId, group: KeyGroup) -> Self {
        Self { state, group, range: ScanRange::All, after: None, limit: PageLimit::default(), keys_only: false }
    }
}

/// What a scan yields: rows at one point in time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Live rows, ascending.
    pub rows: Vec<Row>,
    /// Where the next page begins; `None` when this was the last.
    pub next: Option<Position>,
}

/// Reading at the waist. One call is one point in time within the store's
/// [`AtomicScope`](crate::AtomicScope). Expired records are never shown (contract KV-6).
pub trait Reads: Send + Sync {
    /// The record at `at`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`, or what the engine fails with.
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>>;

    /// The records at all of `at`, in that order, duplicates included (contract KV-3).
    ///
    /// # Errors
    /// As [`Reads::get`].
    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>>;

    /// One page (contract KV-4). It may be empty although more follows (all it saw had
    /// expired), and `next` may be `Some` although nothing follows.
    ///
    /// # Errors
    /// As [`Reads::get`].
    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page>;
}

/// All rows that a scan yields from `request` on, held in memory at once: for a
/// key's map or list, and for tests. Whole states are scanned page by page.
///
/// # Errors
/// As [`Reads::scan`].
pub async fn collect(reads: &dyn Reads, mut request: ScanRequest) -> crate::Result<Vec<Row>> {
    let mut rows = Vec::new();
    loop {
        let page = reads.scan(&request).finish().await?;
        if rows.is_empty() {
            rows = page.rows;
        } else {
            rows.extend(page.rows);
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(rows),
        }
    }
}
