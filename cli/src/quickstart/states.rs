//! [`States`]: the three states that hold the counts, and how a [`Tally`] gets into them.

use std::pin::pin;

use futures::{StreamExt, TryStreamExt, stream};
use statehold::{Error, KeyListState, KeyMapState, KeyValueState, Result, Source, StateManager, WriteBatch};

use super::{
    position::Position,
    tally::{Held, Tally, WordId},
};

/// Word → how often it occurs.
pub(crate) const COUNTS: &str = "words";
/// Word → (bytes of the line / 16 → how often it occurs on such lines).
pub(crate) const WIDTHS: &str = "widths";
/// Word → the first numbers of the lines it stands on.
pub(crate) const LINES: &str = "lines";

/// Words that go into the states in one call.
const PART: usize = 4096;

/// Words that are read at the same time: maps and lists have no multi-key form.
const READS: usize = 64;

/// The counts, in the engine that the descriptor chose.
pub(crate) struct States {
    counts: KeyValueState<String, u64>,
    widths: KeyMapState<String, u64, u64>,
    lines: KeyListState<String, u64>,
}

impl States {
    /// Opens the three states.
    ///
    /// # Errors
    /// `InvalidInput` or `Conflict` if the descriptor or the store has them as something else.
    pub(crate) async fn open(manager: &StateManager) -> Result<Self> {
        Ok(Self {
            counts: manager.key_value(COUNTS).await?,
            widths: manager.key_map(WIDTHS).await?,
            lines: manager.key_list(LINES).await?,
        })
    }

    /// Word → count.
    pub(crate) fn counts(&self) -> &KeyValueState<String, u64> {
        &self.counts
    }

    /// Brings everything that changed in `tally` into the states, and empties it if it is full.
    ///
    /// # Errors
    /// What the engine fails with; some changes may be in then.
    pub(crate) async fn apply(&self, tally: &mut Tally) -> Result<()> {
        let full = tally.is_full();
        loop {
            let part = tally.take_changed(PART);
            if part.is_empty() {
                break;
            }
            self.introduce(tally, &part).await?;
            let changes = tally.changes(&part);
            self.counts.put_many(changes.iter().map(|c| (c.word, c.count))).await?;
            let widths = changes.iter().flat_map(|c| c.widths.iter().map(|(bucket, count)| (c.word, *bucket, *count)));
            self.widths.put_many(widths).await?;
            for change in changes.iter().filter(|c| !c.lines.is_empty()) {
                self.lines.append_all(change.word, change.lines.iter().copied()).await?;
            }
            drop(changes);
            tally.applied(&part);
            if full {
                tally.release(&part);
            }
        }
        if full {
            tally.clear();
        }
        Ok(())
    }

    /// As [`States::apply`], all in one atomic commit that also says how far the input was read.
    ///
    /// # Errors
    /// What the engine fails with; nothing is in then, or all of it.
    pub(crate) async fn apply_at(&self, tally: &mut Tally, source: &mut Source, position: &Position) -> Result<()> {
        let full = tally.is_full();
        let all = tally.take_changed(usize::MAX);
        for part in all.chunks(PART) {
            self.introduce(tally, part).await?;
        }
        let mut batch = WriteBatch::new();
        for change in tally.changes(&all) {
            batch.put(&self.counts, change.word, change.count)?;
            for (bucket, count) in &change.widths {
                batch.put_entry(&self.widths, change.word, bucket, *count)?;
            }
            for line in change.lines {
                batch.append(&self.lines, change.word, *line)?;
            }
        }
        batch.commit_at(source, position.to_bytes()?).await?;
        tally.applied(&all);
        if full {
            tally.clear();
        }
        Ok(())
    }

    /// Tells the tally what the states hold of those words that it has not seen before.
    async fn introduce(&self, tally: &mut Tally, part: &[WordId]) -> Result<()> {
        let strangers = tally.strangers(part);
        if strangers.is_empty() {
            return Ok(());
        }
        let counts = self.counts.get_many(&strangers).await?;
        let known = stream::iter(strangers.iter().zip(counts)).map(|(word, count)| async move {
            let held = match count {
                None => Held::default(),
                Some(count) => Held {
                    count,
                    widths: self.widths.entries(word).await?,
                    lines: self.lines.len(word).await? as usize,
                },
            };
            Ok::<_, Error>((word, held))
        });
        let mut known = pin!(known.buffer_unordered(READS));
        while let Some((word, held)) = known.try_next().await? {
            tally.learn(word, &held);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use statehold::{Model, ScanOrder, testing};

    use super::*;
    use crate::quickstart::words::Splitter;

    async fn open() -> (StateManager, States) {
        let models = [(COUNTS, Model::Kv), (WIDTHS, Model::Map), (LINES, Model::List)];
        let manager = testing::memory_manager(&models).await.unwrap();
        let states = States::open(&manager).await.unwrap();
        (manager, states)
    }

    /// What a text counts to with a tally that is emptied at `limit` bytes.
    async fn counted(text: &str, limit: usize) -> (Vec<(String, u64)>, Vec<(String, u64, u64)>, Vec<(String, u64)>) {
        let (manager, states) = open().await;
        let mut tally = Tally::new(0, 0, true, limit);
        let mut splitter = Splitter::default();
        for line in text.split_inclusive('\n') {
            let (taken, stopped) = splitter.feed(line.as_bytes(), &mut tally);
            assert_eq!((taken, stopped), (line.len(), tally.is_full()));
            if stopped {
                states.apply(&mut tally).await.unwrap();
                assert!(!tally.is_full());
            }
        }
        states.apply(&mut tally).await.unwrap();
        let order = ScanOrder::Key;
        let held = (
            states.counts.scan(order).try_collect().await.unwrap(),
            states.widths.scan(order).try_collect().await.unwrap(),
            states.lines.scan(order).try_collect().await.unwrap(),
        );
        manager.close().await.unwrap();
        held
    }

    #[tokio::test]
    async fn it_does_not_matter_how_often_the_tally_is_emptied() {
        let text: String = (0..200).map(|i| format!("the {} of line{i}{}\n", i % 7, ".".repeat(i))).collect();
        let once = counted(&text, usize::MAX).await;
        assert_eq!(once.0.iter().find(|(w, _)| w == "the"), Some(&("the".to_owned(), 200)));
        assert_eq!(once.2.iter().filter(|(w, _)| w == "the").count(), 20);
        for limit in [1, 10_000, 30_000] {
            assert_eq!(counted(&text, limit).await, once, "{limit}");
        }
    }
}
