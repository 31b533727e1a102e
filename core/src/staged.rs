//! Staged rows: what a write buffer holds, and how it lies over a store's reads.
//!
//! A [`Generation`] is filled, sealed and flushed as one commit; sealed ones stay readable until
//! that commit is known. [`Overlay`] lays all of them over a store, so that scans, lists, maps and
//! archives see staged rows without knowing of them.

mod generation;
mod overlay;

pub use generation::Generation;
pub use overlay::{Captured, Layers, Overlay};
