//! Archives, through their public face: on a test double of a store, on object stores that
//! fail when told to, and on files that were tampered with.

mod crash;
mod golden;
mod race;
mod recover;
mod shelf;
mod support;
mod tamper;
mod unruly;
mod write;
