//! [`RocksBatch`]: rows to be written at once.

use rocksdb::{DB, WriteBatch, WriteOptions};
use statehold_core::ordered::EngineBatch;

/// Room is made for at most so many bytes before they are there.
const KEPT: usize = 64 << 10;

/// A single put or delete, the commonest batch, is kept in buffers that are used again; a second change
/// makes it a RocksDB batch.
#[derive(Default)]
pub(crate) struct RocksBatch {
    single: Single,
    key: Vec<u8>,
    value: Vec<u8>,
    many: Option<WriteBatch>,
    /// Of the last batch of many: the next has room for as much.
    bytes: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Single {
    #[default]
    None,
    Put,
    Delete,
}

impl RocksBatch {
    fn many(&mut self) -> &mut WriteBatch {
        let many = self.many.get_or_insert_with(|| WriteBatch::with_capacity_bytes(self.bytes));
        match std::mem::take(&mut self.single) {
            Single::None => {}
            Single::Put => many.put(&self.key, &self.value),
            Single::Delete => many.delete(&self.key),
        }
        many
    }

    fn hold(&mut self, single: Single, key: &[u8], value: &[u8]) {
        self.single = single;
        self.key.clear();
        self.key.extend_from_slice(key);
        self.value.clear();
        self.value.extend_from_slice(value);
    }

    fn is_empty(&self) -> bool {
        self.single == Single::None && self.many.is_none()
    }

    /// Writes all of it, and is empty afterwards.
    pub(crate) fn write(&mut self, db: &DB, options: &WriteOptions) -> Result<(), rocksdb::Error> {
        let outcome = match self.many.take() {
            Some(many) => {
                self.bytes = many.size_in_bytes().min(KEPT);
                db.write_opt(many, options)
            }
            None => self.write_single(db, options),
        };
        self.single = Single::None;
        outcome
    }

    /// Writes all of it, and keeps it: RocksDB takes batches away from who writes them.
    pub(crate) fn try_write(&self, db: &DB, options: &WriteOptions) -> Result<(), rocksdb::Error> {
        match &self.many {
            Some(many) => db.write_opt(WriteBatch::from_data(many.data()), options),
            None => self.write_single(db, options),
        }
    }

    fn write_single(&self, db: &DB, options: &WriteOptions) -> Result<(), rocksdb::Error> {
        match self.single {
            Single::None => Ok(()),
            Single::Put => db.put_opt(&self.key, &self.value, options),
            Single::Delete => db.delete_opt(&self.key, options),
        }
    }
}

impl EngineBatch for RocksBatch {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        if self.is_empty() {
            self.hold(Single::Put, key, value);
        } else {
            self.many().put(key, value);
        }
    }

    fn delete(&mut self, key: &[u8]) {
        if self.is_empty() {
            self.hold(Single::Delete, key, &[]);
        } else {
            self.many().delete(key);
        }
    }

    fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        self.many().delete_range(from, to);
    }

    fn clear(&mut self) {
        self.single = Single::None;
        self.many = None;
    }
}
