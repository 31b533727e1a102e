//! What a run measured: `report.json`, and everything that is told of it.

mod chart;
mod compare;
mod files;
mod html;
mod numbers;
mod ratios;
mod tables;
mod text;
pub mod units;

use serde::{Deserialize, Serialize};
use statehold_bench_kit::{case::Case, meter::Usage};

pub use compare::{Changed, Comparison, RowKey, Verdict, compare};
pub use ratios::Ratio;
pub(crate) use ratios::ratios;

/// The version of `report.json`. Fields may be added under the same number; none is removed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// One run of the bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of statehold.
    pub version: String,
    /// Seconds since 1970, when it ended.
    pub at: u64,
    /// Where it ran.
    pub machine: Machine,
    /// Repetitions of each row, each on a fresh store.
    pub repeat: usize,
    /// The stores, by the descriptor's names.
    pub stores: Vec<StoreInfo>,
    /// What was measured, in the order of workloads, rows, stores and sides.
    pub rows: Vec<Measured>,
    /// What was compared.
    pub ratios: Vec<Ratio>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

/// Where a run took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processors that the bench may use.
    pub processors: usize,
    /// Their model, if it can be told.
    pub model: Option<String>,
    /// Bytes of memory, if it can be told.
    pub memory: Option<u64>,
    /// Operating system and kernel.
    pub system: String,
}

/// A store of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreInfo {
    /// Its name in the descriptor.
    pub name: String,
    /// The kind of engine, e.g. `rocksdb`.
    pub kind: String,
    /// The engine and its version, if there is one behind it.
    pub engine: Option<String>,
    /// Where its data were: `a folder`, `a private server`, `the descriptor's server`, `memory`.
    pub place: String,
}

/// One row of one workload on one store by one side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The workload and its size.
    #[serde(flatten)]
    pub case: Case,
    /// The row, e.g. `value_get_zipf`.
    pub row: String,
    /// The store.
    pub store: String,
    /// The way to it: `typed` (as the descriptor says), `direct` (typed, without buffer and cache), `spi`, `raw`,
    /// `dry`, or a rival's name.
    pub side: String,
    /// What may be lost of what was written. Rows that differ in it are never compared.
    pub durability: String,
    /// How many things each repetition counted; none for a row that is one step, whose time is told.
    pub count: Option<u64>,
    /// Seconds of each repetition's row.
    pub seconds: Spread,
    /// How long single operations took; of fast ones every sixteenth was timed.
    pub latency: Latency,
    /// What the side's process used in all repetitions together; a server's own use is not in it.
    pub usage: Usage,
    /// Requests to the allocator per operation, of a tenth of the row that was done beforehand; jemalloc's count, the
    /// engine's own in this process included.
    pub allocations: Option<f64>,
    /// Operations in all repetitions together.
    pub operations: u64,
    /// What was read, as a sum; the same on all sides, or the run fails.
    pub checksum: u64,
}

impl Measured {
    /// Things a second, by the median.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        self.count.map(|count| count as f64 / self.seconds.median)
    }
}

/// Median and extremes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of `values`; zeros of none.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let at = |at: usize| values.get(at).copied().unwrap_or_default();
        let median =
            if values.len().is_multiple_of(2) && middle > 0 { (at(middle - 1) + at(middle)) / 2.0 } else { at(middle) };
        Self { median, min: at(0), max: at(values.len().saturating_sub(1)) }
    }
}

/// Quantiles, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the operations took no longer.
    pub p50: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p999: u64,
    /// The longest time between two looks at the clock: no operation took longer.
    pub longest: u64,
    /// Points of the curve: share of the operations, ascending from 0 to 1, and how long they took at most.
    pub curve: Vec<(f64, u64)>,
}

/// What was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The workload.
    pub workload: String,
    /// The row, or none for the whole workload.
    pub row: Option<String>,
    /// The store.
    pub store: String,
    /// The side.
    pub side: String,
    /// Why.
    pub reason: String,
}
