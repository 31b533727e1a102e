//! `statehold conform`: the conformance suite on the engines of a descriptor's stores, never on their data.

mod place;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};
use statehold::{Descriptor, Error, Result, StoreDescriptor};
use statehold_conformance::{Category, Document, Level, Outcome, Report, Selection, StoreReport, Subject, Totals};

use self::place::site;
use crate::{config::Config, out::Out};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: Config,
    /// Only this store; may be given several times [default: all, one after the other]
    #[arg(long, value_name = "NAME")]
    store: Vec<String>,
    /// How much is to be proven
    #[arg(long, value_enum, default_value_t = Wanted::Conformant)]
    level: Wanted,
    /// How often each case is run, each time with other data [default: 1, certified: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Only this kind of proof, whatever the level; may be given several times
    #[arg(long, value_enum)]
    category: Vec<Kind>,
    /// Only cases whose name contains this, e.g. kv_4
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Where all random data comes from: the same seed, the same run [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many random sequences a model case tries [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    cases: Option<u32>,
    /// Tell the result as JSON
    #[arg(long)]
    json: bool,
    /// Write report.html, report.json, junit.xml, badge.svg and matrix.md into this folder too
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    /// The store answers as the contract says
    Conformant,
    /// It also keeps its word when processes are killed, power is lost and checkpoints fail
    Certified,
}

impl From<Wanted> for Level {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Conformant => Self::Conformant,
            Wanted::Certified => Self::Certified,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// One behaviour a case
    Functional,
    /// Random sequences of operations, compared with a model
    Model,
    /// A child process is killed, and its store opened again
    Crash,
    /// System calls are watched, and a disk loses its power; takes root, strace and ext4
    Power,
    /// Checkpoints are killed at every step, fail at every call and are damaged
    Faults,
}

impl From<Kind> for Category {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Functional => Self::Functional,
            Kind::Model => Self::Model,
            Kind::Crash => Self::Crash,
            Kind::Power => Self::Power,
            Kind::Faults => Self::Faults,
        }
    }
}

/// Tells a crash case's child, which is started without arguments, what to build. Lies in the case's directory.
#[derive(Serialize, Deserialize)]
struct Note {
    config: PathBuf,
    store: String,
    /// Where the private server is.
    server: Option<String>,
}

const NOTE: &str = "statehold-conform.json";

/// The store of that name.
fn find<'a>(descriptor: &'a Descriptor, name: &str) -> Result<(&'a str, &'a StoreDescriptor)> {
    let found = descriptor.stores.get_key_value(name).map(|(name, store)| (name.as_str(), store));
    found.ok_or_else(|| {
        let names: Vec<&str> = descriptor.stores.keys().map(String::as_str).collect();
        Error::invalid(format!("there is no store `{name}`"))
            .advise(format!("name one with --store: {}", names.join(", ")))
    })
}

/// Those stores of the descriptor, each once, or all.
fn choose<'a>(descriptor: &'a Descriptor, names: &[String]) -> Result<Vec<(&'a str, &'a StoreDescriptor)>> {
    let mut chosen: Vec<(&str, &StoreDescriptor)> = Vec::new();
    for name in names {
        let store = find(descriptor, name)?;
        if !chosen.iter().any(|(other, _)| *other == store.0) {
            chosen.push(store);
        }
    }
    if names.is_empty() {
        chosen.extend(descriptor.stores.iter().map(|(name, store)| (name.as_str(), store)));
    }
    if chosen.is_empty() {
        return Err(Error::invalid("the descriptor has no stores").advise("add one, as [stores.NAME] with a kind"));
    }
    Ok(chosen)
}

/// Ends the program: the suite has no way to be told that a place could not be made.
fn give_up(error: &Error) -> ! {
    let _ = crate::failure::report(error);
    std::process::exit(1)
}

/// Does the work of a crash case's child, if this process is one.
pub(crate) fn child() -> Option<ExitCode> {
    let subject = Subject::new(|dir| {
        let read = || {
            let note = fs::read(dir.join(NOTE)).map_err(|e| Error::internal("no note for the child").because(e))?;
            let note: Note = serde_json::from_slice(&note).map_err(|e| Error::internal("a damaged note").because(e))?;
            let descriptor = Descriptor::from_file(&note.config)?;
            site(find(&descriptor, &note.store)?.1, note.server.as_deref(), dir)
        };
        read().unwrap_or_else(|error| give_up(&error))
    });
    statehold_lifecycle_tests::certify_child(&subject)
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let descriptor = arguments.config.descriptor()?;
    let stores = choose(&descriptor, &arguments.store)?;
    // Before the first case: afterwards a mistake would end the program, and hours of work.
    let mut ready = Vec::new();
    for (name, store) in &stores {
        let table = format!("stores.{name}");
        site(store, None, Path::new("")).map_err(|e| descriptor.locate(e.in_store(*name), &table))?;
    }
    for (name, store) in stores {
        let (running, server) = place::server(store).map_err(|e| e.in_store(name))?.unzip();
        ready.push((running, subject(arguments.config.path()?, name, store, server)?, name));
    }
    let selection = selection(arguments);
    let mut faults = statehold_lifecycle_tests::names().into_iter();
    let takes_faults = faults.any(|name| selection.takes_named(&name, Category::Faults));
    if !takes_faults && !statehold_conformance::all_cases().iter().any(|case| selection.takes(case)) {
        return Err(Error::invalid("no case of the suite is selected")
            .about("filter")
            .advise("name part of a case as docs/src/contract-tests.md has it; crash and power cases take --level certified or --category"));
    }
    let mut reports = Vec::new();
    for (_running, subject, name) in ready {
        let report = Report { store: name.to_owned(), ..statehold_lifecycle_tests::certify(&subject, &selection)? };
        if !arguments.json {
            let mut out = Out::new();
            out.line(told(&report))?;
            out.finish()?;
        }
        reports.push(report);
    }
    let document = Document::of(reports);
    if let Some(folder) = &arguments.report {
        document.write(folder)?;
    }
    if arguments.json {
        let mut out = Out::new();
        out.json(&document)?;
        out.finish()?;
    }
    verdict(&document)
}

/// The engine of a store, in fresh places, here and in the children that crash.
fn subject(config: PathBuf, name: &str, store: &StoreDescriptor, server: Option<String>) -> Result<Subject> {
    let note = Note { config, store: name.to_owned(), server: server.clone() };
    let note = serde_json::to_vec(&note).map_err(|e| Error::internal("no note for the child").because(e))?;
    let store = store.clone();
    Ok(Subject::new(move |dir| {
        let written = fs::write(dir.join(NOTE), &note).map_err(|e| Error::internal("cannot write a note").because(e));
        written.and_then(|()| site(&store, server.as_deref(), dir)).unwrap_or_else(|error| give_up(&error))
    }))
}

/// An error if any case failed.
fn verdict(document: &Document) -> Result<()> {
    let broken: Vec<&StoreReport> = document.stores.iter().filter(|store| store.totals.failed > 0).collect();
    let Some(first) = broken.first() else { return Ok(()) };
    let Totals { failed, .. } = document.totals;
    let names: Vec<String> = broken.iter().map(|store| format!("`{}`", store.store)).collect();
    let what =
        format!("the contract is broken in {failed} of {} cases, by {}", document.totals.cases(), names.join(", "));
    let again = first.failures().next().map(|case| case.replay(&first.store)).unwrap_or_default();
    Err(Error::internal(what).advise(format!("run the first again: {again}")))
}

fn selection(arguments: &Arguments) -> Selection {
    let level = Level::from(arguments.level).selection();
    Selection {
        categories: match &*arguments.category {
            [] => level.categories,
            some => some.iter().map(|kind| Category::from(*kind)).collect(),
        },
        filter: arguments.filter.clone(),
        seed: arguments.seed.unwrap_or(level.seed),
        cases: arguments.cases.unwrap_or(level.cases),
        rounds: arguments.rounds.unwrap_or(level.rounds),
    }
}

fn told(report: &Report) -> String {
    let mut text = String::new();
    for case in &report.cases {
        let (mark, more) = match &case.outcome {
            Outcome::Passed => ("ok  ", String::new()),
            Outcome::Failed { message, .. } => {
                let more = format!("{message}\nrun it again: {}", case.replay(&report.store));
                ("FAIL", format!("\n     {}", more.replace('\n', "\n     ")))
            }
            Outcome::Skipped { reason, .. } => ("skip", format!(": {reason}")),
        };
        text.push_str(&format!("{mark} {:8} {}{more}\n", case.clause, case.name));
    }
    let Totals { passed, failed, skipped } = report.totals();
    let engine = report.engine.as_ref().map(|engine| format!(", {engine}")).unwrap_or_default();
    let Report { store, kind, seed, .. } = report;
    text.push_str(&format!(
        "\n{store} ({kind}{engine}): {passed} passed, {failed} failed, {skipped} skipped; seed {seed}\n"
    ));
    text
}
