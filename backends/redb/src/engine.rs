//! [`RedbEngine`]: reads, writes and images of one redb file.

use bytes::Bytes;
use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition};
use statehold_core::{
    Result,
    ordered::{Engine, EngineBatch, EngineRead, Visit, WriteLevel},
};

use crate::{
    batch::RedbBatch,
    error::{of, uncommitted},
};

const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("rows");

/// The version that this crate is built with, which redb does not tell.
const REDB: &str = "4.6.0";

/// An open file. redb locks it, and lets go when this is dropped.
#[derive(Debug)]
pub(crate) struct RedbEngine(Database);

/// The rows at one instant: a read transaction, which keeps its pages for as long as it lives.
pub(crate) struct RedbImage(ReadOnlyTable<&'static [u8], &'static [u8]>);

impl RedbEngine {
    /// Makes the table, so that every later transaction finds it.
    pub(crate) fn new(database: Database) -> Result<Self> {
        let engine = Self(database);
        engine.write(&mut RedbBatch::default(), WriteLevel::Synced)?;
        Ok(engine)
    }
}

impl EngineRead for RedbImage {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let found = self.0.get(key).map_err(of)?;
        Ok(found.map(|value| Bytes::copy_from_slice(value.value())))
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        for row in self.0.range(from..to).map_err(of)? {
            let (key, value) = row.map_err(of)?;
            if visit(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Each read is a transaction of its own, hence one point in time.
impl EngineRead for RedbEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.image()?.get(key)
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        self.image()?.get_many(keys)
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        self.image()?.scan(from, to, visit)
    }
}

impl Engine for RedbEngine {
    type Batch = RedbBatch;
    type Image = RedbImage;

    const IN_MEMORY: bool = false;

    /// redb does not tell what its cache holds: every read may wait, and goes to the blocking pool.
    fn get_cached(&self, _: &[u8]) -> Result<Option<Option<Bytes>>> {
        Ok(None)
    }

    fn batch(&self) -> RedbBatch {
        RedbBatch::default()
    }

    fn write(&self, batch: &mut RedbBatch, level: WriteLevel) -> Result<()> {
        let mut transaction = self.0.begin_write().map_err(of)?;
        // redb has no log: what is to survive this process has to be synced.
        let durability = if level == WriteLevel::Unlogged { Durability::None } else { Durability::Immediate };
        transaction.set_durability(durability).map_err(of)?;
        {
            let mut rows = transaction.open_table(ROWS).map_err(of)?;
            batch.apply(&mut rows).map_err(of)?;
        }
        transaction.commit().map_err(uncommitted)?;
        batch.clear();
        Ok(())
    }

    /// A commit that is synced takes all earlier ones with it.
    fn flush(&self) -> Result<()> {
        self.write(&mut RedbBatch::default(), WriteLevel::Synced)
    }

    /// redb fills free pages again by itself; giving them back to the system takes a database that nobody reads.
    fn compact(&self) -> Result<()> {
        Ok(())
    }

    fn image(&self) -> Result<RedbImage> {
        let transaction = self.0.begin_read().map_err(of)?;
        transaction.open_table(ROWS).map(RedbImage).map_err(of)
    }

    fn version(&self) -> Option<String> {
        Some(format!("redb {REDB}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_in_the_lock_file() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
        let (_, package) = lock.split_once("name = \"redb\"\nversion = \"").unwrap();
        assert_eq!(package.split_once('"').unwrap().0, REDB);
    }
}
