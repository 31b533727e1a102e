//! [`MemoryEngine`]: the content of one store, shared with the backend that keeps it.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use statehold_core::{
    Result,
    ordered::{Engine, EngineBatch, EngineRead, Visit, WriteLevel},
};

use crate::content::Content;

/// Holds the store's lock too: dropping the engine ends the exclusive open.
#[derive(Debug)]
pub(crate) struct MemoryEngine {
    content: Arc<RwLock<Content>>,
    /// Given back when the engine goes.
    _lock: Option<Held>,
}

/// The exclusive open of a range: alive while somebody has it open.
#[derive(Debug)]
pub(crate) struct Held(#[allow(dead_code, reason = "its life is what counts")] pub(crate) Arc<()>);

impl MemoryEngine {
    pub(crate) fn new(content: Arc<RwLock<Content>>, lock: Option<Held>) -> Self {
        Self { content, _lock: lock }
    }
}

impl EngineRead for MemoryEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.content.read().get(key)
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        self.content.read().get_many(keys)
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        self.content.read().scan(from, to, visit)
    }
}

/// One change to be applied.
enum Change {
    Put(Bytes, Bytes),
    Delete(Bytes),
    DeleteRange(Bytes, Bytes),
}

/// Changes in the order they came.
#[derive(Default)]
pub(crate) struct MemoryBatch(Vec<Change>);

impl EngineBatch for MemoryBatch {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.push(Change::Put(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
    }

    fn put_shared(&mut self, key: &[u8], value: &Bytes) {
        self.0.push(Change::Put(Bytes::copy_from_slice(key), value.clone()));
    }

    fn delete(&mut self, key: &[u8]) {
        self.0.push(Change::Delete(Bytes::copy_from_slice(key)));
    }

    fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        self.0.push(Change::DeleteRange(Bytes::copy_from_slice(from), Bytes::copy_from_slice(to)));
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Engine for MemoryEngine {
    type Batch = MemoryBatch;
    type Image = Content;

    const IN_MEMORY: bool = true;

    fn get_cached(&self, key: &[u8]) -> Result<Option<Option<Bytes>>> {
        self.get(key).map(Some)
    }

    fn batch(&self) -> MemoryBatch {
        MemoryBatch::default()
    }

    /// Readers see all of it or nothing: they wait for the lock.
    fn write(&self, batch: &mut MemoryBatch, _: WriteLevel) -> Result<()> {
        let mut content = self.content.write();
        for change in batch.0.drain(..) {
            match change {
                Change::Put(key, value) => content.put(key, value),
                Change::Delete(key) => content.delete(&key),
                Change::DeleteRange(from, to) => content.delete_range(&from, &to),
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&self) -> Result<()> {
        Ok(())
    }

    fn image(&self) -> Result<Content> {
        Ok(self.content.read().clone())
    }

    fn memory(&self) -> u64 {
        self.content.read().bytes()
    }
}
