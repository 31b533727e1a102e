//! `statehold bench`: engines, ways to them and rivals side by side, in one run.
//!
//! [`Bench`] plans and measures, [`report`] tells. Each way to an engine, a *side*, is a process of its own: see
//! [`statehold_bench_kit`], whose workloads they do in turns.

mod place;
mod process;
pub mod raw;
pub mod report;
mod run;
mod sides;

pub use run::{Against, Bench};
pub use sides::child;
