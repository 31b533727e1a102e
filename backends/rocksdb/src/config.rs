//! [`Config`]: the options of a store, and what they mean to RocksDB.

use std::path::PathBuf;

use rocksdb::{
    BlockBasedOptions, BlockBasedTablePinningTier, DBCompressionType, DBRecoveryMode, DataBlockIndexType, LogLevel,
    Options as DbOptions,
};
use statehold_core::{Error, OptionReader, Options, Result};

use crate::{backend::RocksDbBackend, memory::Memory};

/// What a descriptor says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) path: PathBuf,
    pub(crate) block_cache: Option<usize>,
    pub(crate) write_buffer: Option<usize>,
    pub(crate) bloom_bits: f64,
    pub(crate) compression: Compression,
    pub(crate) warm: Warm,
    pub(crate) max_background_jobs: i32,
    pub(crate) max_open_files: i32,
}

/// How table files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Lz4,
    Zstd,
}

impl Compression {
    fn read(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "lz4" => Ok(Self::Lz4),
            "zstd" => Ok(Self::Zstd),
            other => Err(out_of_range("compression", &format!("`{}`", other.escape_debug()), "none, lz4 or zstd")),
        }
    }

    fn kind(self) -> DBCompressionType {
        match self {
            Self::None => DBCompressionType::None,
            Self::Lz4 => DBCompressionType::Lz4,
            Self::Zstd => DBCompressionType::Zstd,
        }
    }
}

/// Which new tables' blocks come into the cache as they are written: a read that finds its block there takes no hop
/// to the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Warm {
    Nothing,
    Flushed,
    /// Compacted ones too; they are the first to go where room is short.
    All,
}

impl Warm {
    fn read(text: &str) -> Result<Self> {
        match text {
            "nothing" => Ok(Self::Nothing),
            "flushed" => Ok(Self::Flushed),
            "all" => Ok(Self::All),
            other => Err(out_of_range("warm", &format!("`{}`", other.escape_debug()), "nothing, flushed or all")),
        }
    }

    /// For an open database: the C interface of its options has no such setter, `SetOptions` knows it.
    pub(crate) fn table_option(self) -> &'static str {
        match self {
            Self::Nothing => "{prepopulate_block_cache=kDisable;}",
            Self::Flushed => "{prepopulate_block_cache=kFlushOnly;}",
            Self::All => "{prepopulate_block_cache=kFlushAndCompaction;}",
        }
    }
}

/// What it takes to open a database of the store.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) options: DbOptions,
    pub(crate) warm: Warm,
}

fn out_of_range(option: &str, got: &str, allowed: &str) -> Error {
    Error::invalid(format!("option `{option}` of kind `{}` is {got}", RocksDbBackend::KIND))
        .about(option)
        .advise(format!("give {allowed}"))
}

impl Config {
    const BLOOM_BITS: f64 = 10.0;

    /// Reads and checks the options; touches no disk.
    pub(crate) fn read(options: &Options) -> Result<Self> {
        let mut reader = OptionReader::new(RocksDbBackend::KIND, options);
        let path = reader.text("path")?;
        let block_cache = reader.bytes("block_cache")?;
        let write_buffer = reader.bytes("write_buffer")?;
        let bloom_bits = reader.number("bloom_bits")?.unwrap_or(Self::BLOOM_BITS);
        let compression = reader.text("compression")?.map_or(Ok(Compression::Lz4), Compression::read)?;
        let warm = reader.text("warm")?.map_or(Ok(Warm::All), Warm::read)?;
        let jobs = reader.integer("max_background_jobs")?.unwrap_or(2);
        let files = reader.integer("max_open_files")?;
        reader.done()?;

        let path = path.filter(|p| !p.is_empty()).ok_or_else(|| {
            Error::invalid(format!("kind `{}` needs the option `path`", RocksDbBackend::KIND))
                .about("path")
                .advise("name the directory that holds the data, e.g. path = \"data\"")
        })?;
        if path == "~" || path.starts_with("~/") {
            return Err(out_of_range(
                "path",
                "a path that begins with `~`",
                "the directory's full path, e.g. \"${HOME}/data\"",
            ));
        }
        if let Some(bytes) = write_buffer.filter(|bytes| *bytes < LEAST_WRITE_BUFFER) {
            return Err(out_of_range("write_buffer", &format!("{bytes} bytes"), "at least 64 KiB"));
        }
        if !(0.0..=64.0).contains(&bloom_bits) {
            return Err(out_of_range("bloom_bits", &bloom_bits.to_string(), "0 to 64 bits a key"));
        }
        let max_background_jobs = match i32::try_from(jobs) {
            Ok(jobs @ 1..=256) => jobs,
            _ => return Err(out_of_range("max_background_jobs", &jobs.to_string(), "1 to 256 threads")),
        };
        let max_open_files = match files.map(i32::try_from) {
            None => -1,
            Some(Ok(files)) if files >= 64 => files,
            Some(_) => return Err(out_of_range("max_open_files", "out of range", "at least 64, or leave it out")),
        };
        Ok(Self {
            path: path.into(),
            block_cache,
            write_buffer,
            bloom_bits,
            compression,
            warm,
            max_background_jobs,
            max_open_files,
        })
    }

    /// How a database of the store is opened.
    pub(crate) fn setup(&self, memory: &Memory) -> Setup {
        Setup { options: self.db_options(memory), warm: self.warm }
    }

    /// RocksDB's options: its defaults but for what is set here.
    fn db_options(&self, memory: &Memory) -> DbOptions {
        let mut db = DbOptions::default();
        db.create_if_missing(true);
        db.set_paranoid_checks(true);
        // A damaged log refuses to open. The default would cut off, silently, what follows the damage.
        db.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        db.set_max_open_files(self.max_open_files);
        db.set_max_background_jobs(self.max_background_jobs);
        db.set_bytes_per_sync(1 << 20);
        let write_buffer = self.write_buffer.unwrap_or_else(|| write_buffer_of(memory.bytes));
        db.set_write_buffer_size(write_buffer);
        // Most reads find nothing in a memtable: a look at its filter spares them its skip list.
        db.set_memtable_whole_key_filtering(true);
        db.set_memtable_prefix_bloom_ratio(MEMTABLE_FILTER);
        // A native checkpoint stores anew what was merged since: less of it (decision 22).
        db.set_level_zero_file_num_compaction_trigger(FLUSHED_FILES);
        db.set_target_file_size_base(TABLE_BYTES);
        db.set_max_bytes_for_level_base(LEVEL_BYTES.max(write_buffer as u64));
        db.set_write_buffer_manager(&memory.buffers);
        db.set_compression_type(self.compression.kind());
        db.set_block_based_table_factory(&self.table_options(memory));
        // Little of it: statehold logs what matters.
        db.set_log_level(LogLevel::Warn);
        db.set_keep_log_file_num(2);
        db.set_max_log_file_size(1 << 20);
        db.set_stats_dump_period_sec(0);
        db.set_stats_persist_period_sec(0);
        db
    }

    fn table_options(&self, memory: &Memory) -> BlockBasedOptions {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&memory.cache);
        // Indexes and filters count towards the budget too; those of fresh files stay in memory.
        table.set_cache_index_and_filter_blocks(true);
        table.set_unpartitioned_pinning_tier(BlockBasedTablePinningTier::FlushAndSimilar);
        table.set_optimize_filters_for_memory(true);
        table.set_format_version(FORMAT_VERSION);
        table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        if self.bloom_bits > 0.0 {
            table.set_bloom_filter(self.bloom_bits, false);
        }
        table
    }
}

/// A memtable for a process with so much memory: several have room, as one fills while others are flushed.
fn write_buffer_of(memory: usize) -> usize {
    (memory / 8).clamp(LEAST_WRITE_BUFFER, MOST_WRITE_BUFFER)
}

const LEAST_WRITE_BUFFER: usize = 64 << 10;
/// RocksDB's own default.
const MOST_WRITE_BUFFER: usize = 64 << 20;

/// The share of a memtable that its filter takes: about 20 bits an entry of 100 bytes.
const MEMTABLE_FILTER: f64 = 0.02;

/// So many flushed tables are merged at once.
const FLUSHED_FILES: i32 = 8;
/// The size of a merged table.
const TABLE_BYTES: u64 = 8 << 20;
/// The size from which on a level is put above the last.
const LEVEL_BYTES: u64 = 32 << 20;

/// Of table files: the newest that the linked RocksDB writes.
const FORMAT_VERSION: i32 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use statehold_core::ErrorKind;

    fn refused(options: &Options, option: &str) {
        let e = Config::read(options).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
        assert_eq!(e.subject(), Some(option), "{e}");
        assert!(e.advice().is_some(), "{e}");
    }

    #[test]
    fn defaults_need_nothing_but_a_path() {
        let config = Config::read(&Options::new().with("path", "data")).unwrap();
        assert_eq!(config.path, PathBuf::from("data"));
        assert_eq!((config.write_buffer, config.bloom_bits), (None, 10.0));
        assert_eq!((config.compression, config.max_open_files), (Compression::Lz4, -1));
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        let options = || Options::new().with("path", "data");
        refused(&Options::new(), "path");
        refused(&Options::new().with("path", ""), "path");
        refused(&Options::new().with("path", "~/data"), "path");
        refused(&options().with("compression", "gzip"), "compression");
        refused(&options().with("bloom_bits", -1.0), "bloom_bits");
        refused(&options().with("bloom_bits", f64::NAN), "bloom_bits");
        refused(&options().with("max_background_jobs", 0), "max_background_jobs");
        refused(&options().with("max_open_files", 3), "max_open_files");
        refused(&options().with("write_buffer", "1 KiB"), "write_buffer");
        refused(&options().with("block_cash", "1 MiB"), "block_cash");
    }
}
