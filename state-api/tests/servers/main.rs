//! The Postgres and Redis backends on private servers: what is refused, what is cut, killed, full or moved, and what
//! users of a manager see of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod cuts;
mod dropped;
mod faults;
mod frames;
mod histories;
mod increments;
mod limits;
mod managers;
mod pairs;
mod postgres;
mod proxy;
mod redis;
mod scans;
mod secrets;
mod server;
mod support;
mod too_old;
mod wire;
