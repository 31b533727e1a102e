//! [`Index`]: where records begin, by their hashes.

use super::memory::Memory;

/// Bytes of a word: a record's hash above one more than its place.
const WORD: usize = size_of::<u64>();
/// Words of the first table.
const LEAST: usize = 16;

/// Open addressing with linear probing: a look-up touches one line of memory, and neither a removal nor growth looks at
/// a record.
#[derive(Default)]
pub(super) struct Index {
    words: Memory,
    len: usize,
}

impl Index {
    /// The most entries of a table that takes no more than `bytes`.
    pub(super) fn most(bytes: usize) -> usize {
        let words = (bytes / WORD).checked_ilog2().map_or(0, |log| 1 << log);
        if words < LEAST { 0 } else { words / 4 * 3 }
    }

    /// Bytes of a table for so many entries, as [`Index::most`] tells them.
    pub(super) fn bytes_of(most: usize) -> usize {
        most / 3 * 4 * WORD
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.len()
    }

    #[inline]
    fn words(&self) -> &[[u8; WORD]] {
        self.words.as_chunks().0
    }

    /// The place of a record with this hash that `is` the one.
    #[inline]
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.slot(hash, &mut is).map(|(_, place)| place)
    }

    #[inline]
    fn slot(&self, hash: u32, is: &mut impl FnMut(u32) -> bool) -> Option<(usize, u32)> {
        let words = self.words();
        let mask = words.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let word = u64::from_le_bytes(words[at]);
            // At most three words of four are taken.
            let place = (word as u32).checked_sub(1)?;
            if (word >> 32) as u32 == hash && is(place) {
                return Some((at, place));
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a record that is not there; `place` is below the greatest. `false` if there is no memory to grow.
    pub(super) fn insert(&mut self, hash: u32, place: u32) -> bool {
        if (self.len + 1) * 4 > self.words().len() * 3 && !self.grow() {
            return false;
        }
        self.set(u64::from(hash) << 32 | (u64::from(place) + 1));
        self.len += 1;
        true
    }

    fn set(&mut self, word: u64) {
        let words = self.words.as_chunks_mut::<WORD>().0;
        let mask = words.len() - 1;
        let mut at = (word >> 32) as usize & mask;
        while words[at] != [0; WORD] {
            at = (at + 1) & mask;
        }
        words[at] = word.to_le_bytes();
    }

    fn grow(&mut self) -> bool {
        let more = Memory::of((self.words.len() * 2).max(LEAST * WORD));
        if more.is_empty() {
            return false;
        }
        let old = std::mem::replace(&mut self.words, more);
        for word in old.as_chunks::<WORD>().0.iter().filter(|word| **word != [0; WORD]) {
            self.set(u64::from_le_bytes(*word));
        }
        true
    }

    /// Removes a record; whether it was there.
    pub(super) fn remove(&mut self, hash: u32, place: u32) -> bool {
        let Some((mut hole, _)) = self.slot(hash, &mut |found| found == place) else { return false };
        let words = self.words.as_chunks_mut::<WORD>().0;
        let mask = words.len() - 1;
        let mut next = hole;
        loop {
            next = (next + 1) & mask;
            let word = u64::from_le_bytes(words[next]);
            if word == 0 {
                break;
            }
            // What begins its search at the hole or before it moves there, or it would not be found.
            let home = (word >> 32) as usize & mask;
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                words[hole] = words[next];
                hole = next;
            }
        }
        words[hole] = [0; WORD];
        self.len -= 1;
        true
    }
}
