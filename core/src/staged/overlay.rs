//! [`Overlay`]: staged rows over a store's reads, one point in time a call.

use futures::future::BoxFuture;

use super::Captured;
use crate::{Address, Cell, Millis, Op, Page, Reads, Result, ScanRequest};

/// So often a reader lets flushes overtake him before he holds them back.
const PATIENCE: u32 = 3;

/// Keeps flushes back while it lives.
pub type Hold<'a> = Box<dyn Send + 'a>;

/// The generations of a write buffer, newest first, as a reader needs them.
pub trait Layers: Send + Sync {
    /// What is staged for a record: `None` nothing, `Some(None)` a removal.
    fn look(&self, at: &Address) -> Option<Option<Cell>>;

    /// All staged rows that `request` could yield, at one instant.
    fn capture(&self, request: &ScanRequest) -> Captured;

    /// What is staged for each of `at`, at one instant.
    fn look_many(&self, at: &[Address]) -> Vec<Option<Option<Cell>>>;

    /// How often a generation was sealed, or a commit sent past the buffer. Sealed generations are captured
    /// whole and may be committed beneath a reader without his noticing; while this number stands still,
    /// nothing else can have been.
    fn seals(&self) -> u64;

    /// Waits until no commit to the store is under way; none begins while the answer lives.
    fn hold(&self) -> BoxFuture<'_, Hold<'_>>;
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

    /// Reads both sides with `read` until no flush came in between that only one of them saw.
    async fn at_one_instant<T, F: Future<Output = Result<T>>>(&self, read: impl Fn() -> F) -> Result<T> {
        for _ in 0..PATIENCE {
            let seals = self.layers.seals();
            let found = read().await?;
            if self.layers.seals() == seals {
                return Ok(found);
            }
        }
        let _held = self.layers.hold().await;
        read().await
    }

    async fn merge_many(&self, at: &[Address]) -> Result<Vec<Option<Cell>>> {
        let staged = self.layers.look_many(at);
        let missing: Vec<Address> =
            at.iter().zip(&staged).filter(|(_, s)| s.is_none()).map(|(a, _)| a.clone()).collect();
        let found = if missing.is_empty() { Vec::new() } else { self.base.get_many(&missing).finish().await? };
        let mut found = found.into_iter();
        let merged = staged.into_iter().map(|s| match s {
            Some(cell) => self.live(cell),
            None => found.next().flatten(),
        });
        Ok(merged.collect())
    }

    async fn merge_page(&self, request: &ScanRequest) -> Result<Page> {
        // Staged rows first: a flush between the two reads must not lose an entry.
        let captured = self.layers.capture(request);
        let page = match captured.remainder(request) {
            Some(request) => self.base.scan(&request).finish().await?,
            None => Page::default(),
        };
        Ok(captured.over(page, self.now, request.limit.rows))
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
        Op::boxed(self.at_one_instant(|| self.merge_many(at)))
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(self.at_one_instant(|| self.merge_page(request)))
    }
}
