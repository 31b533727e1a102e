//! What only Redis does.

mod cluster;
mod faults;
mod opening;
mod security;
mod support;

pub(crate) use support::{admin, info};
