//! `statehold quickstart`: counts the words of a text in three states, and ends with exact counts
//! wherever it was killed.
//!
//! Counts are gathered in memory and applied to the states in large pieces. What a checkpoint shows is
//! always the counts of one [position](position::Position) in the input, which is stored with it. A run begins by
//! going back to the latest checkpoint; or, where the store keeps the position with the counts, in place.

mod count;
mod fingerprint;
mod input;
mod output;
mod place;
mod position;
mod progress;
mod reader;
mod report;
mod resume;
mod server;
mod states;
mod tally;
mod words;

use std::{path::PathBuf, time::Instant};

use statehold::Result;

use self::{
    count::Counter,
    input::Input,
    output::Output,
    place::Place,
    progress::Progress,
    reader::Reader,
    report::{Report, Resumed},
    resume::Begin,
    server::{Server, Store},
    states::States,
};
use crate::out::Out;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The text: a file, or a folder whose regular files are read in byte order of path [default: the repository's docs]
    #[arg(long, value_name = "FILE|DIR")]
    input: Option<PathBuf>,
    /// The engine, below a folder that is made here; servers are private ones, and run as long as this does
    #[arg(long, value_enum, default_value_t = Store::Rocksdb, conflicts_with = "config")]
    store: Store,
    /// A descriptor with a store and an archive; states it lacks are added
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
    let mut place = Place::choose(arguments.config, arguments.store)?;
    place.refuse_within(&input)?;
    let server = place.start()?;
    let descriptor = place.descriptor(server.as_ref())?;

    let begun = Instant::now();
    let mut begin = Begin::open(&descriptor).await?;
    let manager = begin.manager.clone();
    let (resumed, position) = (begin.latest.as_ref().map(|l| l.summary.id.0), begin.position.clone());
    tracing::info!(checkpoint = resumed, bytes = position.bytes, in_place = begin.in_place, "opened");

    let progress = Progress::new(input.bytes(), "checking what was counted");
    let reader = Reader::resume(input.clone(), &position, |bytes| progress.advance(bytes))?;
    progress.begin("counting");
    let states = States::open(&manager).await?;
    let in_place = begin.in_place;
    let mut counter = Counter::new(&mut begin, states, reader, arguments.checkpoint_every, &progress)?;
    counter.run().await?;
    let counted = counter.finish().await?;
    progress.finish();

    let resumed = Resumed { checkpoint: resumed, position: &position, in_place };
    let mut report = Report::new((&input_path, &input), &place, &resumed, &counted, begun.elapsed());
    if let Some(output) = output {
        report.output = Some(output.write(counted.states.counts()).await?);
    }
    manager.close().await?;
    server.map(Server::stop).transpose()?;
    let mut out = Out::new();
    if arguments.json {
        out.json(&report)?;
    } else {
        out.line(report.screen())?;
    }
    out.finish()
}
