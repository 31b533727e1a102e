//! `statehold-bench-peers`: other libraries as sides of `statehold bench`, a process of their own each. See the README.

mod client;
mod engine;
mod side;

use std::process::ExitCode;

/// As statehold's binaries have it, so that allocations and memory are counted alike.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    statehold_bench_kit::serve(side::Side::open).await
}
