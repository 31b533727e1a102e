//! `statehold quickstart`: counts the words of a text in three states, and ends with exact counts
//! wherever it was killed.
//!
//! Counts are gathered in memory and applied to the states in large pieces. What a checkpoint shows is
//! always the counts of one [position](position::Position) in the input, which is stored with it; each run begins
//! by going back to the latest checkpoint.

mod count;
mod fingerprint;
mod input;
mod output;
mod place;
mod position;
mod progress;
mod reader;
mod report;
mod states;
mod tally;
mod words;

use std::{path::PathBuf, time::Instant};

use statehold::{
    ErrorKind, RecoverFrom, Result, StateManager,
    archive::{CheckpointInfo, Select},
};

use self::{
    count::Counter, input::Input, output::Output, place::Place, position::Position, progress::Progress, reader::Reader,
    report::Report, states::States,
};
use crate::out::Out;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The text: a file, or a folder whose regular files are read in byte order of path [default: the repository's docs]
    #[arg(long, value_name = "FILE|DIR")]
    input: Option<PathBuf>,
    /// A descriptor with a store and an archive; states it lacks are added [default: RocksDB under ./statehold-quickstart]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take a checkpoint at the end of the line that completes this many words, again and again
    #[arg(long, value_name = "N", default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_every: u64,
    /// Write `word<TAB>count`, sorted by bytes, into this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Tell the result as JSON
    #[arg(long)]
    json: bool,
}

/// Where the documentation lay when this program was built, or lies below the working directory.
fn default_input() -> PathBuf {
    let built = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
    if built.is_dir() { built } else { PathBuf::from("docs") }
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let input_path = arguments.input.unwrap_or_else(default_input);
    let input = Input::list(&input_path)?;
    let output = arguments.output.map(Output::check).transpose()?;
    let mut place = Place::choose(arguments.config)?;
    place.refuse_within(&input)?;
    let descriptor = place.descriptor()?;

    let begun = Instant::now();
    let builder = StateManager::builder(descriptor).owner("statehold quickstart");
    let manager = builder.recover(RecoverFrom::LatestOrEmpty).open().await?;
    let latest = latest(&manager).await?;
    let position = latest.as_ref().map(|l| Position::of_metadata(&l.summary.metadata)).transpose()?;
    let position = position.unwrap_or_else(Position::beginning);
    let resumed = latest.as_ref().map(|l| l.summary.id.0);
    tracing::info!(checkpoint = resumed, bytes = position.bytes, "opened");

    let progress = Progress::new(input.bytes(), "checking what was counted");
    let reader = Reader::resume(input.clone(), &position, |bytes| progress.advance(bytes))?;
    progress.begin("counting");
    let states = States::open(&manager).await?;
    let mut counter = Counter::new(&manager, states, reader, &position, latest, arguments.checkpoint_every, &progress)?;
    counter.run().await?;
    let counted = counter.finish().await?;
    progress.finish();

    let mut report = Report::new((&input_path, &input), &place, (resumed, &position), &counted, begun.elapsed());
    if let Some(output) = output {
        report.output = Some(output.write(counted.states.counts()).await?);
    }
    manager.close().await?;
    let mut out = Out::new();
    if arguments.json {
        out.json(&report)?;
    } else {
        out.line(report.screen())?;
    }
    out.finish()
}

/// The checkpoint that the states were recovered from.
async fn latest(manager: &StateManager) -> Result<Option<CheckpointInfo>> {
    match manager.checkpoints()?.show(Select::Latest).await {
        Ok(latest) => Ok(Some(latest)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
