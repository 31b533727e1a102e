//! The page of all mutants, written from a run of all of them.

use std::{fmt::Write, fs, process::ExitCode};

use libtest_mimic::Failed;
use statehold_conformance::mutants::{self, Mutant, Visibility};

use super::is_found;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/mutants.md");

const HEAD: &str = "# Broken backends

The suite is proven by backends that are broken on purpose (`conformance/src/mutants/mod.rs`). Each has one defect, which must make a case of its clause fail; the clauses in brackets cannot but fail with it, and all others must pass. What shows beside other calls is not seen by the model, which has one client; what shows after a kill or a power loss is seen by no functional case. A test runs them all, so a hole in the suite is a failing test. Written by `make mutants`, from a run.
";

/// What a line says of a mutant, whatever the run.
fn fixed(mutant: &Mutant) -> String {
    let also: String = mutant.also().iter().map(|(clause, _)| format!(" ({clause})")).collect();
    format!("| {}{also} | {} | {} |", mutant.breaks(), mutant.name(), mutant.visibility().as_str())
}

/// Runs every mutant and writes the page.
pub(super) fn write() -> ExitCode {
    let mut all: Vec<(usize, Mutant)> = mutants::all().into_iter().enumerate().collect();
    let count = |what: Visibility| all.iter().filter(|(_, mutant)| mutant.visibility() == what).count();
    let mut page = format!("{HEAD}\n{} mutants, by what it takes to see them:", all.len());
    for what in Visibility::ALL {
        let _ =
            write!(page, " {} {}{}", what.as_str(), count(what), if what == Visibility::PowerLoss { "." } else { "," });
    }
    page.push_str("\n\n| clause | defect | shows by | found by |\n|---|---|---|---|\n");
    // The contract's order, which is that of the suite.
    let place =
        |mutant: &Mutant| statehold_conformance::all_cases().iter().position(|case| case.clause() == mutant.breaks());
    all.sort_by_key(|(_, mutant)| place(mutant));
    for (number, mutant) in all {
        let by = match is_found(number, mutant) {
            Ok(cases) => cases,
            Err(failed) => {
                eprintln!("{}: {}", mutant.name(), failed.message().unwrap_or_default());
                return ExitCode::FAILURE;
            }
        };
        let by: Vec<String> = by.iter().map(|case| format!("`{case}`")).collect();
        let _ = writeln!(page, "{} {} |", fixed(&mutant), by.join(", "));
    }
    match fs::write(PAGE, page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{PAGE}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The page has a line for each mutant, and no other.
pub(super) fn is_whole() -> Result<(), Failed> {
    let page = fs::read_to_string(PAGE)?;
    let (all, lines) = (mutants::all(), page.lines().filter(|line| line.ends_with("` |")).count());
    let missing: Vec<String> =
        all.iter().map(fixed).filter(|line| !page.lines().any(|found| found.starts_with(line))).collect();
    if missing.is_empty() && lines == all.len() {
        return Ok(());
    }
    Err(format!(
        "{PAGE} is out of date ({lines} lines, {} mutants): run `make mutants`; missing: {missing:#?}",
        all.len()
    )
    .into())
}
