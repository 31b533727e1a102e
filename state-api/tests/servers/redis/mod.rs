//! What only Redis does.

mod cluster;
mod cuts;
mod disk;
mod faults;
mod opening;
mod refusals;
mod security;
mod support;
mod vanished;

pub(crate) use support::{admin, info};
