//! [`MapEngine`]: an ordered engine that begins with rows which somebody else wrote.

use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use statehold_core::{
    Capabilities, Durability, KeyGroups, Limits, Name, OpenRequest, Options, Ownership, Result, Unclean,
    ordered::{Engine, EngineBatch, EngineRead, OrderedStore, Visit, WriteLevel},
};

pub type Rows = BTreeMap<Vec<u8>, Bytes>;

/// Rows in a map. A clone is the same engine.
#[derive(Debug, Clone, Default)]
pub struct MapEngine(Arc<Mutex<Rows>>);

impl MapEngine {
    #[must_use]
    pub fn new(rows: Rows) -> Self {
        Self(Arc::new(Mutex::new(rows)))
    }

    pub fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store of the namespace `orders` with 8 key groups, on what the engine holds.
///
/// # Errors
/// What [`OrderedStore::open`] fails with.
pub fn open(engine: MapEngine) -> Result<Arc<OrderedStore<MapEngine>>> {
    let request = OpenRequest {
        store: "local".into(),
        namespace: Name::new("orders")?,
        groups: KeyGroups::all(8)?,
        ownership: Ownership::Exclusive,
        durability: Durability::Process,
        limits: Limits::default(),
        unclean: Unclean::Recover,
        options: Options::new(),
        resources: crate::resources(),
    };
    OrderedStore::open(engine, &request, Capabilities::in_process())
}

pub struct Image(Rows);

impl EngineRead for Image {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.0.get(key).cloned())
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        for (key, value) in self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to))) {
            if let ControlFlow::Break(()) = visit(key, value) {
                break;
            }
        }
        Ok(())
    }
}

impl EngineRead for MapEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.rows().get(key).cloned())
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        self.image()?.scan(from, to, visit)
    }
}

enum Change {
    Put(Vec<u8>, Bytes),
    Delete(Vec<u8>),
    DeleteRange(Vec<u8>, Vec<u8>),
}

#[derive(Default)]
pub struct Changes(Vec<Change>);

impl EngineBatch for Changes {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.push(Change::Put(key.to_vec(), Bytes::copy_from_slice(value)));
    }

    fn delete(&mut self, key: &[u8]) {
        self.0.push(Change::Delete(key.to_vec()));
    }

    fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        self.0.push(Change::DeleteRange(from.to_vec(), to.to_vec()));
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Engine for MapEngine {
    type Batch = Changes;
    type Image = Image;

    const IN_MEMORY: bool = true;

    fn get_cached(&self, key: &[u8]) -> Result<Option<Option<Bytes>>> {
        self.get(key).map(Some)
    }

    fn batch(&self) -> Changes {
        Changes::default()
    }

    fn write(&self, batch: &mut Changes, _: WriteLevel) -> Result<()> {
        let mut rows = self.rows();
        for change in batch.0.drain(..) {
            match change {
                Change::Put(key, value) => drop(rows.insert(key, value)),
                Change::Delete(key) => drop(rows.remove(&key)),
                Change::DeleteRange(from, to) => rows.retain(|row, _| *row < from || *row >= to),
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

    fn image(&self) -> Result<Image> {
        Ok(Image(self.rows().clone()))
    }
}
