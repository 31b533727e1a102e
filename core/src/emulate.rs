//! Lists and maps as rows: what the framework gives over any engine (contract MAP-3).
//!
//! A map's entry is the row (key, subkey). A list's element is the row (key, ordinal): ordinals are
//! 8 bytes big-endian, ascending but with gaps. The row (key, nothing) of a list that may expire is its
//! head and no element.

use std::ops::Bound;

use bytes::Bytes;

use crate::{Cell, KeyGroup, PageLimit, Position, Reads, Result, Row, ScanRange, ScanRequest, StateId, collect};

/// The subkey of the element with this ordinal.
#[must_use]
pub fn ordinal_sub(ordinal: u64) -> Bytes {
    Bytes::copy_from_slice(&ordinal.to_be_bytes())
}

/// The bound behind an element: as a subkey, greater than this one and no other element's below it.
#[must_use]
pub fn behind_ordinal(sub: &Bytes) -> Bytes {
    let ordinal = <[u8; 8]>::try_from(&sub[..]).map_or(u64::MAX, u64::from_be_bytes);
    ordinal_sub(ordinal.saturating_add(1))
}

/// One page, however much it is: for what is held in memory as a whole anyway.
const WHOLE: PageLimit = PageLimit { rows: usize::MAX, bytes: usize::MAX };

/// Reads the rows of one key.
#[derive(Clone, Copy)]
pub struct KeyRows<'a> {
    reads: &'a dyn Reads,
    state: StateId,
    group: KeyGroup,
    key: &'a Bytes,
}

impl std::fmt::Debug for KeyRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRows").field("state", &self.state).field("group", &self.group).finish_non_exhaustive()
    }
}

impl<'a> KeyRows<'a> {
    /// The rows of `key` as `reads` shows them.
    #[must_use]
    pub fn new(reads: &'a dyn Reads, state: StateId, group: KeyGroup, key: &'a Bytes) -> Self {
        Self { reads, state, group, key }
    }

    fn request(&self, from: Bound<Bytes>, to: Bound<Bytes>, limit: PageLimit) -> ScanRequest {
        ScanRequest {
            state: self.state,
            group: self.group,
            range: ScanRange::Subs(self.key.clone(), from, to),
            after: None,
            limit,
            keys_only: false,
        }
    }

    /// All rows whose subkey lies between the bounds, ascending; held in memory at once, and one point in time.
    ///
    /// # Errors
    /// As [`Reads::scan`].
    pub async fn between(&self, from: Bound<Bytes>, to: Bound<Bytes>) -> Result<Vec<Row>> {
        collect(self.reads, self.request(from, to, WHOLE)).await
    }

    /// One page of rows behind `after`, and where the next begins.
    ///
    /// # Errors
    /// As [`Reads::scan`].
    pub async fn page(&self, after: Option<Bytes>, limit: PageLimit) -> Result<(Vec<Row>, Option<Bytes>)> {
        let mut request = self.request(Bound::Unbounded, Bound::Unbounded, limit);
        request.after = after.map(|sub| Position { key: self.key.clone(), sub });
        let page = self.reads.scan(&request).finish().await?;
        Ok((page.rows, page.next.map(|n| n.sub)))
    }

    /// Calls `visit` for each list element with its index, until it answers `false`.
    async fn elements(&self, limit: PageLimit, mut visit: impl FnMut(u64, Row) -> bool + Send) -> Result<u64> {
        let mut request = self.request(Bound::Unbounded, Bound::Unbounded, limit);
        let mut index = 0;
        loop {
            let page = self.reads.scan(&request).finish().await?;
            for row in page.rows {
                if row.sub.is_empty() {
                    continue;
                }
                if !visit(index, row) {
                    return Ok(index + 1);
                }
                index += 1;
            }
            match page.next {
                Some(next) => request.after = Some(next),
                None => return Ok(index),
            }
        }
    }

    /// How many elements the list has: a scan of it, page by page.
    ///
    /// # Errors
    /// As [`Reads::scan`].
    pub async fn len(&self) -> Result<u64> {
        self.elements(PageLimit::default(), |_, _| true).await
    }

    /// Whether the key has no row.
    ///
    /// # Errors
    /// As [`Reads::scan`].
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.first(1).await?.is_empty())
    }

    /// The list's elements from index `from` on, at most `count`; from the first on they are one point in time.
    ///
    /// # Errors
    /// As [`Reads::scan`].
    pub async fn range(&self, from: u64, count: u64) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        if count == 0 {
            return Ok(rows);
        }
        let wanted = usize::try_from(from.saturating_add(count).saturating_add(1)).unwrap_or(usize::MAX);
        let limit = if from == 0 {
            PageLimit { rows: wanted, ..WHOLE }
        } else {
            // Those before it are walked over, not held.
            PageLimit { rows: wanted.min(PageLimit::default().rows), ..PageLimit::default() }
        };
        let end = from.saturating_add(count);
        self.elements(limit, |index, row| {
            if index >= from {
                rows.push(row);
            }
            index + 1 < end
        })
        .await?;
        Ok(rows)
    }

    /// The list's first `count` elements.
    ///
    /// # Errors
    /// As [`Reads::scan`].
    pub async fn first(&self, count: u64) -> Result<Vec<Row>> {
        self.range(0, count).await
    }
}

/// The cells of rows.
#[must_use]
pub fn cells(rows: Vec<Row>) -> Vec<Cell> {
    rows.into_iter().map(|r| r.cell).collect()
}
