//! The Postgres backend against servers that fail, refuse and restart.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod dropped;
mod faults;
mod open;
mod proxy;
mod shared;
mod support;
