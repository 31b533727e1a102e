//! What the sides of `statehold bench` share.
//!
//! A *side* is one way to one engine: statehold's typed states, its SPI, the raw driver, another library. Each side
//! is a process of its own, so that CPU time, memory and allocations are its own too, and a library that cannot be
//! linked beside statehold can be a side all the same. The bench drives its sides through pipes, a *turn* at a time:
//! so many operations of a workload's row, which every side makes for itself from the same seeds, outside the clock.
//!
//! A side implements [`Access`] and [`Client`], and calls [`serve`].

pub mod access;
pub mod case;
pub mod input;
pub mod meter;
pub mod op;
pub mod protocol;
mod serve;
mod turn;
pub mod workload;

pub use access::{Access, Client};
pub use op::Op;
pub use serve::{ask, serve};
