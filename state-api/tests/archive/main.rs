//! Archives, through their public face: on a test double of a store, on object stores that
//! fail when told to, and on files that were tampered with.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod crash;
mod double;
mod engines;
mod golden;
mod owners;
mod paused;
mod prune;
mod race;
mod recover;
mod share;
mod shelf;
mod support;
mod tamper;
mod unruly;
mod write;
