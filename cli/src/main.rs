//! `statehold`: looks into and operates states from the command line, and shows what the framework does.

mod bench;
mod checkpoints;
mod config;
mod conform;
mod copy;
mod failure;
mod kinds;
mod migrate;
mod out;
mod quickstart;
mod recover;
mod state;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use statehold::{Error, ErrorKind, Result};
use statehold_benches::report::units;
use tracing_subscriber::EnvFilter;

/// RocksDB's too. The system's keeps, of blocks that are made and freed on different threads, several times what is in
/// use.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Managed state for applications: see what is stored, operate it, try it out.
#[derive(Parser)]
#[command(name = "statehold", version, after_help = failure::EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Count the words of a text, with checkpoints: kill it wherever you like, and run it again
    Quickstart(quickstart::Arguments),
    /// The engines of this build and what they declare
    Kinds(kinds::Arguments),
    /// Show what a state holds under a key
    Get(state::Get),
    /// Show all entries of a state, group by group
    Scan(state::Scan),
    /// Count the entries of a state
    Count(state::Count),
    /// Set a value, an entry of a map, or all elements of a list
    Put(state::Put),
    /// Remove a key, or an entry of a map
    Delete(state::Delete),
    /// See and check checkpoints
    Checkpoints(checkpoints::Arguments),
    /// Make the stores what a checkpoint shows
    Recover(recover::Arguments),
    /// Copy a store's content into another store, whatever their engines
    Copy(copy::Arguments),
    /// Migrate the tables of a Postgres store, up and down
    Migrate(migrate::Arguments),
    /// Prove that the engine of a store keeps the storage contract, in places of its own
    Conform(conform::Arguments),
    /// Measure stores beside their raw drivers and other libraries, in places of its own
    Bench(bench::Arguments),
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Quickstart(arguments) => asynchronously(quickstart::run(arguments)),
        Command::Kinds(arguments) => kinds::run(&arguments),
        Command::Get(arguments) => asynchronously(state::get(arguments)),
        Command::Scan(arguments) => asynchronously(state::scan(arguments)),
        Command::Count(arguments) => asynchronously(state::count(arguments)),
        Command::Put(arguments) => asynchronously(state::put(arguments)),
        Command::Delete(arguments) => asynchronously(state::delete(arguments)),
        Command::Checkpoints(arguments) => asynchronously(checkpoints::run(arguments)),
        Command::Recover(arguments) => asynchronously(recover::run(arguments)),
        Command::Copy(arguments) => asynchronously(copy::run(arguments)),
        Command::Migrate(arguments) => asynchronously(migrate::run(arguments)),
        // The suite makes a runtime for each case.
        Command::Conform(arguments) => conform::run(&arguments),
        Command::Bench(arguments) => asynchronously(bench::run(arguments)),
    }
}

fn asynchronously(command: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| {
        Error::new(ErrorKind::ResourceExhausted, "cannot start threads").advise("raise `ulimit -u`").because(cause)
    })?;
    runtime.block_on(command)
}
fn main() -> ExitCode {
    if let Some(code) = conform::child().or_else(statehold_benches::child) {
        return code;
    }
    // Wrong usage ends here with clap's message and code 2.
    let arguments = Arguments::parse();
    // What the suite does to its stores is worth a warning each time.
    let usual = if matches!(arguments.command, Command::Conform(_)) { "error" } else { "warn" };
    let filter = EnvFilter::try_from_env("STATEHOLD_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
