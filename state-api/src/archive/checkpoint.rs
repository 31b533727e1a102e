//! What a checkpoint is called and what is told about it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use statehold_core::{Error, Result, StateSpec};

use super::{Metadata, part::Groups};

/// A checkpoint's number, chosen by whoever takes it; any order will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckpointId(pub u64);

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a checkpoint's content is kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CheckpointForm {
    /// Rows in Parquet files: any engine takes them, and other tools read them. What is unchanged is not stored
    /// again, and is read all the same.
    #[default]
    Portable,
    /// The engine's own files where it gives them ([`Capabilities::native_archive`]), else portable: what is
    /// unchanged is neither stored nor read, and only the same kind of engine takes it.
    ///
    /// [`Capabilities::native_archive`]: statehold_core::Capabilities::native_archive
    Native,
}

impl CheckpointForm {
    /// Both, in this order.
    pub const ALL: [Self; 2] = [Self::Portable, Self::Native];

    /// As descriptors write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Native => "native",
        }
    }
}

/// Which checkpoint is meant.
///
/// ```
/// use statehold::archive::{CheckpointId, Select};
/// assert_eq!("latest".parse::<Select>()?, Select::Latest);
/// assert_eq!("7".parse::<Select>()?, Select::Id(CheckpointId(7)));
/// # Ok::<(), statehold_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// The last one of the current timeline; never one that was rolled back.
    Latest,
    /// The one with this id: of the current timeline if it has one, else the newest.
    Id(CheckpointId),
}

impl From<CheckpointId> for Select {
    fn from(id: CheckpointId) -> Self {
        Self::Id(id)
    }
}

impl FromStr for Select {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        text.parse().map(|id| Self::Id(CheckpointId(id))).map_err(|_| {
            Error::invalid(format!("`{}` is not a checkpoint", text.escape_debug()))
                .advise("write `latest` or a number")
        })
    }
}

/// Where a checkpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// On the timeline that the newest claim goes on with.
    Current,
    /// Rolled back, or completed by a former owner. It can be recovered by its
    /// id as long as its id is not taken anew, and is never the latest.
    Superseded,
}

/// One line about a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckpointSummary {
    /// Its id.
    pub id: CheckpointId,
    /// Where it stands.
    pub status: Status,
    /// When it was completed, in milliseconds since the Unix epoch by the owner's
    /// clock. For people: nothing is ordered by it.
    pub created_at: u64,
    /// The epoch of the owner that completed it.
    pub claim: u64,
    /// The number of the log record that completed it.
    pub record: u64,
    /// The stores in it.
    pub stores: Vec<String>,
    /// How many parts it has: one for each owner and store.
    pub parts: usize,
    /// Rows of all states; not known where a part is an engine's own files.
    pub rows: Option<u64>,
    /// Bytes of keys, subkeys and values of all states, before compression; known as `rows` are.
    pub bytes: Option<u64>,
    /// Bytes of its objects.
    pub size: u64,
    /// Bytes that it added to the object store; the rest it shares with checkpoints before it.
    pub new_bytes: u64,
    /// How long taking it took, from the cut to the last object, in milliseconds.
    pub duration_ms: u64,
    /// What the caller gave with it.
    pub metadata: Metadata,
}

/// Everything about a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckpointInfo {
    /// The line that a list shows.
    #[serde(flatten)]
    pub summary: CheckpointSummary,
    /// What is in each store.
    pub contents: Vec<StoreInfo>,
}

/// One store's part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoreInfo {
    /// The store's name.
    pub name: String,
    /// Its key groups.
    pub groups: Groups,
    /// `portable`, or the engine whose own files they are.
    pub form: String,
    /// Its states, in the catalog's order.
    pub states: Vec<StateInfo>,
    /// Its objects, in the order of their rows.
    pub objects: Vec<ObjectInfo>,
}

/// One state of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateInfo {
    /// The state as its store's catalog had it.
    pub spec: StateSpec,
    /// Its rows: entries, elements or subkeys; where known.
    pub rows: Option<u64>,
    /// Bytes of its keys, subkeys and values, before compression; where known.
    pub bytes: Option<u64>,
}

/// One object of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectInfo {
    /// Its name below the namespace's `objects/`.
    pub name: String,
    /// What the engine calls it, if it is a file of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
}
