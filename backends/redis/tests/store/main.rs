//! The Redis backend against private servers: what is refused at open, what survives, what is told of faults.

mod faults;
mod opening;
mod security;
mod support;
