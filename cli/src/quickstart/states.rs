//! [`States`]: the three states that hold the counts, and how a [`Tally`] gets into them.

use std::pin::pin;

use futures::{StreamExt, TryStreamExt, stream};
use statehold::{Error, KeyListState, KeyMapState, KeyValueState, Result, StateManager};

use super::tally::{Change, Held, Tally};

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

    /// Brings everything that changed in `tally` into the states.
    ///
    /// # Errors
    /// What the engine fails with; some changes may be in, and the tally still has them all.
    pub(crate) async fn apply(&self, tally: &mut Tally) -> Result<()> {
        self.introduce(tally).await?;
        let mut changes = tally.changes();
        loop {
            let part: Vec<Change<'_>> = changes.by_ref().take(PART).collect();
            if part.is_empty() {
                break;
            }
            self.counts.put_many(part.iter().map(|c| (c.word, c.count))).await?;
            let widths = part.iter().flat_map(|c| c.widths.iter().map(|(bucket, count)| (c.word, *bucket, *count)));
            self.widths.put_many(widths).await?;
            for change in part.iter().filter(|c| !c.lines.is_empty()) {
                self.lines.append_all(change.word, change.lines.iter().copied()).await?;
            }
        }
        drop(changes);
        tally.applied();
        Ok(())
    }

    /// Tells the tally what the states hold of words that it has not seen before.
    async fn introduce(&self, tally: &mut Tally) -> Result<()> {
        let mut from = 0;
        loop {
            let (strangers, next) = tally.strangers(from, PART);
            if next == from {
                return Ok(());
            }
            from = next;
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
        }
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

    /// The same text counted with `clears` tallies one after the other.
    async fn counted(text: &str, clears: usize) -> (Vec<(String, u64)>, Vec<(String, u64, u64)>, Vec<(String, u64)>) {
        let (manager, states) = open().await;
        let mut tally = Tally::new(0, 0, true, usize::MAX);
        let mut splitter = Splitter::default();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for part in lines.chunks(lines.len().div_ceil(clears)) {
            part.iter().for_each(|line| {
                splitter.feed(line.as_bytes(), &mut tally);
            });
            states.apply(&mut tally).await.unwrap();
            tally.clear();
        }
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
        let once = counted(&text, 1).await;
        assert_eq!(once.0.iter().find(|(w, _)| w == "the"), Some(&("the".to_owned(), 200)));
        assert_eq!(once.2.iter().filter(|(w, _)| w == "the").count(), 20);
        for clears in [2, 3, 50] {
            assert_eq!(counted(&text, clears).await, once, "{clears}");
        }
    }
}
