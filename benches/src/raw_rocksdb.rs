//! Raw RocksDB doing what a store of ours does: the same bytes, the same WAL setting, the same options.

use bytes::Bytes;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DataBlockIndexType, Options, WriteBatch, WriteBufferManager,
    WriteOptions, checkpoint::Checkpoint,
};
use statehold::{Error, Result};

use crate::ratio::driver::{Driver, group_of, raw_value};

/// Group and table before each key: what our layout writes.
const KEY_PREFIX: usize = 6;

/// One database and its write options.
pub(crate) struct RawRocks {
    db: DB,
    write: WriteOptions,
}

fn failed(e: rocksdb::Error) -> Error {
    Error::internal("raw RocksDB failed").because(e)
}

impl RawRocks {
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

    /// Writes these rows at once.
    pub(crate) fn write(&self, rows: impl IntoIterator<Item = (u64, Bytes)>) -> Result<()> {
        let mut batch = WriteBatch::default();
        rows.into_iter().for_each(|(key, value)| batch.put(raw_key(&[key]), raw_value(&value)));
        self.db.write_opt(batch, &self.write).map_err(failed)
    }

    /// RocksDB's own checkpoint in `folder`, which must not be there.
    pub(crate) fn checkpoint(&self, folder: &std::path::Path) -> Result<()> {
        let checkpoint = Checkpoint::new(&self.db).map_err(failed)?;
        checkpoint.create_checkpoint(folder).map_err(failed)
    }
}

/// A raw key of `parts`, as long as ours.
fn raw_key(parts: &[u64]) -> Vec<u8> {
    let mut key = vec![0; KEY_PREFIX];
    parts.iter().for_each(|part| key.extend_from_slice(&part.to_be_bytes()));
    if let (Some(place), Some(first)) = (key.get_mut(1), parts.first()) {
        *place = group_of(*first);
    }
    key
}

/// The key of a map, apart from the values'.
fn of_map(key: u64) -> u64 {
    1 << 40 | key
}

impl Driver for RawRocks {
    async fn put(&mut self, key: u64, value: Bytes) -> Result<()> {
        self.db.put_opt(raw_key(&[key]), raw_value(&value), &self.write).map_err(failed)
    }

    async fn get(&mut self, key: u64) -> Result<()> {
        self.db.get(raw_key(&[key])).map(drop).map_err(failed)
    }

    async fn put_entry(&mut self, key: u64, sub: u64, value: Bytes) -> Result<()> {
        self.db.put_opt(raw_key(&[of_map(key), sub]), raw_value(&value), &self.write).map_err(failed)
    }

    async fn get_entry(&mut self, key: u64, sub: u64) -> Result<()> {
        self.db.get(raw_key(&[of_map(key), sub])).map(drop).map_err(failed)
    }

    async fn put_many(&mut self, rows: Vec<(u64, Bytes)>) -> Result<()> {
        self.write(rows)
    }

    async fn get_many(&mut self, keys: &[u64]) -> Result<()> {
        let found = self.db.multi_get(keys.iter().map(|key| raw_key(&[*key])));
        found.into_iter().try_for_each(|value| value.map(drop)).map_err(failed)
    }
}
