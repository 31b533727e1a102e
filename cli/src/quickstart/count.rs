//! [`Counter`]: reads, counts, applies and takes checkpoints, until the input is over.

use std::time::{Duration, Instant};

use statehold::{
    Error, ErrorKind, Result, Source, StateManager,
    archive::{CheckpointId, CheckpointInfo},
};

use super::{
    position::Position,
    progress::Progress,
    reader::Reader,
    resume::Begin,
    states::{COUNTS, States},
    tally::Tally,
    words::Splitter,
};

/// Memory for counts that are not in the states yet.
const TALLY_BYTES: usize = 256 << 20;

/// Words that go into one commit where each commit takes the position along.
const COMMIT_WORDS: u64 = 20_000;

/// The job between two checkpoints and from one to the next.
pub(crate) struct Counter<'a> {
    manager: &'a StateManager,
    states: States,
    /// Takes the position with each commit.
    source: Option<Source>,
    reader: Reader,
    splitter: Splitter,
    tally: Tally,
    /// The greatest word, in bytes.
    longest: usize,
    checkpoint_every: u64,
    /// The last checkpoint, and the words counted by then.
    latest: Option<CheckpointInfo>,
    saved_words: u64,
    /// Something was read since.
    unsaved: bool,
    taken: Vec<Taken>,
    progress: &'a Progress,
}

/// A checkpoint that this run took.
pub(crate) struct Taken {
    pub(crate) info: CheckpointInfo,
    pub(crate) took: Duration,
}

/// What a run counted.
pub(crate) struct Counted {
    pub(crate) states: States,
    pub(crate) words: u64,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// The most frequent word that this run has in memory.
    pub(crate) example: Option<String>,
    pub(crate) checkpoints: Vec<Taken>,
    /// The last checkpoint, of this run or the one it went on from.
    pub(crate) latest: CheckpointInfo,
}

impl<'a> Counter<'a> {
    /// A counter that goes on where `begin` stands.
    ///
    /// # Errors
    /// `NotFound` if the state of counts has no store; `InvalidInput` if the latest checkpoint is of something else.
    pub(crate) fn new(
        begin: &'a mut Begin,
        states: States,
        reader: Reader,
        checkpoint_every: u64,
        progress: &'a Progress,
    ) -> Result<Self> {
        let Begin { manager, position, .. } = &*begin;
        let store = manager.descriptor().store_of(COUNTS).unwrap_or_default();
        let longest = manager.store(store)?.limits().key;
        let saved = begin.latest.as_ref().map(|l| Position::of_metadata(&l.summary.metadata)).transpose()?;
        let is_empty = saved.is_none() && !begin.in_place;
        let mut counter = Self {
            tally: Tally::new(position.words, position.lines, is_empty, TALLY_BYTES),
            unsaved: saved.as_ref() != Some(position),
            saved_words: saved.map_or(0, |saved| saved.words),
            source: begin.source.take(),
            latest: begin.latest.take(),
            manager: &begin.manager,
            states,
            reader,
            splitter: Splitter::default(),
            longest,
            checkpoint_every,
            taken: Vec::new(),
            progress,
        };
        counter.plan_stop();
        Ok(counter)
    }

    /// When to apply next, or to take a checkpoint.
    fn plan_stop(&mut self) {
        let checkpoint = self.saved_words.saturating_add(self.checkpoint_every);
        let commit = self.source.as_ref().map_or(u64::MAX, |_| self.tally.words().saturating_add(COMMIT_WORDS));
        self.tally.stop_at(checkpoint.min(commit));
    }

    /// Counts the input to its end, with checkpoints on the way.
    ///
    /// # Errors
    /// What reading, the engine or the archive fails with. The next run goes on from the last checkpoint.
    pub(crate) async fn run(&mut self) -> Result<()> {
        loop {
            let piece = self.reader.piece()?;
            let (taken, stopped, over) = if piece.is_empty() {
                (0, self.splitter.end_of_file(&mut self.tally), true)
            } else {
                let (taken, stopped) = self.splitter.feed(piece, &mut self.tally);
                (taken, stopped, false)
            };
            self.reader.consume(taken);
            self.progress.advance(taken as u64);
            self.unsaved |= taken > 0;
            self.refuse_endless_words()?;
            if stopped {
                self.stop().await?;
            }
            if over && !self.reader.next_file() {
                return Ok(());
            }
        }
    }

    /// At the end of a line: what is due is done.
    async fn stop(&mut self) -> Result<()> {
        if self.tally.words() >= self.saved_words.saturating_add(self.checkpoint_every) {
            return self.checkpoint().await;
        }
        self.apply().await
    }

    async fn apply(&mut self) -> Result<()> {
        let begun = Instant::now();
        match &mut self.source {
            None => self.states.apply(&mut self.tally).await?,
            Some(source) => {
                let position = self.reader.position(self.tally.lines(), self.tally.words());
                self.states.apply_at(&mut self.tally, source, &position).await?;
            }
        }
        tracing::info!(words = self.tally.words(), took = ?begun.elapsed(), "applied");
        self.plan_stop();
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<()> {
        let begun = Instant::now();
        self.progress.phase("taking a checkpoint");
        self.apply().await?;
        let id = CheckpointId(self.latest.as_ref().map_or(0, |l| l.summary.id.0) + 1);
        let position = self.reader.position(self.tally.lines(), self.tally.words());
        let info = self.manager.archive(id, &position.to_metadata()?).await?;
        let took = begun.elapsed();
        tracing::info!(checkpoint = id.0, words = position.words, ?took, "checkpoint");
        self.latest = Some(info.clone());
        self.taken.push(Taken { info, took });
        (self.saved_words, self.unsaved) = (position.words, false);
        self.plan_stop();
        self.progress.phase("counting");
        Ok(())
    }

    /// A checkpoint of the end, unless the last one is that already.
    ///
    /// # Errors
    /// What the engine or the archive fails with.
    pub(crate) async fn finish(mut self) -> Result<Counted> {
        if self.unsaved {
            self.checkpoint().await?;
        }
        let latest = self.latest.ok_or_else(|| Error::internal("the input was counted without a checkpoint"))?;
        Ok(Counted {
            latest,
            words: self.tally.words(),
            lines: self.tally.lines(),
            bytes: self.reader.bytes(),
            example: self.tally.most_frequent().map(|(word, _)| word.to_owned()),
            checkpoints: self.taken,
            states: self.states,
        })
    }

    fn refuse_endless_words(&self) -> Result<()> {
        let found = self.tally.longest().max(self.splitter.unfinished());
        if found <= self.longest {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LimitExceeded,
            format!(
                "`{}` holds a word of at least {found} bytes before byte {}; a key may have {}",
                self.reader.path().display(),
                self.reader.bytes(),
                self.longest
            ),
        )
        .advise("raise `limits.key` of the store in the descriptor, or leave that file out")
        .in_state(COUNTS))
    }
}
