//! [`Report`]: what became of each case.

use serde::{Deserialize, Serialize};

use crate::{Category, Totals};

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// The backend does what the clause says.
    Passed,
    /// It does not.
    Failed {
        /// What was expected and found, and how to run it again.
        message: String,
        /// The seed of the round that failed.
        seed: u64,
    },
    /// The case was not run. Never counts as a pass.
    Skipped {
        /// What is not declared, or what this machine lacks.
        reason: String,
        /// The backend declares what the case needs, and this machine cannot tell: somebody else must prove it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unproven: bool,
    },
}

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseReport {
    /// The clause, e.g. `KV-4`.
    pub clause: String,
    /// The case's name.
    pub name: String,
    /// What kind of proof it is.
    pub category: Category,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// What became of all selected cases, in the contract's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What the store is called: the backend's kind, unless whoever runs the suite has a better name for it.
    pub store: String,
    /// The backend's kind.
    pub kind: String,
    /// What [`Store::engine_version`](statehold_core::Store::engine_version) says; `None` too where the store could
    /// not be asked: the cases then say why.
    pub engine: Option<String>,
    /// The seed from which all random data came.
    pub seed: u64,
    /// How many random sequences a model case tried.
    pub sequences: u32,
    /// How often each case was run, each time with other data.
    pub rounds: u32,
    /// How long all cases took together, in milliseconds.
    pub millis: u64,
    /// The cases.
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// Whether nothing failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// How many cases ended how.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.cases.iter().map(|case| &case.outcome).collect()
    }

    /// The cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(|case| matches!(case.outcome, Outcome::Failed { .. }))
    }
}
