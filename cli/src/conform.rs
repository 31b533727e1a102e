//! `statehold conform`: the conformance suite on the engine of one store, never on its data.

mod place;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};
use statehold::{Descriptor, Error, Result, StoreDescriptor};
use statehold_conformance::{Category, Document, Outcome, Selection, Subject, Totals};

use self::place::site;
use crate::{config::Config, out::Out};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: Config,
    /// The store; may be left out where there is only one
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
    /// Only this kind of proof; may be given several times [default: all]
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
    /// Write report.json and junit.xml into this folder too
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// One behaviour a case
    Functional,
    /// Random sequences of operations, compared with a model
    Model,
    /// A child process is killed, and its store opened again
    Crash,
}

impl From<Kind> for Category {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Functional => Self::Functional,
            Kind::Model => Self::Model,
            Kind::Crash => Self::Crash,
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

/// Which store of the descriptor is meant.
fn choose<'a>(descriptor: &'a Descriptor, name: Option<&str>) -> Result<(&'a str, &'a StoreDescriptor)> {
    let names: Vec<&str> = descriptor.stores.keys().map(String::as_str).collect();
    let chosen = match (name, &*names) {
        (Some(name), _) => descriptor.stores.get_key_value(name),
        (None, [only]) => descriptor.stores.get_key_value(*only),
        (None, _) => None,
    };
    chosen.map(|(name, store)| (name.as_str(), store)).ok_or_else(|| {
        let what =
            name.map_or_else(|| "several stores, and none is named".to_owned(), |n| format!("there is no store `{n}`"));
        Error::invalid(what).advise(format!("name one with --store: {}", names.join(", ")))
    })
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
            site(choose(&descriptor, Some(&note.store))?.1, note.server.as_deref(), dir)
        };
        read().unwrap_or_else(|error| give_up(&error))
    });
    statehold_conformance::crash_child(&subject)
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let descriptor = arguments.config.descriptor()?;
    let (name, store) = choose(&descriptor, arguments.store.as_deref())?;
    let table = format!("stores.{name}");
    // Before the first case: afterwards a mistake would end the program.
    site(store, None, Path::new("")).map_err(|e| descriptor.locate(e.in_store(name), &table))?;
    let (_running, server) = place::server(store)?.unzip();
    let note = Note { config: arguments.config.path()?, store: name.to_owned(), server: server.clone() };
    let note = serde_json::to_vec(&note).map_err(|e| Error::internal("no note for the child").because(e))?;
    let store = store.clone();
    let subject = Subject::new(move |dir| {
        let written = fs::write(dir.join(NOTE), &note).map_err(|e| Error::internal("cannot write a note").because(e));
        written.and_then(|()| site(&store, server.as_deref(), dir)).unwrap_or_else(|error| give_up(&error))
    });
    let document = Document::of(statehold_conformance::run(&subject, &selection(arguments))?);
    if let Some(folder) = &arguments.report {
        document.write(folder)?;
    }
    let mut out = Out::new();
    if arguments.json {
        out.json(&document)?;
    } else {
        out.line(told(&document))?;
    }
    out.finish()?;
    let Document { report, totals: Totals { failed, .. }, .. } = document;
    if failed == 0 {
        return Ok(());
    }
    Err(Error::internal(format!("the store breaks the contract in {failed} of {} cases", report.cases.len()))
        .in_store(name)
        .advise(format!("run one again with --seed {} --filter NAME", report.seed)))
}

fn selection(arguments: &Arguments) -> Selection {
    let default = Selection::default();
    let all = [Category::Functional, Category::Model, Category::Crash];
    Selection {
        categories: if arguments.category.is_empty() {
            all.to_vec()
        } else {
            arguments.category.iter().map(|k| Category::from(*k)).collect()
        },
        filter: arguments.filter.clone(),
        seed: arguments.seed.unwrap_or(default.seed),
        cases: arguments.cases.unwrap_or(default.cases),
    }
}

fn told(document: &Document) -> String {
    let Document { report, totals: Totals { passed, failed, skipped }, .. } = document;
    let mut text = String::new();
    for case in &report.cases {
        let (mark, more) = match &case.outcome {
            Outcome::Passed => ("ok  ", String::new()),
            Outcome::Failed { message } => ("FAIL", format!("\n     {}", message.replace('\n', "\n     "))),
            Outcome::Skipped { reason } => ("skip", format!(": {reason}")),
        };
        text.push_str(&format!("{mark} {:8} {}{more}\n", case.clause, case.name));
    }
    text.push_str(&format!(
        "\n{}: {passed} passed, {failed} failed, {skipped} skipped; seed {}",
        report.kind, report.seed
    ));
    text
}
