//! The command as its users run it: the real binary, killed, stopped and misused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

mod bench;
mod commands;
mod common;
mod disk;
mod quickstart;
mod servers;
