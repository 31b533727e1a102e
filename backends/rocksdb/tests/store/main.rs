//! What is RocksDB's own: directories, locks, damage, snapshots. The conformance suite tests the rest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

mod damage;
mod directory;
mod load;
mod native;
mod reopen;
mod snapshots;
mod support;
