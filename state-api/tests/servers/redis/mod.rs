//! What only Redis does.

mod cluster;
mod cuts;
mod faults;
mod opening;
mod refusals;
mod security;
mod support;

pub(crate) use support::{admin, info};
