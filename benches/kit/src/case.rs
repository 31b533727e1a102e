//! [`Case`]: a workload at one size; [`Place`]: where a side may work.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One workload at one size.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// Its name, e.g. `ycsb-a`.
    pub workload: String,
    /// Records.
    pub n: u64,
    /// Bytes of each value.
    pub value: usize,
    /// Tasks that work at the same time.
    pub tasks: usize,
    /// Whether the state is several times as large as the memory that the engine has.
    pub tight: bool,
}

/// Where a side may work: nothing else there is touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// An empty folder.
    pub dir: PathBuf,
    /// An unused name: letters, digits and `_`. It is to be a schema's, or to begin all keys.
    pub name: String,
    /// The server, for engines that have one.
    pub url: Option<String>,
}

/// What a side has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Which way to the engine: `typed`, `direct`, `spi`, `raw`, `dry`, `opendal`.
    pub side: String,
    /// The engine's kind, e.g. `rocksdb`.
    pub kind: String,
    /// The descriptor's file, and the store's name in it.
    pub config: PathBuf,
    /// The store's name in it.
    pub store: String,
    /// The level that is asked for, if the descriptor says: `visible`, `process` or `power`.
    pub durability: Option<String>,
    /// Bytes that the engine and everything before it may use together.
    pub memory: usize,
    /// Where to work.
    pub place: Place,
    /// What for.
    pub case: Case,
}
