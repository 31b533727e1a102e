//! [`Report`]: what a run did, on one screen or as JSON.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use comfy_table::Table;
use serde::Serialize;
use statehold::archive::StateInfo;

use super::{
    count::{Counted, Taken},
    input::Input,
    place::Place,
    position::Position,
};
use crate::units;

/// What a run did.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    input: PathBuf,
    files: usize,
    /// Of the whole input.
    bytes: u64,
    words: u64,
    lines: u64,
    distinct_words: Option<u64>,
    /// The checkpoint that this run went on from, or behind which the store stood.
    resumed_from: Option<u64>,
    /// The run went on where the store itself stood.
    resumed_in_place: bool,
    /// Of this run alone.
    run: Run,
    checkpoints: Vec<Checkpoint>,
    /// As the last checkpoint has them.
    states: Vec<State>,
    config: PathBuf,
    archive: String,
    pub(crate) output: Option<PathBuf>,
    #[serde(skip)]
    example: Option<String>,
    /// The engine whose private server has ended.
    #[serde(skip)]
    server: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
struct Run {
    bytes: u64,
    words: u64,
    seconds: f64,
    bytes_per_second: f64,
    words_per_second: f64,
}

#[derive(Debug, Serialize)]
struct Checkpoint {
    id: u64,
    seconds: f64,
    new_bytes: u64,
}

#[derive(Debug, Serialize)]
struct State {
    name: String,
    model: &'static str,
    /// Known of portable checkpoints.
    entries: Option<u64>,
    bytes: Option<u64>,
}

/// Where a run went on.
pub(crate) struct Resumed<'a> {
    pub(crate) checkpoint: Option<u64>,
    pub(crate) position: &'a Position,
    pub(crate) in_place: bool,
}

fn per_second(amount: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount as f64 / seconds } else { 0.0 }
}

impl Report {
    /// Of a run that went on from `resumed`, and what it counted in `took`.
    pub(crate) fn new(
        input: (&Path, &Input),
        place: &Place,
        resumed: &Resumed<'_>,
        counted: &Counted,
        took: Duration,
    ) -> Self {
        let (seconds, position) = (took.as_secs_f64(), resumed.position);
        let (bytes, words) = (counted.bytes - position.bytes, counted.words - position.words);
        let states: Vec<State> = counted.latest.contents.iter().flat_map(|s| &s.states).map(State::of).collect();
        Self {
            input: input.0.to_owned(),
            files: input.1.files.len(),
            bytes: counted.bytes,
            words: counted.words,
            lines: counted.lines,
            distinct_words: states.iter().find(|s| s.name == super::states::COUNTS).and_then(|s| s.entries),
            resumed_from: resumed.checkpoint,
            resumed_in_place: resumed.in_place,
            run: Run {
                bytes,
                words,
                seconds,
                bytes_per_second: per_second(bytes, seconds),
                words_per_second: per_second(words, seconds),
            },
            checkpoints: counted.checkpoints.iter().map(Checkpoint::of).collect(),
            states,
            config: place.config.clone(),
            archive: place.archive.clone(),
            output: None,
            example: counted.example.clone(),
            server: place.server(),
        }
    }

    /// The report for people.
    pub(crate) fn screen(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (count, bytes) = (units::count, units::bytes);
        let files = if self.files == 1 { "1 file".to_owned() } else { format!("{} files", count(self.files as u64)) };
        writeln!(
            text,
            "Counted {} words, {} of them distinct, on {} lines of {files} ({}).",
            count(self.words),
            units::known(self.distinct_words, count),
            count(self.lines),
            bytes(self.bytes)
        )?;
        match self.resumed_from {
            Some(id) if self.run.bytes == 0 => writeln!(text, "Nothing was left to count since checkpoint {id}.")?,
            resumed => {
                if self.resumed_in_place {
                    let at = bytes(self.bytes - self.run.bytes);
                    writeln!(text, "Went on where the store stood, at {at}; nothing was loaded.")?;
                } else if let Some(id) = resumed {
                    writeln!(text, "Went on from checkpoint {id} at {}.", bytes(self.bytes - self.run.bytes))?;
                }
                writeln!(
                    text,
                    "This run: {} in {:.1} s, checkpoints included: {}/s, {} words/s.",
                    bytes(self.run.bytes),
                    self.run.seconds,
                    bytes(self.run.bytes_per_second as u64),
                    count(self.run.words_per_second as u64)
                )?;
            }
        }
        if let Some(last) = self.checkpoints.last() {
            writeln!(
                text,
                "Checkpoints: {} taken; the last one, {}, added {} in {:.1} s.",
                self.checkpoints.len(),
                last.id,
                bytes(last.new_bytes),
                last.seconds
            )?;
        }
        writeln!(text, "\n{}\n", self.table())?;
        writeln!(text, "Descriptor:  {}\nCheckpoints: {}", self.config.display(), self.archive)?;
        if let Some(output) = &self.output {
            writeln!(text, "Counts:      {}", output.display())?;
        }
        let config = self.config.display();
        // As it was called: from a checkout it is not on the PATH.
        let this = std::env::args().next().unwrap_or_else(|| "statehold".to_owned());
        writeln!(text, "\nTry next:")?;
        if let Some(store) = self.server {
            writeln!(
                text,
                "  {this} quickstart --store {store} --input ANOTHER_TEXT    in another folder; kill it, and run it again\n  \
                 {this} checkpoints --config {config} list"
            )?;
            return write!(
                text,
                "The server has ended with this run. Name one of yours in the descriptor, and `get`, `scan` and all others\n\
                 work on it too: statehold --help"
            );
        }
        let word = self.example.as_deref().unwrap_or("the");
        write!(
            text,
            "  {this} get --config {config} words {word}\n  {this} scan --config {config} widths --limit 5\n  \
             {this} checkpoints --config {config} list\n  \
             {this} quickstart --input ANOTHER_TEXT    in another folder; kill it, and run it again"
        )
    }

    fn table(&self) -> Table {
        let mut table = crate::table::plain(&["state", "model", "entries", "bytes"], &[2, 3]);
        for state in &self.states {
            table.add_row([
                &state.name,
                state.model,
                &units::known(state.entries, units::count),
                &units::known(state.bytes, units::bytes),
            ]);
        }
        table
    }
}

impl State {
    fn of(info: &StateInfo) -> Self {
        Self { name: info.spec.name.clone(), model: info.spec.model.as_str(), entries: info.rows, bytes: info.bytes }
    }
}

impl Checkpoint {
    fn of(taken: &Taken) -> Self {
        Self { id: taken.info.summary.id.0, seconds: taken.took.as_secs_f64(), new_bytes: taken.info.summary.new_bytes }
    }
}
