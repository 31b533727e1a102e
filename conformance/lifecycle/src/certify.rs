//! [`certify`]: the conformance suite and this one, in one report.

use std::{process::ExitCode, time::Instant};

use statehold::Result;
use statehold_conformance::{CaseReport, Category, Outcome, Report, Selection, Subject, crash_child, run};

use crate::{child, trials};

/// Runs the selected cases of the conformance suite, and those of this one where [`Category::Faults`] is selected:
/// what [`Level::Certified`](statehold_conformance::Level) takes. Must not be called within an async runtime.
///
/// Cases start the current executable again: a program that calls this calls [`certify_child`] first in its `main`.
///
/// ```no_run
/// use statehold_conformance::{Document, Level, Site, Subject};
/// use statehold_core::Options;
/// use statehold_lifecycle_tests::{certify, certify_child};
///
/// fn main() -> std::process::ExitCode {
///     let subject = Subject::new(|_| Site::new(statehold_memory::MemoryBackend::new(), Options::new()));
///     if let Some(code) = certify_child(&subject) {
///         return code;
///     }
///     let report = certify(&subject, &Level::Certified.selection()).expect("the backend declares what it can do");
///     Document::of([report]).write("proof".as_ref()).expect("the folder can be written");
///     std::process::ExitCode::SUCCESS
/// }
/// ```
///
/// # Errors
/// What the backend's capabilities fail with.
pub fn certify(subject: &Subject, selection: &Selection) -> Result<Report> {
    let mut report = run(subject, selection)?;
    let began = Instant::now();
    for name in trials::names().iter().filter(|name| selection.takes_named(name, Category::Faults)) {
        report.cases.push(rounds(subject, selection, name)?);
    }
    report.millis += millis(began);
    Ok(report)
}

/// Does a child's work if this process is one of [`certify`]; `None` if it is not.
#[must_use]
pub fn certify_child(subject: &Subject) -> Option<ExitCode> {
    crash_child(subject).or_else(|| child::child(subject))
}

/// A trial, as often as there are rounds, each with a seed of its own.
fn rounds(subject: &Subject, selection: &Selection, name: &str) -> Result<CaseReport> {
    let (began, mut outcome) = (Instant::now(), Outcome::Passed);
    for round in 0..selection.rounds {
        let seed = selection.seed.wrapping_add(u64::from(round));
        let Some(case) = trials::of(subject, seed, false)?.into_iter().find(|case| case.name == name) else { continue };
        outcome = match case.skipped() {
            Some(skipped) => skipped,
            None => case
                .run()
                .map_or_else(|failure| Outcome::Failed { message: failure.to_string(), seed }, |()| Outcome::Passed),
        };
        if outcome != Outcome::Passed {
            break;
        }
    }
    Ok(CaseReport::new(name, Category::Faults, outcome, millis(began)))
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
