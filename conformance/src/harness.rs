//! [`main`]: the suite as a test binary.

use std::{path::Path, process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use statehold_core::Result;

use crate::{
    Case, Document, Outcome, Selection, Subject, Totals, crash_child,
    run::{run_case, run_each},
};

/// Runs the suite on `subject` as a test binary with `harness = false`: one test a
/// case, named after its clause, under `cargo test` and `cargo nextest` alike. What the backend
/// does not declare is reported as ignored, with the reason.
///
/// `STATEHOLD_SEED` and `STATEHOLD_CASES` choose the random data; the seed is printed. `STATEHOLD_ROUNDS` repeats each
/// case with other data. With `STATEHOLD_REPORT` set to a folder the cases run one after the other, and the files of a
/// [`Document`] are written there.
#[must_use]
#[allow(clippy::needless_pass_by_value, reason = "one line at the caller")]
pub fn main(subject: Subject) -> ExitCode {
    if let Some(code) = crash_child(&subject) {
        return code;
    }
    let arguments = Arguments::from_args();
    let selection = match Selection::from_env() {
        Ok(selection) => Arc::new(selection),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if !arguments.list {
        eprintln!("seed: STATEHOLD_SEED={}", selection.seed);
    }
    if let Some(folder) = std::env::var_os("STATEHOLD_REPORT").filter(|_| !arguments.list) {
        let selection = Selection { filter: arguments.filter, ..(*selection).clone() };
        return reported(&subject, &selection, Path::new(&folder)).unwrap_or_else(|error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        });
    }
    let kept = match subject.kept() {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let taken = crate::all_cases().into_iter().filter(|case| selection.takes(case));
    let mut trials: Vec<Trial> =
        taken.map(|case| trial(case.name().to_owned(), case, subject.clone(), selection.clone())).collect();
    for (name, seed) in kept {
        let selection = Arc::new(Selection { seed, cases: 1, rounds: 1, ..(*selection).clone() });
        let case = crate::all_cases().into_iter().find(|case| case.name() == name);
        trials.extend(case.map(|case| trial(format!("{name}_seed_{seed}"), case, subject.clone(), selection)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs the cases and writes what became of them.
fn reported(subject: &Subject, selection: &Selection, folder: &Path) -> Result<ExitCode> {
    let report = run_each(subject, selection, |case| match &case.outcome {
        Outcome::Passed => eprintln!("{} ... ok", case.name),
        Outcome::Failed { message, seed } => {
            eprintln!("{} ... FAILED\n{message}\n{}\n", case.name, again(&case.name, *seed));
        }
        Outcome::Skipped { reason, .. } => eprintln!("{} ... skipped: {reason}", case.name),
    })?;
    let document = Document::of([report]);
    document.write(folder)?;
    let Totals { passed, failed, skipped } = document.totals;
    eprintln!("\n{passed} passed, {failed} failed, {skipped} skipped; see report.html in {}", folder.display());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How to run a case of this binary again, and how to keep it.
fn again(case: &str, seed: u64) -> String {
    let binary = std::env::current_exe().ok();
    let stem = binary.as_deref().and_then(Path::file_stem).and_then(|stem| stem.to_str()).unwrap_or("NAME");
    // Cargo puts a hash behind the target's name.
    let target = stem.rsplit_once('-').map_or(stem, |(target, _)| target);
    format!(
        "run it again: STATEHOLD_SEED={seed} STATEHOLD_CASES=1 cargo test --test {target} {case}\n\
         keep it: a line `{case} {seed}` in the subject's regressions"
    )
}

fn trial(name: String, case: Case, subject: Subject, selection: Arc<Selection>) -> Trial {
    Trial::ignorable_test(name, move || {
        let dir = tempfile::TempDir::new()?;
        let site = subject.site(dir.path());
        let capabilities = site.backend.capabilities(&site.options).map_err(|e| Failed::from(e.to_string()))?;
        if let Some(Outcome::Skipped { reason, .. }) = case.skipped_on(&site, dir.path(), &capabilities) {
            return Ok(Completion::ignored_with(reason));
        }
        run_case(&case, &subject, &selection)
            .map_err(|(seed, failure)| Failed::from(format!("{failure}\n{}", again(case.name(), seed))))?;
        Ok(Completion::Completed)
    })
}
