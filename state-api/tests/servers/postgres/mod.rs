//! What only Postgres does.

mod faults;
mod open;
mod shared;
mod standby;
mod support;

pub(crate) use support::admin;
