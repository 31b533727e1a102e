//! [`main`]: the suite as a test binary.

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::{Case, Selection, Subject, crash_child, run::run_case};

/// Runs the suite on `subject` as a test binary with `harness = false`: one test a
/// case, named after its clause, under `cargo test` and `cargo nextest` alike. What the backend
/// does not declare is reported as ignored, with the reason.
///
/// `STATEHOLD_SEED` and `STATEHOLD_CASES` choose the random data; the seed is printed.
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
    let taken = crate::all_cases().into_iter().filter(|case| selection.takes(case));
    let trials = taken.map(|case| trial(case, subject.clone(), selection.clone())).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(case: Case, subject: Subject, selection: Arc<Selection>) -> Trial {
    Trial::ignorable_test(case.name(), move || {
        let dir = tempfile::TempDir::new()?;
        let site = subject.site(dir.path());
        let capabilities = site.backend.capabilities(&site.options).map_err(|e| Failed::from(e.to_string()))?;
        if let Some(reason) = case.skipped_by(&capabilities) {
            return Ok(Completion::ignored_with(reason));
        }
        run_case(&case, &subject, &selection).map_err(|failure| Failed::from(failure.to_string()))?;
        Ok(Completion::Completed)
    })
}
