//! Every mutant fails its clause and passes all others; an honest
//! backend that can do little passes.

#![allow(clippy::unwrap_used, reason = "tests")]

mod page;

use std::{collections::BTreeSet, path::Path};

use libtest_mimic::{Arguments, Failed, Trial};
use statehold_conformance::{
    Category, Report, Selection, Site, Subject, all_cases, crash_child,
    mutants::{self, Mutant, Visibility},
    run,
};
use statehold_core::{Backend, Options};
use statehold_memory::MemoryBackend;
use statehold_redb::RedbBackend;
use statehold_redis::RedisBackend;
use statehold_rocksdb::RocksDbBackend;

/// Always the same data: a mutant either is found or is not.
const SEED: u64 = 20_250_101;

/// Names the mutant to the child of a crash case, in its directory.
const NOTE: &str = "mutant";

fn memory() -> Subject {
    Subject::new(|_| Site::new(MemoryBackend::new(), Options::new()))
}

/// The mutant over an engine on which its defect can be seen: in memory if that will do. redb writes all that it
/// commits at once, so that only RocksDB shows a sync that is missing.
fn site(mutant: Mutant, dir: &Path) -> Site {
    let path = Options::new().with("path", dir.join("store").display().to_string());
    let honest = match mutant.visibility() {
        Visibility::PowerLoss => Site::new(RocksDbBackend::new(), path),
        _ if mutant.needs_disk() => Site::new(RedbBackend, path),
        _ => Site::new(MemoryBackend::new(), Options::new()),
    };
    Site { backend: mutant.of(honest.backend), options: honest.options }
}

fn subject(number: usize, mutant: Mutant) -> Subject {
    Subject::new(move |dir| {
        // Without it the child says that it knows no mutant.
        let _ = std::fs::write(dir.join(NOTE), number.to_string());
        site(mutant, dir)
    })
}

/// The subject of a child, which its directory tells.
fn childs() -> Subject {
    Subject::new(|dir| {
        let note = std::fs::read_to_string(dir.join(NOTE)).unwrap();
        site(mutants::all()[note.parse::<usize>().unwrap()], dir)
    })
}

fn report(subject: &Subject, categories: &[Category]) -> Result<Report, Failed> {
    let selection = Selection { categories: categories.to_vec(), filter: None, seed: SEED, cases: 16, rounds: 1 };
    run(subject, &selection).map_err(|error| Failed::from(error.to_string()))
}

fn functional(subject: &Subject) -> Result<Report, Failed> {
    report(subject, &[Category::Functional])
}

/// The failures, one a line.
fn told<'a>(cases: impl Iterator<Item = &'a statehold_conformance::CaseReport>) -> String {
    cases.map(|case| format!("\n  {}: {:?}", case.name, case.outcome)).collect()
}

/// Which kinds of proof show the defect, and which do not.
fn proofs(visibility: Visibility) -> (&'static [Category], &'static [Category]) {
    use Category::{Crash, Functional, Model, Power};
    match visibility {
        Visibility::Alone | Visibility::Reopen => (&[Functional], &[]),
        Visibility::Beside => (&[Functional], &[Model]),
        Visibility::Kill => (&[Crash], &[Functional, Model]),
        Visibility::PowerLoss => (&[Power], &[Functional, Model]),
    }
}

/// Fails unless the mutant is found by its clause and by no other; answers the cases that found it.
fn is_found(number: usize, mutant: Mutant) -> Result<Vec<String>, Failed> {
    let (by, not_by) = proofs(mutant.visibility());
    let in_memory = memory().wrapped(move |backend| mutant.of(backend));
    let seen = told(report(&in_memory, not_by)?.failures());
    if !seen.is_empty() {
        return Err(format!("it is seen without {}:{seen}", mutant.visibility().as_str()).into());
    }
    let report = report(&subject(number, mutant), by)?;
    let clauses: BTreeSet<&str> = report.failures().map(|case| case.clause.as_str()).collect();
    if !clauses.contains(mutant.breaks()) {
        return Err(format!("no case of {} fails; failing clauses: {clauses:?}", mutant.breaks()).into());
    }
    let others = report.failures().filter(|case| case.clause != mutant.breaks() && !mutant.also_breaks(&case.clause));
    let others = told(others);
    if others.is_empty() {
        Ok(report.failures().map(|case| case.name.clone()).collect())
    } else {
        Err(format!("other clauses fail too:{others}").into())
    }
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
    if let Some(code) = crash_child(&childs()) {
        return code;
    }
    if std::env::var_os("STATEHOLD_WRITE_DOCS").is_some() {
        return page::write();
    }
    let mut trials: Vec<Trial> = mutants::all()
        .into_iter()
        .enumerate()
        .map(|(number, mutant)| {
            let name = format!("{}: {}", mutant.breaks(), mutant.name());
            Trial::test(name, move || is_found(number, mutant).map(drop))
        })
        .collect();
    trials.push(Trial::test("honest backends pass", honest_backends_pass));
    trials.push(Trial::test("the page names every mutant", page::is_whole));
    trials.push(Trial::test("every case runs on some engine", every_case_runs_on_some_engine));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
