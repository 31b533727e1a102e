//! [`Captured`]: the staged rows of one page, and how they lie over the store's.

use std::{borrow::Cow, collections::BTreeMap, ops::Bound};

use bytes::Bytes;

use super::Cleared;
use crate::{Cell, Millis, Page, Position, Row, ScanRange, ScanRequest};

/// Staged rows of one scan, folded: the newest word on each record.
#[derive(Debug, Default)]
pub struct Captured {
    rows: BTreeMap<Position, Option<Cell>>,
    cleared: BTreeMap<Bytes, Cleared>,
    /// Staged rows behind it were left out: a page ends here.
    end: Option<Position>,
}

/// The nearer of two ends, where `None` is no end at all.
fn nearer(a: Option<Position>, b: Option<Position>) -> Option<Position> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl Captured {
    /// A newer layer's word on a record.
    pub fn set(&mut self, key: &Bytes, sub: &Bytes, cell: Option<Cell>) {
        self.rows.insert(Position { key: key.clone(), sub: sub.clone() }, cell);
    }

    /// A newer layer removes what lies under a key.
    pub fn clear(&mut self, key: &Bytes, cleared: &Cleared) {
        let first = Position { key: key.clone(), sub: Bytes::new() };
        let gone = |at: &&Position| at.key == *key && cleared.covers(&at.sub);
        let gone: Vec<Position> = self.rows.range(first..).map(|(at, _)| at).take_while(gone).cloned().collect();
        gone.iter().for_each(|at| drop(self.rows.remove(at)));
        let known = self.cleared.entry(key.clone()).or_insert_with(|| cleared.clone());
        if *known < *cleared {
            known.clone_from(cleared);
        }
    }

    /// A layer has more rows behind `at`.
    pub fn end_at(&mut self, at: Position) {
        self.end = nearer(self.end.take(), Some(at));
    }

    /// Whether nothing is staged for the scan.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.cleared.is_empty()
    }

    /// What is left to ask the store for; staged removals may have made that less than `request`, or nothing.
    pub(super) fn remainder<'r>(&self, request: &'r ScanRequest) -> Option<Cow<'r, ScanRequest>> {
        let ScanRange::Subs(key, from, to) = &request.range else { return Some(Cow::Borrowed(request)) };
        let until = match self.cleared.get(key) {
            None => return Some(Cow::Borrowed(request)),
            Some(Cleared::All) => return None,
            Some(Cleared::Below(until)) => until,
        };
        match from {
            Bound::Included(from) | Bound::Excluded(from) if from >= until => Some(Cow::Borrowed(request)),
            _ => {
                let range = ScanRange::Subs(key.clone(), Bound::Included(until.clone()), to.clone());
                Some(Cow::Owned(ScanRequest { range, ..request.clone() }))
            }
        }
    }

    /// Lays the staged rows over the store's page; at most `limit` rows, or one.
    #[must_use]
    pub fn over(self, page: Page, now: Millis, limit: usize) -> Page {
        if self.is_empty() {
            return page;
        }
        let cleared = self.cleared;
        // Neither side is known behind its end.
        let end = nearer(page.next, self.end);
        let within = |key: &Bytes, sub: &Bytes| end.as_ref().is_none_or(|e| (key, sub) <= (&e.key, &e.sub));
        let lies_bare = |row: &Row| cleared.get(&row.key).is_none_or(|c| !c.covers(&row.sub));
        let most = limit.max(1).min(page.rows.len() + self.rows.len());
        let below = page.rows.into_iter().take_while(|row| within(&row.key, &row.sub));
        let mut below = below.filter(lies_bare).peekable();
        let mut staged = self.rows.into_iter().take_while(|(at, _)| within(&at.key, &at.sub)).peekable();
        let mut rows = Vec::with_capacity(most);
        while rows.len() < limit.max(1) {
            let below_first = match (below.peek(), staged.peek()) {
                (Some(row), Some((at, _))) => (&row.key, &row.sub) < (&at.key, &at.sub),
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return Page { rows, next: end },
            };
            if below_first {
                rows.extend(below.next());
            } else if let Some((at, cell)) = staged.next() {
                below.next_if(|row| row.key == at.key && row.sub == at.sub);
                if let Some(cell) = cell.filter(|c| c.is_live(now)) {
                    rows.push(Row { key: at.key, sub: at.sub, cell });
                }
            }
        }
        // Full: whatever was not taken is read again by the next page.
        let more = below.peek().is_some() || staged.peek().is_some();
        let last = rows.last().map(|r| Position { key: r.key.clone(), sub: r.sub.clone() });
        Page { next: if more { last } else { end }, rows }
    }
}
