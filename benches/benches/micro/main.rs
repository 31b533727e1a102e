//! Micro-benches of the rooms that every operation goes through: `make micro`.
//!
//! Each takes inputs as an application gives them, in an order that no processor foresees, and keeps making and
//! freeing them out of what is timed. Where a room is private it is reached through the lowest public door.
#![allow(clippy::unwrap_used, reason = "a bench whose set-up fails has nothing to measure")]

mod batch;
mod buffer;
mod cache;
mod envelope;
mod input;
mod keys;
mod manager;
mod overlay;
mod staged;

use std::time::Duration;

use criterion::Criterion;

/// That of the command and of the other benches.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    // Enough for a few percent; `MICRO="--measurement-time 5"` for less.
    let short = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    let mut criterion = short.configure_from_args();
    keys::benches(&mut criterion);
    envelope::benches(&mut criterion);
    staged::benches(&mut criterion);
    overlay::benches(&mut criterion);
    batch::benches(&mut criterion);
    buffer::benches(&mut criterion);
    cache::benches(&mut criterion);
    criterion.final_summary();
}
