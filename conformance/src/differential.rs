//! [`differential`]: the same random sequences of operations on several engines, whose answers must be equal.

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::{Context, Selection, Subject, failure::Verdict, model::Lockstep, run::complete};

/// Fewer than for one engine alone: each sequence costs a store of every engine.
const DEFAULT_CASES: u32 = 20;

/// Leads `engines`, each with its name, through the same random sequences in lock step, as a test binary with
/// `harness = false`. Every answer is compared with the model's and with the other engines': values as stored,
/// expiries, failing conditions, pages, catalogs, and what they archive. They recover each other's archives.
/// Revision values may differ, and the names of list elements.
///
/// `kept` has a line for each sequence that once failed: the test's name and the seed; `#` begins a comment. They
/// are played first.
/// `STATEHOLD_SEED` and `STATEHOLD_CASES` choose the others; the seed is printed.
#[must_use]
pub fn differential(engines: Vec<(&'static str, Subject)>, kept: &str) -> ExitCode {
    let arguments = Arguments::from_args();
    let mut selection = match Selection::from_env() {
        Ok(selection) => selection,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if std::env::var_os("STATEHOLD_CASES").is_none() {
        selection.cases = DEFAULT_CASES;
    }
    if !arguments.list {
        eprintln!("seed: STATEHOLD_SEED={}", selection.seed);
    }
    let engines = Arc::new(engines);
    let mut trials = Vec::new();
    for line in kept.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some((lockstep, seed)) = kept_sequence(line) else {
            eprintln!("`{line}` is not the name of a test and a seed");
            return ExitCode::FAILURE;
        };
        trials.push(trial(format!("{}_seed_{seed}", lockstep.name()), lockstep, engines.clone(), (seed, 1)));
    }
    for lockstep in Lockstep::ALL {
        trials.push(trial(lockstep.name().into(), lockstep, engines.clone(), (selection.seed, selection.cases)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn kept_sequence(line: &str) -> Option<(Lockstep, u64)> {
    let (name, seed) = line.split_once(' ')?;
    let lockstep = Lockstep::ALL.into_iter().find(|lockstep| lockstep.name() == name)?;
    Some((lockstep, seed.parse().ok()?))
}

type Engines = Arc<Vec<(&'static str, Subject)>>;

fn trial(name: String, lockstep: Lockstep, engines: Engines, (seed, cases): (u64, u32)) -> Trial {
    Trial::test(name, move || {
        complete(run(lockstep, &engines, seed, cases)).map_err(|failure| Failed::from(failure.to_string()))
    })
}

async fn run(lockstep: Lockstep, engines: &[(&'static str, Subject)], seed: u64, cases: u32) -> Verdict {
    let mut contexts = Vec::new();
    for (name, subject) in engines {
        let context = Context::new(subject, seed, cases)?;
        if lockstep.takes(&context.capabilities) {
            contexts.push((*name, context));
        }
    }
    let engines: Vec<(&str, &Context)> = contexts.iter().map(|(name, context)| (*name, context)).collect();
    lockstep.run(&engines, seed, cases).await
}
