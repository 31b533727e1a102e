//! Raw RocksDB doing what a store of ours does: the same bytes, the same WAL setting, the same options.

use rocksdb::{BlockBasedOptions, Cache, DB, Options, WriteBatch, WriteOptions};
use statehold::{Error, Result};

/// One database and its write options.
pub(crate) struct Raw {
    db: DB,
    write: WriteOptions,
}

fn failed(e: rocksdb::Error) -> Error {
    Error::internal("raw RocksDB failed").because(e)
}

impl Raw {
    pub(crate) fn open(folder: &std::path::Path, memory: usize, wal: bool) -> Result<Self> {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&Cache::new_lru_cache(memory / 2));
        table.set_bloom_filter(10.0, false);
        table.set_format_version(6);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_compression_type(rocksdb::DBCompressionType::Lz4);
        options.set_max_background_jobs(2);
        let db = DB::open(&options, folder).map_err(failed)?;
        let mut write = WriteOptions::default();
        write.disable_wal(!wal);
        Ok(Self { db, write })
    }

    pub(crate) fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.db.put_opt(key, value, &self.write).map_err(failed)
    }

    pub(crate) fn put_all<'a>(&self, rows: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<()> {
        let mut batch = WriteBatch::default();
        rows.for_each(|(key, value)| batch.put(key, value));
        self.db.write_opt(batch, &self.write).map_err(failed)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get(key).map_err(failed)
    }

    pub(crate) fn get_all(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.db.multi_get(keys).into_iter().map(|found| found.map_err(failed)).collect()
    }
}
