//! Broken backends, which prove the suite: each has one defect, over any backend, and
//! must fail a case of the clause that the defect breaks and pass all other clauses.
//!
//! Defects are narrow on purpose (the 65th commit, a page of seven rows): a coarse one would break
//! everything and prove nothing about the clause.

mod batches;
mod fault;
mod lesser;
mod life;
mod names;
mod owners;
mod reading;
mod shapes;

use std::sync::Arc;

use statehold_core::Backend;

pub use lesser::lesser;

/// A broken backend.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    name: &'static str,
    breaks: &'static str,
    /// Other clauses that cannot but fail, each with the reason.
    also: &'static [(&'static str, &'static str)],
    wrap: fn(Arc<dyn Backend>) -> Arc<dyn Backend>,
}

impl Mutant {
    const fn new(name: &'static str, breaks: &'static str, wrap: fn(Arc<dyn Backend>) -> Arc<dyn Backend>) -> Self {
        Self { name, breaks, also: &[], wrap }
    }

    const fn and(self, also: &'static [(&'static str, &'static str)]) -> Self {
        Self { also, ..self }
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
    let files = [names::MUTANTS, reading::MUTANTS, shapes::MUTANTS, batches::MUTANTS, life::MUTANTS, owners::MUTANTS];
    files.concat()
}
