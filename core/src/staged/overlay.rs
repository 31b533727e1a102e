//! [`Overlay`]: staged rows over a store's reads, one point in time a call.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::{Address, Cell, Millis, Op, Page, Position, Reads, Result, Row, ScanRequest};

/// The generations of a write buffer, newest first, as a reader needs them.
pub trait Layers: Send + Sync {
    /// What is staged for a record: `None` nothing, `Some(None)` a removal.
    fn look(&self, at: &Address) -> Option<Option<Cell>>;

    /// All staged rows that `request` could yield, at one instant.
    fn capture(&self, request: &ScanRequest) -> Captured;

    /// What is staged for each of `at`, at one instant.
    fn look_many(&self, at: &[Address]) -> Vec<Option<Option<Cell>>>;

    /// How many generations have been sealed. Sealed ones are captured whole and may be committed beneath
    /// a reader without his noticing; while this number stands still, nothing else can have been.
    fn seals(&self) -> u64;
}

/// Staged rows of one scan, folded: the newest word on each record.
#[derive(Debug, Default)]
pub struct Captured {
    rows: BTreeMap<(Bytes, Bytes), Option<Cell>>,
    cleared: BTreeSet<Bytes>,
}

impl Captured {
    /// A newer layer's word on a record.
    pub fn set(&mut self, key: &Bytes, sub: &Bytes, cell: Option<Cell>) {
        self.rows.insert((key.clone(), sub.clone()), cell);
    }

    /// A newer layer removes everything under a key.
    pub fn clear(&mut self, key: &Bytes) {
        let first = (key.clone(), Bytes::new());
        let gone: Vec<_> = self.rows.range(first..).map(|(at, _)| at).take_while(|at| at.0 == *key).cloned().collect();
        gone.iter().for_each(|at| drop(self.rows.remove(at)));
        self.cleared.insert(key.clone());
    }

    /// Whether nothing is staged for the scan.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.cleared.is_empty()
    }

    /// Lays the staged rows over the store's page.
    #[must_use]
    pub fn over(self, page: Page, now: Millis, limit: usize) -> Page {
        if self.is_empty() {
            return page;
        }
        let Page { rows: base, next: base_end } = page;
        let end = base_end.clone();
        let within = |at: &(Bytes, Bytes)| end.as_ref().is_none_or(|e| (&at.0, &at.1) <= (&e.key, &e.sub));
        let cleared = self.cleared;
        let mut below = base.into_iter().filter(|r| !cleared.contains(&r.key)).peekable();
        let mut rows = Vec::new();
        let mut staged = self.rows.into_iter().take_while(|(at, _)| within(at)).peekable();
        while rows.len() < limit {
            let below_first = match (below.peek(), staged.peek()) {
                (Some(row), Some(((key, sub), _))) => (&row.key, &row.sub) < (key, sub),
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return Page { rows, next: base_end },
            };
            if below_first {
                rows.extend(below.next());
            } else if let Some(((key, sub), cell)) = staged.next() {
                below.next_if(|row| row.key == key && row.sub == sub);
                if let Some(cell) = cell.filter(|c| c.is_live(now)) {
                    rows.push(Row { key, sub, cell });
                }
            }
        }
        // Full: whatever was not taken is read again by the next page.
        let more = below.peek().is_some() || staged.peek().is_some();
        let last = rows.last().map(|r| Position { key: r.key.clone(), sub: r.sub.clone() });
        Page { next: if more { last } else { base_end }, rows }
    }
}

/// Staged rows laid over what is committed. One call is one point in time.
pub struct Overlay<'a> {
    layers: &'a dyn Layers,
    base: &'a dyn Reads,
    now: Millis,
}

impl<'a> Overlay<'a> {
    /// `layers` over `base`, expiry judged at `now`.
    #[must_use]
    pub fn new(layers: &'a dyn Layers, base: &'a dyn Reads, now: Millis) -> Self {
        Self { layers, base, now }
    }

    fn live(&self, cell: Option<Cell>) -> Option<Cell> {
        cell.filter(|c| c.is_live(self.now))
    }

    async fn merge_many(&self, at: &[Address]) -> Result<Vec<Option<Cell>>> {
        loop {
            let seals = self.layers.seals();
            let staged = self.layers.look_many(at);
            let missing: Vec<Address> =
                at.iter().zip(&staged).filter(|(_, s)| s.is_none()).map(|(a, _)| a.clone()).collect();
            let found =
                if missing.is_empty() { Vec::new() } else { self.base.get_many(&missing).finish().await? };
            // Rows staged after the look and committed before the read would tear a batch.
            if missing.is_empty() || self.layers.seals() == seals {
                let mut found = found.into_iter();
                let merged = staged.into_iter().map(|s| match s {
                    Some(cell) => self.live(cell),
                    None => found.next().flatten(),
                });
                return Ok(merged.collect());
            }
        }
    }

    async fn merge_page(&self, request: &ScanRequest) -> Result<Page> {
        loop {
            let seals = self.layers.seals();
            // Staged rows first: a flush between the two reads must not lose an entry.
            let captured = self.layers.capture(request);
            let page = self.base.scan(request).finish().await?;
            if self.layers.seals() == seals {
                return Ok(captured.over(page, self.now, request.limit.rows));
            }
        }
    }
}

impl Reads for Overlay<'_> {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        match self.layers.look(at) {
            Some(cell) => Op::Ready(Ok(self.live(cell))),
            None => self.base.get(at),
        }
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::boxed(self.merge_many(at))
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(self.merge_page(request))
    }
}
