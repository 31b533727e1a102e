//! Checkpoints of any engine, as a suite: killed, failing and damaged at every step, beside writers under load,
//! and compared with a model each time (contract LIFE-2 to LIFE-8).
//!
//! It stands above `statehold-conformance`, which proves a store alone: here are managers, archives and processes.
//! An engine adds a test target with `harness = false` and one line, with the [`Subject`] of its conformance suite:
//!
//! ```no_run
//! use statehold_conformance::{Site, Subject};
//! use statehold_core::Options;
//! use statehold_memory::MemoryBackend;
//!
//! fn main() -> std::process::ExitCode {
//!     statehold_lifecycle_tests::main(Subject::new(|_| Site::new(MemoryBackend::new(), Options::new())))
//! }
//! ```

mod certify;
mod check;
mod child;
mod content;
mod damage;
mod dice;
mod disk;
mod failing;
mod failure;
mod faults;
mod load;
mod place;
mod plan;
mod sweep;
mod trials;
mod victim;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use statehold::{Result, archive::CheckpointForm};
use statehold_conformance::{Outcome, Selection, Subject};
use statehold_core::{AtomicScope, Capabilities, Durability};

use crate::dice::Dice;

pub use certify::{certify, certify_child};
pub use trials::names;

/// What a trial is given.
#[derive(Clone)]
struct Context {
    subject: Subject,
    capabilities: Capabilities,
    form: CheckpointForm,
    dice: Dice,
    /// The stores' data lies in the directory that a site is given, under `path`.
    on_disk: bool,
    /// More of everything.
    long: bool,
}

impl Context {
    /// The stores have a place for the claim that wrote them.
    fn keeps_claims(&self) -> bool {
        self.capabilities.markers && self.capabilities.scope == AtomicScope::Store
    }

    /// What is in the stores outlives the process.
    fn survives(&self) -> bool {
        self.capabilities.persistent && self.capabilities.durability.contains(&Durability::Process)
    }
}

/// Runs the suite on `subject` as a test binary with `harness = false`. `STATEHOLD_SEED` chooses the random data, and
/// is printed; `STATEHOLD_LONG=1` sweeps every step, not one of each kind, and writes for longer.
#[must_use]
#[allow(clippy::needless_pass_by_value, reason = "one line at the caller")]
pub fn main(subject: Subject) -> ExitCode {
    if let Some(code) = child::child(&subject) {
        return code;
    }
    let arguments = Arguments::from_args();
    match trials(&subject, arguments.list) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The trials as tests.
fn trials(subject: &Subject, listing: bool) -> Result<Vec<Trial>> {
    let seed = Selection::from_env()?.seed;
    if !listing {
        eprintln!("seed: STATEHOLD_SEED={seed}");
    }
    let long = std::env::var_os("STATEHOLD_LONG").is_some();
    let test = |case: trials::Case| {
        Trial::ignorable_test(case.name.clone(), move || {
            if let Some(Outcome::Skipped { reason, .. }) = case.skipped() {
                return Ok(Completion::ignored_with(reason));
            }
            let again = format!("run it again: STATEHOLD_SEED={seed} with the filter `{}`", case.name);
            case.run().map(|()| Completion::Completed).map_err(|failure| Failed::from(format!("{failure}\n{again}")))
        })
    };
    Ok(trials::of(subject, seed, long)?.into_iter().map(test).collect())
}
