//! What the bench and a side say to each other: JSON, a line each.

use serde::{Deserialize, Serialize};

use crate::{case::Open, meter::Usage};

/// What the bench asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// To open the store; the first of all.
    Open(Box<Open>),
    /// To do operations `from..to` of the case's row number `row`. Rows and their operations come in order.
    Turn {
        /// The row.
        row: usize,
        /// Its first operation.
        from: usize,
        /// Behind its last one.
        to: usize,
    },
    /// To close the store and end.
    Close,
}

/// What a side answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The store is open.
    Opened {
        /// What may be lost of what was written.
        durability: String,
        /// The engine and its version.
        engine: Option<String>,
    },
    /// The turn is done.
    Done(Box<Turned>),
    /// This side cannot do that; the next row may be another matter.
    Skipped(String),
    /// It failed, and the side ends.
    Failed(String),
    /// The store is closed.
    Closed,
}

/// What a turn took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turned {
    /// From its first operation to the end of its last, in nanoseconds.
    pub nanos: u64,
    /// The wrapping sum of what the operations answered.
    pub checksum: u64,
    /// How long operations took: nanoseconds, and how many of those that were timed took as long. Of fast ones
    /// one in 64 is timed, so that the clock is not what is measured.
    pub latency: Vec<(u64, u64)>,
    /// The longest time between two looks at the clock, in nanoseconds: no operation took longer.
    pub longest: u64,
    /// What the process used meanwhile.
    pub usage: Usage,
}
