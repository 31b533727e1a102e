//! What a manager promises for its stores, on every engine (contract NAME-1, LIFE, OWN-1, OWN-3, CAP-1).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod close;
mod copy;
mod cut;
mod descriptor;
mod drop;
mod fault;
mod narrow;
mod native;
mod owner;
mod recover;
mod registry;
mod start;
