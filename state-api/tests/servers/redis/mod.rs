//! What only Redis does.

mod cluster;
mod cuts;
mod faults;
mod needs_root;
mod opening;
mod refusals;
mod security;
mod support;

pub(crate) use support::{admin, info};
