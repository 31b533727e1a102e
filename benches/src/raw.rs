//! Raw RocksDB doing what a store of ours does: the same bytes, the same WAL setting, the options of
//! `backends/rocksdb/src/config.rs` as they are for a store without options of its own.

mod checkpoints;
mod client;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use rocksdb::{
    BlockBasedOptions, BlockBasedTablePinningTier, Cache, DB, DBCompressionType, DataBlockIndexType, Options,
    WriteBatch, WriteBufferManager, WriteOptions,
};
use statehold::{Error, Result};
use statehold_bench_kit::{Access, case::Open, op::Step};

use self::client::key_of;
pub use self::{
    checkpoints::{Copies, disk},
    client::Rocks,
};
use crate::sides::{State, raw_value};

/// One database, and where its files are copied.
pub struct RawRocks {
    client: Rocks,
    wal: bool,
    memory: usize,
    copies: Option<Copies>,
    /// Of before a restore: to close it is no part of that.
    former: Option<Rocks>,
}

fn failed(e: rocksdb::Error) -> Error {
    Error::internal("raw RocksDB failed").because(e)
}

impl RawRocks {
    /// A database in `folder` with `memory` bytes for caches and buffers.
    ///
    /// # Errors
    /// What RocksDB fails with.
    pub fn open(folder: &Path, memory: usize, wal: bool) -> Result<Self> {
        let cache = Cache::new_hyper_clock_cache(memory, 0);
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(memory / 2, false, cache.clone());
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&cache);
        table.set_cache_index_and_filter_blocks(true);
        table.set_unpartitioned_pinning_tier(BlockBasedTablePinningTier::FlushAndSimilar);
        table.set_optimize_filters_for_memory(true);
        table.set_format_version(7);
        table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        table.set_bloom_filter(10.0, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_write_buffer_manager(&buffers);
        let write_buffer = (memory / 8).clamp(64 << 10, 64 << 20);
        options.set_write_buffer_size(write_buffer);
        options.set_level_zero_file_num_compaction_trigger(8);
        options.set_target_file_size_base(8 << 20);
        options.set_max_bytes_for_level_base((32 << 20).max(write_buffer as u64));
        options.set_bytes_per_sync(1 << 20);
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.02);
        options.set_max_background_jobs(2);
        let db = DB::open(&options, folder).map_err(failed)?;
        let warm = [("block_based_table_factory", "{prepopulate_block_cache=kFlushAndCompaction;}")];
        db.set_options(&warm).map_err(failed)?;
        Ok(Self { client: Rocks::new(Arc::new(db), wal), wal, memory, copies: None, former: None })
    }

    /// The raw side of a bench.
    pub(crate) fn of(open: &Open) -> Result<Self> {
        let wal = match open.durability.as_deref() {
            Some("visible") | None => false,
            Some("process") => true,
            Some(other) => return Err(Error::unsupported(format!("raw RocksDB is not measured at `{other}`"))),
        };
        let dir = &open.place.dir;
        let mut raw = Self::open(&dir.join("raw"), open.memory, wal)?;
        raw.copies = Some(Copies::new(dir, &dir.join("copies"))?);
        Ok(raw)
    }

    /// Writes these rows at once.
    ///
    /// # Errors
    /// What RocksDB fails with.
    pub fn write(&self, rows: impl IntoIterator<Item = (u64, Bytes)>) -> Result<()> {
        let mut batch = WriteBatch::default();
        rows.into_iter().for_each(|(key, value)| batch.put(key_of(State::Values, key, None), raw_value(&value)));
        let mut options = WriteOptions::default();
        options.disable_wal(!self.wal);
        self.client.db.write_opt(batch, &options).map_err(failed)
    }

    /// RocksDB's own checkpoint in `folder`, which must not be there.
    ///
    /// # Errors
    /// What RocksDB fails with.
    pub fn checkpoint(&self, folder: &Path) -> Result<()> {
        let checkpoint = rocksdb::checkpoint::Checkpoint::new(&self.client.db).map_err(failed)?;
        checkpoint.create_checkpoint(folder).map_err(failed)
    }
}

impl Access for RawRocks {
    type Client = Rocks;

    async fn client(&mut self) -> Result<Rocks> {
        Ok(self.client.clone())
    }

    async fn step(&mut self, step: Step) -> Result<()> {
        let Some(mut copies) = self.copies.take() else { return Err(Error::unsupported("nowhere to copy files to")) };
        let done = match step {
            Step::Checkpoint(id) => copies.checkpoint(self, id, false),
            Step::Savepoint(id) => copies.checkpoint(self, id, true),
            Step::Restore(id) => {
                let restored = copies.restore(id, self.memory, self.wal);
                restored.map(|restored| self.former = Some(std::mem::replace(&mut self.client, restored.client)))
            }
            _ => Err(Error::unsupported("raw RocksDB has no key groups to share out")),
        };
        self.copies = Some(copies);
        done
    }

    fn durability(&self) -> String {
        if self.wal { "process" } else { "visible" }.to_owned()
    }

    fn engine(&self) -> Option<String> {
        None
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}
