//! [`Tally`]: what was counted since it was last emptied, in memory, and what of it the states lack.

use std::{hash::BuildHasher, ops::ControlFlow};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::words::Sink;

/// How many line numbers a word keeps.
pub(crate) const MAX_LINES: usize = 20;

/// Lines whose lengths fall into one bucket differ by less than this.
pub(crate) const BUCKET_BYTES: u64 = 16;

/// How often a word stands on lines of one bucket of lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Width {
    bucket: u64,
    count: u64,
    changed: bool,
}

/// One word and what is known of it.
#[derive(Debug)]
struct Word {
    text: Box<str>,
    count: u64,
    /// By bucket, ascending.
    widths: Vec<Width>,
    /// Line numbers that the list lacks.
    lines: Vec<u64>,
    /// Line numbers that the list has.
    listed: usize,
    /// The last line it stood on, and how often.
    line: u64,
    on_line: u64,
    changed: bool,
    /// `count` and `widths` include what the states hold, and `listed` is true.
    whole: bool,
}

impl Word {
    fn add(&mut self, bucket: u64, count: u64, changed: bool) {
        match self.widths.binary_search_by_key(&bucket, |w| w.bucket) {
            Ok(at) => {
                if let Some(width) = self.widths.get_mut(at) {
                    width.count += count;
                    width.changed |= changed;
                }
            }
            Err(at) => self.widths.insert(at, Width { bucket, count, changed }),
        }
    }

    /// Bytes that it holds beside itself.
    fn heap(&self) -> usize {
        self.widths.capacity() * size_of::<Width>() + self.lines.capacity() * size_of::<u64>()
    }

    fn room_for_lines(&self) -> usize {
        MAX_LINES.saturating_sub(self.listed)
    }
}

/// A word of a tally, until it is cleared.
pub(crate) type WordId = u32;

/// What the states hold of a word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) count: u64,
    /// Bucket → count.
    pub(crate) widths: Vec<(u64, u64)>,
    pub(crate) lines: usize,
}

/// What the states lack of a word.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change<'a> {
    pub(crate) word: &'a str,
    /// The whole count.
    pub(crate) count: u64,
    /// Bucket → whole count, for those that changed.
    pub(crate) widths: Vec<(u64, u64)>,
    /// Line numbers to append.
    pub(crate) lines: &'a [u64],
}

/// Counts words in memory. A word that comes back after [`Tally::clear`] has to be told what
/// the states hold of it, before its changes are taken.
#[derive(Debug)]
pub(crate) struct Tally {
    table: HashTable<WordId>,
    words: Vec<Word>,
    /// Words of the line that is read.
    on_line: Vec<WordId>,
    changed: Vec<WordId>,
    bytes: usize,
    /// The states hold nothing that is not in here.
    complete: bool,
    total: u64,
    lines: u64,
    stop_at_words: u64,
    limit: usize,
    longest: usize,
}

const HASHER: FixedState = FixedState::with_seed(0);

impl Tally {
    /// A tally that goes on from `words` words and `lines` lines, and asks to be emptied at `limit` bytes.
    /// `empty` says that the states hold nothing.
    pub(crate) fn new(words: u64, lines: u64, empty: bool, limit: usize) -> Self {
        Self {
            table: HashTable::new(),
            words: Vec::new(),
            on_line: Vec::new(),
            changed: Vec::new(),
            bytes: 0,
            complete: empty,
            total: words,
            lines,
            stop_at_words: u64::MAX,
            limit,
            longest: 0,
        }
    }

    /// Stops at the end of the line that has the `words`th word.
    pub(crate) fn stop_at(&mut self, words: u64) {
        self.stop_at_words = words;
    }

    /// Words counted so far, of the whole input.
    pub(crate) fn words(&self) -> u64 {
        self.total
    }

    /// Lines counted so far, of the whole input.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes of the longest word in here.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Whether memory is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= self.limit
    }

    /// The word with the greatest count in here.
    pub(crate) fn most_frequent(&self) -> Option<(&str, u64)> {
        self.words.iter().max_by_key(|w| w.count).map(|w| (&*w.text, w.count))
    }

    /// Takes at most `count` words whose changes the states lack; the caller applies them.
    pub(crate) fn take_changed(&mut self, count: usize) -> Vec<WordId> {
        let first = self.changed.len() - count.min(self.changed.len());
        self.changed.split_off(first)
    }

    /// Those of `ids` of which it is not known what the states hold.
    pub(crate) fn strangers(&self, ids: &[WordId]) -> Vec<String> {
        self.of(ids).filter(|w| !w.whole).map(|w| w.text.to_string()).collect()
    }

    /// What the states hold of a stranger.
    pub(crate) fn learn(&mut self, word: &str, held: &Held) {
        let Some(id) = self.find(word.as_bytes()) else { return };
        let Some(word) = self.words.get_mut(id as usize).filter(|w| !w.whole) else { return };
        let before = word.heap();
        word.whole = true;
        word.count += held.count;
        for (bucket, count) in &held.widths {
            word.add(*bucket, *count, false);
        }
        word.listed = held.lines;
        word.lines.truncate(word.room_for_lines());
        self.bytes = (self.bytes + word.heap()).saturating_sub(before);
    }

    /// What the states lack of `ids`.
    pub(crate) fn changes(&self, ids: &[WordId]) -> Vec<Change<'_>> {
        let change = |word: &'_ Word| -> Vec<(u64, u64)> {
            word.widths.iter().filter(|w| w.changed).map(|w| (w.bucket, w.count)).collect()
        };
        self.of(ids)
            .map(|word| Change { word: &word.text, count: word.count, widths: change(word), lines: &word.lines })
            .collect()
    }

    /// The states have the changes of `ids` now.
    pub(crate) fn applied(&mut self, ids: &[WordId]) {
        for id in ids {
            let Some(word) = self.words.get_mut(*id as usize) else { continue };
            let before = word.heap();
            word.listed += word.lines.len();
            word.lines = Vec::new();
            word.widths.iter_mut().for_each(|w| w.changed = false);
            word.changed = false;
            self.bytes = (self.bytes + word.heap()).saturating_sub(before);
        }
    }

    /// Frees what is known of `ids`, which were applied and are never asked for before [`Tally::clear`].
    pub(crate) fn release(&mut self, ids: &[WordId]) {
        for id in ids {
            if let Some(word) = self.words.get_mut(*id as usize) {
                word.widths = Vec::new();
            }
        }
    }

    fn of(&self, ids: &[WordId]) -> impl Iterator<Item = &Word> {
        ids.iter().filter_map(|id| self.words.get(*id as usize))
    }

    /// Forgets all words, whose changes were all applied.
    pub(crate) fn clear(&mut self) {
        *self = Self { stop_at_words: self.stop_at_words, ..Self::new(self.total, self.lines, false, self.limit) };
    }

    fn find(&self, word: &[u8]) -> Option<WordId> {
        let same = |id: &WordId| self.words.get(*id as usize).is_some_and(|w| w.text.as_bytes() == word);
        self.table.find(HASHER.hash_one(word), same).copied()
    }

    #[cold]
    fn insert(&mut self, word: &[u8]) -> WordId {
        let id = self.words.len() as WordId;
        self.longest = self.longest.max(word.len());
        self.words.push(Word {
            text: String::from_utf8_lossy(word).into(),
            count: 0,
            widths: Vec::new(),
            lines: Vec::new(),
            listed: 0,
            line: 0,
            on_line: 0,
            changed: false,
            whole: self.complete,
        });
        // The word, its place in vector and table, which grow by doubling, and three allocations.
        self.bytes += word.len() + 2 * size_of::<Word>() + 2 * size_of::<WordId>() + 48;
        let words = &self.words;
        self.table.insert_unique(HASHER.hash_one(word), id, |id| {
            HASHER.hash_one(words.get(*id as usize).map(|w| w.text.as_bytes()).unwrap_or_default())
        });
        id
    }
}

impl Sink for Tally {
    #[inline]
    fn word(&mut self, word: &[u8]) {
        self.total += 1;
        let id = self.find(word).unwrap_or_else(|| self.insert(word));
        let line = self.lines + 1;
        let Some(word) = self.words.get_mut(id as usize) else { return };
        if word.line == line {
            word.on_line += 1;
        } else {
            (word.line, word.on_line) = (line, 1);
            self.on_line.push(id);
        }
    }

    fn line(&mut self, bytes: u64) -> ControlFlow<()> {
        self.lines += 1;
        let bucket = bytes / BUCKET_BYTES;
        for id in self.on_line.drain(..) {
            let Some(word) = self.words.get_mut(id as usize) else { continue };
            let before = word.heap();
            word.count += word.on_line;
            word.add(bucket, word.on_line, true);
            if word.lines.len() < word.room_for_lines() {
                word.lines.push(self.lines);
            }
            self.bytes += word.heap() - before;
            if !word.changed {
                word.changed = true;
                self.changed.push(id);
            }
        }
        if self.total >= self.stop_at_words || self.is_full() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quickstart::words::Splitter;

    fn count(tally: &mut Tally, text: &str) -> (usize, bool) {
        Splitter::default().feed(text.as_bytes(), tally)
    }

    /// Count, widths and lines.
    type Told = (u64, Vec<(u64, u64)>, Vec<u64>);

    fn change(tally: &Tally, word: &str) -> Option<Told> {
        let change = tally.changes(&tally.changed).into_iter().find(|c| c.word == word);
        change.map(|c| (c.count, c.widths, c.lines.to_vec()))
    }

    fn apply(tally: &mut Tally) {
        let ids = tally.take_changed(usize::MAX);
        tally.applied(&ids);
    }

    #[test]
    fn words_widths_and_lines_are_counted() {
        let mut tally = Tally::new(0, 0, true, usize::MAX);
        count(&mut tally, "the cat the\n\na much longer line with the cat\n");
        assert_eq!(change(&tally, "the"), Some((3, vec![(0, 2), (1, 1)], vec![1, 3])));
        assert_eq!(change(&tally, "cat"), Some((2, vec![(0, 1), (1, 1)], vec![1, 3])));
        assert_eq!((tally.words(), tally.lines()), (10, 3));
        assert_eq!(tally.most_frequent(), Some(("the", 3)));
    }

    #[test]
    fn only_what_changed_since_it_was_applied_is_told() {
        let mut tally = Tally::new(0, 0, true, usize::MAX);
        count(&mut tally, "a b\n");
        apply(&mut tally);
        assert_eq!(change(&tally, "a"), None);
        count(&mut tally, "a, on a line of another width\n");
        assert_eq!(change(&tally, "a"), Some((3, vec![(1, 2)], vec![2])));
        assert_eq!(change(&tally, "b"), None);
    }

    #[test]
    fn a_list_gets_the_first_twenty_lines_and_no_more() {
        let mut tally = Tally::new(0, 0, true, usize::MAX);
        count(&mut tally, &"a\n".repeat(15));
        apply(&mut tally);
        count(&mut tally, &"a\n".repeat(15));
        assert_eq!(change(&tally, "a").unwrap().2, [16, 17, 18, 19, 20]);
        apply(&mut tally);
        count(&mut tally, "a\n");
        assert_eq!(change(&tally, "a"), Some((31, vec![(0, 31)], vec![])));
    }

    #[test]
    fn after_clearing_words_are_strangers_until_it_learns_what_is_held() {
        let mut tally = Tally::new(0, 0, true, usize::MAX);
        count(&mut tally, "a b\na\n");
        assert_eq!(tally.strangers(&tally.changed), [""; 0]);
        apply(&mut tally);
        tally.clear();
        count(&mut tally, &"a c\n".repeat(25));
        assert_eq!(tally.strangers(&tally.changed), ["a", "c"]);
        tally.learn("a", &Held { count: 2, widths: vec![(0, 2), (7, 1)], lines: 2 });
        tally.learn("c", &Held::default());
        assert_eq!(change(&tally, "a"), Some((27, vec![(0, 27)], (3..=20).collect())));
        assert_eq!(change(&tally, "c"), Some((25, vec![(0, 25)], (3..=22).collect())));
    }

    #[test]
    fn changes_are_taken_part_by_part_and_each_once() {
        let mut tally = Tally::new(0, 0, true, usize::MAX);
        count(&mut tally, "a b c d e\n");
        let mut seen = Vec::new();
        loop {
            let part = tally.take_changed(2);
            if part.is_empty() {
                break;
            }
            seen.extend(tally.changes(&part).iter().map(|c| c.word.to_owned()));
            tally.applied(&part);
        }
        seen.sort();
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn it_stops_at_the_wanted_word_and_when_it_is_full() {
        let mut tally = Tally::new(10, 3, true, 600);
        tally.stop_at(12);
        assert_eq!(count(&mut tally, "a\nb b\nc\n"), (6, true));
        tally.stop_at(u64::MAX);
        assert!(tally.is_full());
        apply(&mut tally);
        tally.clear();
        assert!(!tally.is_full());
        assert_eq!((tally.words(), tally.lines()), (13, 5));
    }
}
