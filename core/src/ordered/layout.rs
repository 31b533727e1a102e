//! Rows of a state as an engine's keys and values: part of the storage format.
//!
//! ```text
//! key    [group u16][table u32] then
//!        KV                      key
//!        list, map, fixed keys   key ‖ sub
//!        list, map, other keys   key with 00 -> 00 FF, then 00 01, then sub
//! value  [revision u64 if the state keeps them][expiry u64 if it has a TTL, u64::MAX = never] ‖ cell value
//! ```
//! A state's table is its number, unless a recover took over files in which its rows had another.
//! Numbers are big-endian, so that byte order is (group, table, key, sub) order.
//! A list element's sub is its ordinal (u64). A list with TTL has a head row with an
//! empty sub and an empty value, whose expiry is the list's.

use std::ops::{Bound, Deref};

use bytes::{Buf, Bytes};

use crate::{
    Cell, Error, KeyGroup, KeyShape, Millis, Model, Result, Revision, ScanRange, ScanRequest, StateId, StateSpec,
};

/// Bytes of group and table before the key.
pub(super) const PREFIX: usize = 6;

/// The number that the rows of a state carry. Ordered stores only: nobody outside sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Table(pub(super) u32);

impl Table {
    /// The table of a state whose rows were all written under its own number.
    pub(super) fn of(state: StateId) -> Self {
        Self(state.0)
    }
}

/// What rows a state can have, and under which number they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    rows: crate::Form,
    pub(super) table: Table,
}

impl Deref for Form {
    type Target = crate::Form;

    fn deref(&self) -> &crate::Form {
        &self.rows
    }
}

/// The smallest byte string above all that begin with `prefix`, in place.
fn successor(prefix: &mut Vec<u8>) {
    while let Some(last) = prefix.pop() {
        if last < u8::MAX {
            prefix.push(last + 1);
            return;
        }
    }
}

fn push_escaped(key: &[u8], out: &mut Vec<u8>) {
    for part in key.split_inclusive(|&b| b == 0) {
        out.extend_from_slice(part);
        if part.last() == Some(&0) {
            out.push(0xFF);
        }
    }
}

/// The first row of `table` in `group`; that of the next table is the end of this one.
pub(super) fn table_start(group: KeyGroup, table: Table) -> [u8; PREFIX] {
    let [a, b] = group.0.to_be_bytes();
    let [c, d, e, f] = table.0.to_be_bytes();
    [a, b, c, d, e, f]
}

/// Where the rows of a table end, exclusively.
pub(super) fn table_end(group: KeyGroup, table: Table) -> Vec<u8> {
    match table.0.checked_add(1) {
        Some(next) => table_start(group, Table(next)).to_vec(),
        // No store gives the greatest number, but a damaged catalog may.
        None => group_end(group),
    }
}

/// The end of all rows of a group, exclusively. Groups stay below 0xFFFF.
pub(super) fn group_end(group: KeyGroup) -> Vec<u8> {
    (group.0 + 1).to_be_bytes().to_vec()
}

impl Form {
    pub(super) fn of(id: StateId, table: Table, spec: &StateSpec) -> Self {
        Self { rows: crate::Form::of(id, spec), table }
    }

    #[inline]
    fn push_table(self, group: KeyGroup, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&table_start(group, self.table));
    }

    /// The row of (key, sub), in place of what `out` held.
    #[inline]
    pub(super) fn row(self, group: KeyGroup, key: &[u8], sub: &[u8], out: &mut Vec<u8>) {
        self.push_table(group, out);
        match (self.model, self.shape) {
            (Model::Kv, _) | (_, KeyShape::Fixed(_)) => out.extend_from_slice(key),
            (_, KeyShape::Variable) => {
                push_escaped(key, out);
                out.extend_from_slice(&[0, 1]);
            }
        }
        out.extend_from_slice(sub);
    }

    /// All rows in `group`: from, to.
    pub(super) fn whole(self, group: KeyGroup) -> (Vec<u8>, Vec<u8>) {
        let (mut from, mut to) = (Vec::new(), Vec::new());
        self.keys(group, &Bound::Unbounded, &Bound::Unbounded, &mut from, &mut to);
        (from, to)
    }

    /// The end of the rows of `key`, in place of what `out` held.
    pub(super) fn key_end(self, group: KeyGroup, key: &[u8], out: &mut Vec<u8>) {
        self.row(group, key, &[], out);
        if self.model == Model::Kv {
            out.push(0);
        } else {
            successor(out);
        }
    }

    /// Key and sub in the part of a row's key behind its prefix. `buffer` holds the key where
    /// the row has it escaped.
    pub(super) fn split<'a>(self, tail: &'a [u8], buffer: &'a mut Vec<u8>) -> Result<(&'a [u8], &'a [u8])> {
        match (self.model, self.shape) {
            (Model::Kv, _) => Ok((tail, &[])),
            (_, KeyShape::Fixed(n)) => {
                tail.split_at_checked(usize::from(n)).ok_or_else(|| self.damaged("row is too short"))
            }
            (_, KeyShape::Variable) => self.unescape(tail, buffer),
        }
    }

    fn unescape<'a>(self, tail: &'a [u8], buffer: &'a mut Vec<u8>) -> Result<(&'a [u8], &'a [u8])> {
        buffer.clear();
        let mut rest = tail;
        while let Some(zero) = rest.iter().position(|&b| b == 0) {
            match rest.get(zero + 1) {
                // Most keys have no zero in them.
                Some(1) if buffer.is_empty() => return Ok((&rest[..zero], &rest[zero + 2..])),
                Some(1) => {
                    buffer.extend_from_slice(&rest[..zero]);
                    return Ok((buffer, &rest[zero + 2..]));
                }
                Some(0xFF) => buffer.extend_from_slice(&rest[..=zero]),
                _ => break,
            }
            rest = &rest[zero + 2..];
        }
        Err(self.damaged("row's key has no end"))
    }

    #[cold]
    pub(super) fn damaged(self, what: &str) -> Error {
        Error::corrupt(format!("a {what} in state number {}", self.id.0))
            .advise("recover from a checkpoint; the disk or memory of this machine may be damaged")
    }

    /// Bytes before the cell's value.
    #[inline]
    pub(super) fn header(self) -> usize {
        8 * (usize::from(self.revisions) + usize::from(self.ttl))
    }

    /// A row's value, in place of what `out` held.
    pub(super) fn value(self, revision: Revision, cell: &Cell, out: &mut Vec<u8>) {
        out.clear();
        if self.revisions {
            out.extend_from_slice(&revision.0.to_be_bytes());
        }
        if self.ttl {
            out.extend_from_slice(&cell.expires_at.map_or(u64::MAX, |at| at.0).to_be_bytes());
        }
        out.extend_from_slice(&cell.value);
    }

    /// The cell's head in a row's value: revision and expiry.
    pub(super) fn read_header(self, mut raw: &[u8]) -> Result<(Revision, Option<Millis>)> {
        if raw.len() < self.header() {
            return Err(self.damaged("value is too short"));
        }
        let revision = if self.revisions { Revision(raw.get_u64()) } else { Revision::NONE };
        let expires_at = if self.ttl { Some(raw.get_u64()).filter(|&at| at != u64::MAX).map(Millis) } else { None };
        Ok((revision, expires_at))
    }

    /// The cell in a row's value.
    #[inline]
    pub(super) fn cell(self, mut raw: Bytes) -> Result<Cell> {
        let (revision, expires_at) = self.read_header(&raw)?;
        raw.advance(self.header());
        Ok(Cell { value: raw, revision, expires_at })
    }

    /// The rows of the request: `from <= row < to`.
    pub(super) fn bounds(self, request: &ScanRequest) -> Result<(Vec<u8>, Vec<u8>)> {
        let group = request.group;
        let (mut from, mut to) = (Vec::new(), Vec::new());
        match &request.range {
            ScanRange::All => (from, to) = self.whole(group),
            ScanRange::Keys(first, last) => self.keys(group, first, last, &mut from, &mut to),
            ScanRange::Subs(key, first, last) => {
                self.check_shape(key)?;
                if self.model == Model::Kv && !request.range.contains(key, &[]) {
                    return Ok((from, to));
                }
                self.subs(group, key, first, last, &mut from, &mut to);
            }
        }
        if let Some(after) = &request.after {
            self.check_shape(&after.key)?;
            if self.model == Model::Kv && !after.sub.is_empty() {
                return Err(
                    Error::invalid("a position in a KV state has a subkey").advise("pass the page's own `next`")
                );
            }
            let mut behind = Vec::new();
            self.row(group, &after.key, &after.sub, &mut behind);
            behind.push(0);
            from = from.max(behind);
        }
        Ok((from, to))
    }

    fn keys(self, group: KeyGroup, first: &Bound<Bytes>, last: &Bound<Bytes>, from: &mut Vec<u8>, to: &mut Vec<u8>) {
        match first {
            Bound::Included(key) => self.edge(group, key, false, from),
            Bound::Excluded(key) => self.edge(group, key, true, from),
            Bound::Unbounded => self.push_table(group, from),
        }
        match last {
            Bound::Included(key) => self.edge(group, key, true, to),
            Bound::Excluded(key) => self.edge(group, key, false, to),
            Bound::Unbounded => {
                self.push_table(group, to);
                successor(to);
            }
        }
    }

    fn subs(
        self,
        group: KeyGroup,
        key: &[u8],
        first: &Bound<Bytes>,
        last: &Bound<Bytes>,
        from: &mut Vec<u8>,
        to: &mut Vec<u8>,
    ) {
        // In a KV state the bounds admit the empty sub, or `bounds` has answered already.
        let row = |sub: &[u8], behind: bool, out: &mut Vec<u8>| {
            self.row(group, key, if self.model == Model::Kv { &[] } else { sub }, out);
            if behind {
                out.push(0);
            }
        };
        match first {
            Bound::Included(sub) => row(sub, false, from),
            Bound::Excluded(sub) => row(sub, true, from),
            Bound::Unbounded => row(&[], false, from),
        }
        match last {
            Bound::Included(sub) => row(sub, true, to),
            Bound::Excluded(sub) if self.model != Model::Kv => row(sub, false, to),
            Bound::Excluded(_) | Bound::Unbounded => self.key_end(group, key, to),
        }
    }

    /// The place before the rows of the keys from `bound` on, or of those above it. A bound
    /// need not be a whole key.
    fn edge(self, group: KeyGroup, bound: &[u8], above: bool, out: &mut Vec<u8>) {
        self.push_table(group, out);
        match (self.model, self.shape) {
            (Model::Kv, _) => {
                out.extend_from_slice(bound);
                if above {
                    out.push(0);
                }
            }
            (_, KeyShape::Fixed(n)) => {
                let n = usize::from(n);
                out.extend_from_slice(&bound[..bound.len().min(n)]);
                // A longer bound lies above the key that is its beginning.
                if bound.len() > n || (bound.len() == n && above) {
                    successor(out);
                }
            }
            (_, KeyShape::Variable) => {
                push_escaped(bound, out);
                if above {
                    out.extend_from_slice(&[0, 2]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
