//! The documents are true: links lead somewhere, names exist, lists are complete.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod commands;
mod contract;
mod links;
mod matrix;
mod names;
mod pages;
