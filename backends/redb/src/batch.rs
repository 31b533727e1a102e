//! [`RedbBatch`]: changes that wait for their transaction.

use bytes::Bytes;
use redb::{StorageError, Table};
use statehold_core::ordered::EngineBatch;

/// The rows: keys and values are bytes to redb, ordered as bytes.
pub(crate) type Rows<'t> = Table<'t, &'static [u8], &'static [u8]>;

enum Change {
    Put(Vec<u8>, Bytes),
    Delete(Vec<u8>),
    DeleteRange(Vec<u8>, Vec<u8>),
}

/// Changes in the order they were added: a later one overrules an earlier one.
#[derive(Default)]
pub(crate) struct RedbBatch(Vec<Change>);

impl RedbBatch {
    pub(crate) fn apply(&self, rows: &mut Rows<'_>) -> Result<(), StorageError> {
        for change in &self.0 {
            match change {
                Change::Put(key, value) => drop(rows.insert(&key[..], &value[..])?),
                Change::Delete(key) => drop(rows.remove(&key[..])?),
                Change::DeleteRange(from, to) if from < to => rows.retain_in(&from[..]..&to[..], |_, _| false)?,
                Change::DeleteRange(..) => {}
            }
        }
        Ok(())
    }
}

impl EngineBatch for RedbBatch {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.push(Change::Put(key.to_vec(), Bytes::copy_from_slice(value)));
    }

    fn put_shared(&mut self, key: &[u8], value: &Bytes) {
        self.0.push(Change::Put(key.to_vec(), value.clone()));
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
