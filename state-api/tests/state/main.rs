//! What typed states promise, on every engine (contract KV, LIST, MAP, BATCH, OWN-2, OWN-7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod batch;
mod cache;
mod concurrent;
mod expiring;
mod kv;
mod limit;
mod list;
mod map;
mod model;
mod polled;
mod scan;
mod schema;
mod source;
mod ttl;
