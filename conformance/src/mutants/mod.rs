//! Broken backends, which prove the suite: each has one defect, over any backend, and
//! must fail a case of the clause that the defect breaks and pass all other clauses.
//!
//! Defects are narrow on purpose (the 65th commit, a page of seven rows): a coarse one would break
//! everything and prove nothing about the clause.

mod batches;
mod beside;
mod besides;
mod crash;
mod fault;
mod lesser;
mod life;
mod names;
mod owners;
mod reading;
mod reopen;
mod shapes;

use std::sync::Arc;

use statehold_core::Backend;

pub use lesser::lesser;

/// What it takes to see a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Visibility {
    /// One client and one opening.
    Alone,
    /// Calls at once, or one that is dropped.
    Beside,
    /// Close and open, or recover.
    Reopen,
    /// The process is killed.
    Kill,
    /// The disk loses what was not synced.
    PowerLoss,
}

impl Visibility {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Alone, Self::Beside, Self::Reopen, Self::Kill, Self::PowerLoss];

    /// In a few words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alone => "one client",
            Self::Beside => "calls at once",
            Self::Reopen => "reopen or recover",
            Self::Kill => "kill",
            Self::PowerLoss => "power loss",
        }
    }
}

type Wrap = fn(Arc<dyn Backend>) -> Arc<dyn Backend>;

/// A broken backend.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    name: &'static str,
    breaks: &'static str,
    /// Other clauses that cannot but fail, each with the reason.
    also: &'static [(&'static str, &'static str)],
    seen: Visibility,
    on_disk: bool,
    wrap: Wrap,
}

impl Mutant {
    const fn new(name: &'static str, breaks: &'static str, wrap: Wrap) -> Self {
        Self { name, breaks, also: &[], seen: Visibility::Alone, on_disk: false, wrap }
    }

    const fn and(self, also: &'static [(&'static str, &'static str)]) -> Self {
        Self { also, ..self }
    }

    const fn seen(self, seen: Visibility) -> Self {
        Self { seen, ..self }
    }

    const fn on_disk(self) -> Self {
        Self { on_disk: true, ..self }
    }

    /// What it takes to see the defect.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        self.seen
    }

    /// Whether the backend beneath must keep its content on a disk.
    #[must_use]
    pub fn needs_disk(&self) -> bool {
        self.on_disk || self.seen >= Visibility::Kill
    }

    /// What is wrong with it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The clause that it breaks.
    #[must_use]
    pub fn breaks(&self) -> &'static str {
        self.breaks
    }

    /// Other clauses that cannot but fail, each with the reason.
    #[must_use]
    pub fn also(&self) -> &'static [(&'static str, &'static str)] {
        self.also
    }

    /// Whether `clause` cannot but fail together with the one that it breaks.
    #[must_use]
    pub fn also_breaks(&self, clause: &str) -> bool {
        self.also.iter().any(|(other, _)| *other == clause)
    }

    /// `backend` with this defect.
    #[must_use]
    pub fn of(&self, backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        (self.wrap)(backend)
    }
}

/// Every mutant.
#[must_use]
pub fn all() -> Vec<Mutant> {
    let files = [
        names::MUTANTS,
        reading::MUTANTS,
        shapes::MUTANTS,
        batches::MUTANTS,
        life::MUTANTS,
        owners::MUTANTS,
        beside::MUTANTS,
        besides::MUTANTS,
        reopen::MUTANTS,
        crash::MUTANTS,
    ];
    files.concat()
}
