//! [`Driver`]: one way to the engine, as the workload asks it.

use bytes::Bytes;
use statehold::Result;

/// Records in one call of the rows that have many.
pub(crate) const BATCH: usize = 100;
/// Entries of one map.
pub(crate) const SUBS: u64 = 100;
/// Key groups that a store of ours has by default.
const GROUPS: u64 = 128;
/// What our envelope puts before each value.
const ENVELOPE: usize = 5;

/// One client, one call after the other.
pub(crate) trait Driver {
    async fn put(&mut self, key: u64, value: Bytes) -> Result<()>;
    async fn get(&mut self, key: u64) -> Result<()>;
    async fn put_entry(&mut self, key: u64, sub: u64, value: Bytes) -> Result<()>;
    async fn get_entry(&mut self, key: u64, sub: u64) -> Result<()>;
    /// All or nothing.
    async fn put_many(&mut self, rows: Vec<(u64, Bytes)>) -> Result<()>;
    async fn get_many(&mut self, keys: &[u64]) -> Result<()>;
}

/// The key group of a raw driver's key: as many as ours, spread as evenly.
pub(crate) fn group_of(key: u64) -> u8 {
    (statehold_bench_kit::input::mix(key) % GROUPS) as u8
}

/// A raw driver's value, as long as ours.
pub(crate) fn raw_value(value: &Bytes) -> Vec<u8> {
    [&[0; ENVELOPE], &value[..]].concat()
}
