//! [`Report`]: what became of each case.

use serde::{Deserialize, Serialize};

use crate::{Category, Level, Totals, case::clause_of};

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// The backend does what the clause says.
    Passed,
    /// It does not.
    Failed {
        /// What was expected and found.
        message: String,
        /// The seed that repeats it: of the round that failed, or of the one sequence of a model case.
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

impl CaseReport {
    /// What became of the case of that name, which begins with its clause: `kv_4_scan_yields_…`.
    #[must_use]
    pub fn new(name: &str, category: Category, outcome: Outcome, millis: u64) -> Self {
        Self { clause: clause_of(name), name: name.to_owned(), category, outcome, millis }
    }

    /// The command that runs the case again on a store of a descriptor, with the data with which it failed.
    #[must_use]
    pub fn replay(&self, store: &str) -> String {
        let mut command = format!("statehold conform --store {} --filter {}", quoted(store), self.name);
        if let Outcome::Failed { seed, .. } = self.outcome {
            command.push_str(&format!(" --seed {seed}"));
        }
        // The level that is run unless another is asked for does not have them.
        if !Level::Conformant.categories().contains(&self.category) {
            command.push_str(&format!(" --category {}", self.category.as_str()));
        }
        if self.category == Category::Model {
            command.push_str(" --cases 1");
        }
        command
    }
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
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
