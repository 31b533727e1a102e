//! [`Engine`]: the small trait behind which any ordered key-value engine becomes a store.

use std::{fmt::Debug, ops::ControlFlow};

use bytes::Bytes;

use crate::Result;

/// What a write has to survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WriteLevel {
    /// Nothing before the next [`Engine::flush`].
    Unlogged,
    /// The end of this process.
    Logged,
    /// Power loss.
    Synced,
}

/// Takes the rows of a scan, ascending; `Break` ends the scan.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Reading an ordered engine, or a frozen image of it. All calls may block.
pub trait EngineRead: Send + Sync + 'static {
    /// The value of `key`.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable` or `ResourceExhausted`.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// The values of `keys`, in that order, duplicates included, at one point in time.
    ///
    /// # Errors
    /// As [`EngineRead::get`].
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>>;

    /// Visits the rows with `from <= key < to` in ascending byte order, all at one point in time.
    ///
    /// # Errors
    /// As [`EngineRead::get`].
    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()>;
}

/// Changes that an engine applies at once, in the order they were added.
pub trait EngineBatch: Send + 'static {
    /// Sets a row.
    fn put(&mut self, key: &[u8], value: &[u8]);
    /// Sets a row whose value is already shared; an engine that keeps it saves the copy.
    fn put_shared(&mut self, key: &[u8], value: &Bytes) {
        self.put(key, value);
    }
    /// Removes a row; removing what is absent does nothing.
    fn delete(&mut self, key: &[u8]);
    /// Removes the rows with `from <= key < to`.
    fn delete_range(&mut self, from: &[u8], to: &[u8]);
    /// Forgets all changes, so that the batch can be filled again.
    fn clear(&mut self);
}

/// Rows on their way into an engine that takes sorted ones over whole. Dropping it throws them away; so does a crash,
/// at the latest when the engine is opened again. All calls may block.
pub trait BulkLoad: Send {
    /// Adds a row, above all rows added before.
    ///
    /// # Errors
    /// As [`Engine::write`]. Nothing can be added after it.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()>;

    /// The long part of the end: afterwards [`BulkLoad::finish`] is quick.
    ///
    /// # Errors
    /// As [`Engine::write`].
    fn seal(&mut self) -> Result<()>;

    /// Adds the rows to the engine, all or none, so that they survive power loss.
    ///
    /// # Errors
    /// As [`Engine::write`].
    fn finish(self: Box<Self>) -> Result<()>;
}

/// An ordered key-value engine within the process: all that a new one has to implement.
///
/// [`OrderedStore`](super::OrderedStore) gives it catalog, conditions, revisions, markers,
/// TTL, lists, snapshots, loading beside and fencing. It calls `write` from one thread at a time.
pub trait Engine: EngineRead + Debug {
    /// Changes to be applied at once.
    type Batch: EngineBatch;
    /// A frozen image; dropping it releases what it held.
    type Image: EngineRead;

    /// Calls never wait for a disk: everything is answered on the caller's thread, and
    /// content cannot be lost short of losing the engine itself.
    const IN_MEMORY: bool;

    /// The value of `key` if it can be told without waiting for a disk, else `None`.
    ///
    /// # Errors
    /// As [`EngineRead::get`].
    fn get_cached(&self, key: &[u8]) -> Result<Option<Option<Bytes>>>;

    /// The values of `keys` as [`EngineRead::get_many`] gives them, if none of them has to wait for a disk.
    ///
    /// # Errors
    /// As [`EngineRead::get`].
    fn get_many_cached(&self, keys: &[&[u8]]) -> Result<Option<Vec<Option<Bytes>>>> {
        if Self::IN_MEMORY { self.get_many(keys).map(Some) } else { Ok(None) }
    }

    /// [`EngineRead::scan`] where no row has to wait for a disk. `false` if one would have to: what was visited
    /// then does not count.
    ///
    /// # Errors
    /// As [`EngineRead::get`].
    fn scan_cached(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<bool> {
        if Self::IN_MEMORY { self.scan(from, to, visit).map(|()| true) } else { Ok(false) }
    }

    /// An empty batch.
    fn batch(&self) -> Self::Batch;

    /// Applies a batch whole or not at all, also across a crash, and leaves it empty.
    ///
    /// # Errors
    /// As [`EngineRead::get`]; nothing was applied. `Indeterminate` if that is unknown.
    fn write(&self, batch: &mut Self::Batch, level: WriteLevel) -> Result<()>;

    /// As [`Engine::write`], but answers `false`, with nothing applied, instead of waiting
    /// where the engine throttles writers.
    ///
    /// # Errors
    /// As [`Engine::write`].
    fn try_write(&self, batch: &mut Self::Batch, level: WriteLevel) -> Result<bool> {
        self.write(batch, level).map(|()| true)
    }

    /// Takes the rows of a load on a faster way than batches; `None` where there is none.
    ///
    /// # Errors
    /// As [`Engine::write`].
    fn bulk_load(&self) -> Result<Option<Box<dyn BulkLoad>>> {
        Ok(None)
    }

    /// Makes everything written before survive power loss, unlogged writes too.
    ///
    /// # Errors
    /// As [`Engine::write`].
    fn flush(&self) -> Result<()>;

    /// Reclaims the space of removed rows.
    ///
    /// # Errors
    /// As [`Engine::write`].
    fn compact(&self) -> Result<()>;

    /// Freezes an image; writes go on beside it.
    ///
    /// # Errors
    /// As [`EngineRead::get`].
    fn image(&self) -> Result<Self::Image>;

    /// The store is closing: background work and a running [`Engine::compact`] may end early.
    fn stop(&self) {}

    /// Bytes of memory held, as far as the engine knows.
    fn memory(&self) -> u64 {
        0
    }

    /// Its name and version, e.g. `RocksDB 11.8.1`, for reports; `None` where it has none.
    fn version(&self) -> Option<String> {
        None
    }
}
