//! What only Redis does.

mod cluster;
mod faults;
mod opening;
mod refusals;
mod security;
mod support;

pub(crate) use support::{admin, info};
