//! Staged rows: what a write buffer holds, and how it lies over a store's reads.
//!
//! A [`Generation`] is filled, sealed and flushed as one commit; sealed ones stay readable until
//! that commit is known. [`Overlay`] lays all of them over a store, so that scans, lists, maps and
//! archives see staged rows without knowing of them.

mod captured;
mod cleared;
mod generation;
mod overlay;
mod subs;

#[cfg(test)]
mod tests;

pub use captured::Captured;
pub use cleared::Cleared;
pub use generation::Generation;
pub use overlay::{Hold, Layers, Overlay};
