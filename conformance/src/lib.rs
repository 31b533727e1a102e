//! The suite that proves a backend: one named test for each case of each clause of the
//! storage contract.
//!
//! Whoever writes a backend adds a test target with `harness = false` and one line:
//!
//! ```no_run
//! # use statehold_core::{Backend, Options};
//! # fn my_backend() -> impl Backend { statehold_memory::MemoryBackend::new() }
//! use statehold_conformance::{Site, Subject};
//!
//! fn main() -> std::process::ExitCode {
//!     statehold_conformance::main(Subject::new(|dir| {
//!         Site::new(my_backend(), Options::new().with("path", dir.display().to_string()))
//!     }))
//! }
//! ```
//!
//! A failing test reads as clause, case and seed. What a backend does not declare is not tested
//! but must be refused, and is listed as ignored with the reason; a skip is never a pass.
//!
//! It is: the functional cases, a model of all operations that random sequences are compared with, histories of
//! clients at work at once that are searched for an order ([`linearisable`]),
//! crash cases that kill a child process, cases that take a disk its power, [`differential`], which leads several engines through the same sequences,
//! and [`mutants`], broken backends that prove the suite itself.
//! It is not: a benchmark, nor a test of the typed state API.

#[cfg(doctest)]
mod book;
mod case;
mod cases;
mod contents;
mod context;
mod crash;
mod dice;
mod differential;
mod document;
mod failure;
mod harness;
mod history;
mod model;
pub mod mutants;
mod native;
mod poll;
mod power;
mod report;
mod run;
mod state;
mod subject;
mod tape;

pub use case::{Case, Category};
use context::Context;
pub use crash::crash_child;
pub use differential::differential;
pub use document::{Document, StoreReport, Totals};
pub use failure::Failure;
pub use harness::main;
pub use history::{Histories, linearisable};
pub use report::{CaseReport, Outcome, Report};
pub use run::{Level, Selection, all_cases, run, run_each};
pub use subject::{Site, Subject};
