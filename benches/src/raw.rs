//! Raw RocksDB doing what a store of ours does: the same bytes, the same WAL setting, the same options.

use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DataBlockIndexType, Options, WriteBatch, WriteBufferManager,
    WriteOptions,
};
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
        let cache = Cache::new_hyper_clock_cache(memory, 0);
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(memory / 2, false, cache.clone());
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&cache);
        table.set_cache_index_and_filter_blocks(true);
        table.set_optimize_filters_for_memory(true);
        table.set_format_version(7);
        table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        table.set_bloom_filter(10.0, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_write_buffer_manager(&buffers);
        options.set_bytes_per_sync(1 << 20);
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
