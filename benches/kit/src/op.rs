//! [`Op`]: one operation of a workload; [`Step`]: what is done to a store as a whole.

use bytes::Bytes;

/// What a client is asked to do. Values are bytes; keys and subkeys are 64-bit numbers, ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Sets a value.
    Put(u64, Bytes),
    /// Reads a value that is there; answers its head.
    Get(u64),
    /// Reads what is not there; answers 1 if it is not.
    GetAbsent(u64),
    /// Reads a value, adds 1 to its last byte and writes it back; answers the head of what was read.
    Modify(u64),
    /// Adds 1 to a 64-bit count, which begins at 0; answers the new count.
    Increment(u64),
    /// Sets values, all or nothing.
    PutMany(Vec<(u64, Bytes)>),
    /// Reads values that are there; answers the sum of their heads.
    GetMany(Vec<u64>),
    /// Answers how many keys there are, having seen each.
    CountKeys,
    /// Sets an entry of a map.
    PutEntry(u64, u64, Bytes),
    /// Reads an entry that is there; answers its head.
    GetEntry(u64, u64),
    /// Whether there is such an entry; answers 1 if there is none.
    EntryAbsent(u64, u64),
    /// Reads a map; answers the sum of heads and subkeys.
    Entries(u64),
    /// Reads so many entries of a map, from a subkey on; answers the sum of their heads.
    Page(u64, u64, usize),
    /// Puts an element at the end of a list.
    Append(u64, Bytes),
    /// Makes a list of these elements.
    Replace(u64, Vec<Bytes>),
    /// Reads a list; answers the sum of heads.
    Elements(u64),
}

impl Op {
    /// The operation itself; what stays is without values.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::CountKeys)
    }
}

/// What is done to a whole store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Takes a checkpoint of this number in the engine's own form.
    Checkpoint(u64),
    /// Takes a checkpoint of this number in a form that any engine reads.
    Savepoint(u64),
    /// Opens an empty store from this checkpoint, and works on that one from now on.
    Restore(u64),
    /// Opens two empty stores from this checkpoint, each for one half of the key groups, and closes the one before.
    Split(u64),
    /// Takes a checkpoint of this number of both halves.
    CheckpointHalves(u64),
    /// Makes one store of both halves again, from this checkpoint.
    Join(u64),
}

/// What a value adds to a checksum: its first 8 bytes, little-endian.
#[inline]
#[must_use]
pub fn head(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |head| u64::from_le_bytes(*head))
}

/// What [`Op::Modify`] writes.
#[must_use]
pub fn modified(value: impl Into<Vec<u8>>) -> Bytes {
    let mut value = value.into();
    if let Some(last) = value.last_mut() {
        *last = last.wrapping_add(1);
    }
    value.into()
}
