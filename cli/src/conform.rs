//! `statehold conform`: the conformance suite on the engine of one store, never on its data.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};
use statehold::{
    Descriptor, Error, Registry, Result, StoreDescriptor,
    core::{OptionReader, Options},
};
use statehold_conformance::{Category, Outcome, Report, Selection, Site, Subject};

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
}

const NOTE: &str = "statehold-conform.json";

/// The store's backend with its options, in a fresh place below `dir`.
fn site(store: &StoreDescriptor, dir: &Path) -> Result<Site> {
    // Each place has a backend of its own: some keep their content in themselves.
    let backend = Registry::default().get(&store.kind)?.clone();
    let has_path = OptionReader::new(&store.kind, &store.options).text("path")?.is_some();
    let options: Options = match has_path {
        true => store.options.clone().with("path", dir.join("store").display().to_string()),
        false => store.options.clone(),
    };
    backend.capabilities(&options)?;
    Ok(Site { backend, options })
}

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
            site(choose(&descriptor, Some(&note.store))?.1, dir)
        };
        read().unwrap_or_else(|error| give_up(&error))
    });
    statehold_conformance::crash_child(&subject)
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let descriptor = arguments.config.descriptor()?;
    let (name, store) = choose(&descriptor, arguments.store.as_deref())?;
    let place = format!("stores.{name}");
    // Before the first case: afterwards a mistake would end the program.
    site(store, Path::new("")).map_err(|e| descriptor.locate(e.in_store(name), &place))?;
    let note = Note { config: arguments.config.path()?, store: name.to_owned() };
    let note = serde_json::to_vec(&note).map_err(|e| Error::internal("no note for the child").because(e))?;
    let store = store.clone();
    let subject = Subject::new(move |dir| {
        let written = fs::write(dir.join(NOTE), &note).map_err(|e| Error::internal("cannot write a note").because(e));
        written.and_then(|()| site(&store, dir)).unwrap_or_else(|error| give_up(&error))
    });
    let report = statehold_conformance::run(&subject, &selection(arguments))?;
    let mut out = Out::new();
    if arguments.json {
        out.json(&report)?;
    } else {
        out.line(told(&report))?;
    }
    out.finish()?;
    let failed = report.failures().count();
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

fn told(report: &Report) -> String {
    let mut text = String::new();
    for case in &report.cases {
        let (mark, more) = match &case.outcome {
            Outcome::Passed => ("ok  ", String::new()),
            Outcome::Failed { message } => ("FAIL", format!("\n     {}", message.replace('\n', "\n     "))),
            Outcome::Skipped { reason } => ("skip", format!(": {reason}")),
        };
        text.push_str(&format!("{mark} {:8} {}{more}\n", case.clause, case.name));
    }
    let (passed, failed, skipped) = report.counts();
    text.push_str(&format!(
        "\n{}: {passed} passed, {failed} failed, {skipped} skipped; seed {}",
        report.kind, report.seed
    ));
    text
}
