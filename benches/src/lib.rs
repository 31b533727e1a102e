//! `statehold bench`: engines, ways to them and rivals side by side, in one run.

pub mod report;
