//! Every mutant, over the memory backend, fails its clause and passes all others; an honest
//! backend that can do little passes.

use std::collections::BTreeSet;

use libtest_mimic::{Arguments, Failed, Trial};
use statehold_conformance::{Category, Report, Selection, Site, Subject, all_cases, mutants, run};
use statehold_core::{Backend, Options};
use statehold_memory::MemoryBackend;
use statehold_redis::RedisBackend;
use statehold_rocksdb::RocksDbBackend;

/// Always the same data: a mutant either is found or is not.
const SEED: u64 = 20_250_101;

fn memory() -> Subject {
    Subject::new(|_| Site::new(MemoryBackend::new(), Options::new()))
}

fn functional(subject: &Subject) -> Result<Report, Failed> {
    let categories = vec![Category::Functional];
    let selection = Selection { categories, filter: None, seed: SEED, cases: 1, rounds: 1 };
    run(subject, &selection).map_err(|error| Failed::from(error.to_string()))
}

/// The failures, one a line.
fn told<'a>(cases: impl Iterator<Item = &'a statehold_conformance::CaseReport>) -> String {
    cases.map(|case| format!("\n  {}: {:?}", case.name, case.outcome)).collect()
}

fn is_found(mutant: mutants::Mutant) -> Result<(), Failed> {
    let report = functional(&memory().wrapped(move |backend| mutant.of(backend)))?;
    let clauses: BTreeSet<&str> = report.failures().map(|case| case.clause.as_str()).collect();
    if !clauses.contains(mutant.breaks()) {
        return Err(format!("no case of {} fails; failing clauses: {clauses:?}", mutant.breaks()).into());
    }
    let others = report.failures().filter(|case| case.clause != mutant.breaks() && !mutant.also_breaks(&case.clause));
    let others = told(others);
    if others.is_empty() { Ok(()) } else { Err(format!("other clauses fail too:{others}").into()) }
}

fn honest_backends_pass() -> Result<(), Failed> {
    for subject in [memory(), memory().wrapped(mutants::lesser)] {
        let report = functional(&subject)?;
        if !report.passed() {
            return Err(format!("an honest backend fails:{}", told(report.failures())).into());
        }
    }
    Ok(())
}

/// What the memory backend skips because it declares it, the lesser one must refuse, and the other way round.
/// RocksDB runs what needs files, Redis what needs a second owner to take over.
fn every_case_runs_on_some_engine() -> Result<(), Failed> {
    let skipped = |report: Report| -> BTreeSet<String> {
        let skips =
            report.cases.into_iter().filter(|c| matches!(c.outcome, statehold_conformance::Outcome::Skipped { .. }));
        skips.map(|case| case.name).collect()
    };
    let files = RocksDbBackend::new().capabilities(&Options::new().with("path", "nowhere"))?;
    let server = RedisBackend::new().capabilities(&Options::new().with("url", "redis://nowhere"))?;
    let runs = |case: &statehold_conformance::Case| [&files, &server].iter().any(|c| case.skipped_by(c).is_none());
    let elsewhere: BTreeSet<String> = all_cases().into_iter().filter(runs).map(|case| case.name().to_owned()).collect();
    let mut never = skipped(functional(&memory())?);
    let lesser = skipped(functional(&memory().wrapped(mutants::lesser))?);
    never.retain(|name| lesser.contains(name) && !elsewhere.contains(name));
    if never.is_empty() { Ok(()) } else { Err(format!("these cases run nowhere: {never:?}").into()) }
}

fn main() -> std::process::ExitCode {
    let mut trials: Vec<Trial> = mutants::all()
        .into_iter()
        .map(|mutant| Trial::test(format!("{}: {}", mutant.breaks(), mutant.name()), move || is_found(mutant)))
        .collect();
    trials.push(Trial::test("honest backends pass", honest_backends_pass));
    trials.push(Trial::test("every case runs on some engine", every_case_runs_on_some_engine));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
