//! [`Reader`]: staged over committed rows, as one [`Reads`].

use statehold_core::{Address, Cell, Op, Page, Reads, ScanRequest, staged::Overlay};

use super::StoreRuntime;

/// Reads what this manager wrote, staged or committed.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub(super) &'a StoreRuntime);

impl<'s> Reader<'s> {
    /// The overlay, unless nothing is staged: then the store alone is as good.
    fn overlay(&self) -> Option<Overlay<'s>> {
        let runtime = self.0;
        let buffer = runtime.buffer.as_ref().filter(|b| b.records() > 0)?;
        Some(Overlay::new(buffer, &*runtime.store, runtime.store.now()))
    }
}

impl Reads for Reader<'_> {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        self.0.get(at)
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        match self.overlay() {
            Some(overlay) => Op::boxed(async move { overlay.get_many(at).finish().await }),
            None => self.0.store.get_many(at),
        }
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        match self.overlay() {
            Some(overlay) => Op::boxed(async move { overlay.scan(request).finish().await }),
            None => self.0.store.scan(request),
        }
    }
}
