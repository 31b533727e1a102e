//! [`Ratio`]: one side against another, in the same run.

use serde::{Deserialize, Serialize};
use statehold_bench_kit::case::Case;

use super::Measured;

/// How fast `side` was as a multiple of how fast `against` was, doing the same row with the same durability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The workload and its size.
    #[serde(flatten)]
    pub case: Case,
    /// The row.
    pub row: String,
    /// The store.
    pub store: String,
    /// Whose speed is told.
    pub side: String,
    /// Beside whose.
    pub against: String,
    /// What both may lose.
    pub durability: String,
    /// Speed over speed, of medians: above 1 is faster.
    pub ratio: f64,
    /// What it must reach, where there is a target.
    pub wanted: Option<f64>,
}

impl Ratio {
    /// Whether the target is reached; true without one.
    #[must_use]
    pub fn met(&self) -> bool {
        self.wanted.is_none_or(|wanted| self.ratio >= wanted)
    }
}

/// All pairs of ours and theirs.
pub(crate) fn ratios(rows: &[Measured], kind_of: impl Fn(&str) -> String) -> Vec<Ratio> {
    let mut found = Vec::new();
    for ours in rows.iter().filter(|row| matches!(&*row.side, "typed" | "direct" | "spi")) {
        let alike = |theirs: &&Measured| {
            !matches!(&*theirs.side, "typed" | "direct" | "spi" | "dry")
                && (&theirs.case, &theirs.row, &theirs.store) == (&ours.case, &ours.row, &ours.store)
                && theirs.durability == ours.durability
        };
        for theirs in rows.iter().filter(alike) {
            found.push(Ratio {
                case: ours.case.clone(),
                row: ours.row.clone(),
                store: ours.store.clone(),
                side: ours.side.clone(),
                against: theirs.side.clone(),
                durability: ours.durability.clone(),
                ratio: theirs.seconds.median / ours.seconds.median,
                wanted: wanted(&kind_of(&ours.store), ours, &theirs.side),
            });
        }
    }
    found
}

/// The targets, each for the side that it is about.
fn wanted(kind: &str, ours: &Measured, against: &str) -> Option<f64> {
    let many = ours.row.contains("_many_");
    let writes = ours.row.contains("put");
    match (&*ours.case.workload, &*ours.side, against) {
        // The framework's own cost, with nothing of its own before the engine.
        ("operations", "direct", "raw") => match kind {
            "rocksdb" => Some(if many { 0.95 } else { 0.85 }),
            "redis" => Some(if writes && !many { 0.85 } else { 0.9 }),
            "postgres" => Some(if many { 0.9 } else { 0.85 }),
            _ => None,
        },
        ("operations", "direct", "opendal") if many => Some(if kind == "rocksdb" { 2.0 } else { 10.0 }),
        ("operations", "direct", "opendal") => Some(1.0),
        _ => None,
    }
}
