//! Our sides, and the raw drivers': each the life of a process that the bench started.

mod descriptor;
mod dry;
mod raw_memory;
mod raw_postgres;
mod raw_redis;
mod spi;
mod typed;

use std::process::ExitCode;

use statehold::{Error, Result};
use statehold_bench_kit::{case::Open, serve};

use crate::raw::RawRocks;

/// Set in a side's process: its name, and after `:` the engine's kind.
pub(crate) const SIDE: &str = "STATEHOLD_BENCH_SIDE";

/// The whole life of a side, if this process is one. A program that runs the bench calls this first of all.
#[must_use]
pub fn child() -> Option<ExitCode> {
    let side = std::env::var(SIDE).ok()?;
    // The bench tells what it hears no answer from.
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else {
        return Some(ExitCode::FAILURE);
    };
    let (side, kind) = side.split_once(':').unwrap_or((&side, ""));
    Some(runtime.block_on(async {
        match (side, kind) {
            ("typed", _) => serve(async |open: &Open| typed::Typed::open(open, false).await).await,
            ("direct", _) => serve(async |open: &Open| typed::Typed::open(open, true).await).await,
            ("spi", _) => serve(spi::Spi::open).await,
            ("dry", _) => serve(async |_: &Open| Ok(dry::Dry)).await,
            ("raw", "memory") => serve(async |_: &Open| Ok(raw_memory::RawMemory::default())).await,
            ("raw", "rocksdb") => serve(async |open: &Open| RawRocks::of(open)).await,
            ("raw", "redis") => serve(raw_redis::RawRedis::open).await,
            ("raw", "postgres") => serve(raw_postgres::RawPostgres::open).await,
            (side, kind) => serve(async |_: &Open| unknown(side, kind)).await,
        }
    }))
}

fn unknown(side: &str, kind: &str) -> Result<dry::Dry> {
    Err(Error::unsupported(format!("there is no `{side}` for {kind}")))
}

/// What raw drivers keep apart, by the numbers that our names and keys have.
#[derive(Clone, Copy)]
pub(crate) enum State {
    Values = 1,
    Maps = 2,
    Lists = 3,
    Counts = 4,
}

/// Key groups that a store of ours has by default; raw drivers spread their keys as evenly.
pub(crate) const GROUPS: u64 = 128;
/// What our envelope puts before each value.
const ENVELOPE: usize = 5;

/// The key group of a raw driver's key.
pub(crate) fn group_of(key: u64) -> u8 {
    (statehold_bench_kit::input::mix(key) % GROUPS) as u8
}

/// A raw driver's value, as long as ours.
pub(crate) fn raw_value(value: &[u8]) -> Vec<u8> {
    [&[0; ENVELOPE], value].concat()
}

/// What a raw value holds, which must be there.
pub(crate) fn payload<T: AsRef<[u8]>>(value: Option<&T>) -> Result<&[u8]> {
    value.and_then(|value| value.as_ref().get(ENVELOPE..)).ok_or_else(missing)
}

/// What was written is not there: whatever is slow, this is worse.
pub(crate) fn missing() -> Error {
    Error::corrupt("a record of the workload is missing")
}

/// The count that a raw value holds; 0 without one.
pub(crate) fn count_of(value: Option<&[u8]>) -> u64 {
    value.and_then(|value| value.get(ENVELOPE..)).map_or(0, statehold_bench_kit::op::head)
}
