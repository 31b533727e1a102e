//! [`RocksEngine`]: RocksDB behind core's `Engine`.

use std::{fmt, fs::File, path::PathBuf, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use rocksdb::{
    BottommostLevelCompaction, CompactOptions, DB, DBPinnableSlice, DEFAULT_COLUMN_FAMILY_NAME, ErrorKind, ReadOptions,
    ReadTier, WriteOptions,
};
use statehold_core::{
    Result,
    ordered::{BulkLoad, Engine, EngineBatch, EngineRead, Visit, WriteLevel},
};

use crate::{
    batch::RocksBatch,
    bulk::RocksBulk,
    config::Setup,
    error::{background_error, translate, unwritten},
    files::{aside_of, random_name},
    image::RocksImage,
    memory::Memory,
};

/// An open directory. Dropping it releases the lock, once its images are gone too.
pub(crate) struct RocksEngine {
    pub(crate) db: Arc<DB>,
    /// With which it was opened.
    pub(crate) setup: Setup,
    pub(crate) memory: Arc<Memory>,
    pub(crate) own_cache: bool,
    /// Locked as long as this is open for writing.
    pub(crate) lock: Option<File>,
    pub(crate) session: String,
    pub(crate) aside: PathBuf,
    plain: ReadOptions,
    cached: ReadOptions,
    /// Write options by level: those that wait, those that do not.
    levels: [(WriteOptions, WriteOptions); 3],
}

impl fmt::Debug for RocksEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksEngine").field("path", &self.db.path()).finish_non_exhaustive()
    }
}

fn write_options(level: WriteLevel) -> (WriteOptions, WriteOptions) {
    let make = |no_slowdown| {
        let mut options = WriteOptions::default();
        options.disable_wal(level == WriteLevel::Unlogged);
        options.set_sync(level == WriteLevel::Synced);
        options.set_no_slowdown(no_slowdown);
        options
    };
    (make(false), make(true))
}

impl RocksEngine {
    pub(crate) fn new(db: DB, setup: Setup, memory: Arc<Memory>, own_cache: bool, lock: Option<File>) -> Result<Self> {
        let mut cached = ReadOptions::default();
        cached.set_read_tier(ReadTier::BlockCache);
        let levels = [WriteLevel::Unlogged, WriteLevel::Logged, WriteLevel::Synced].map(write_options);
        Ok(Self {
            session: random_name()?,
            aside: aside_of(db.path()),
            db: Arc::new(db),
            setup,
            memory,
            own_cache,
            lock,
            plain: ReadOptions::default(),
            cached,
            levels,
        })
    }

    fn options(&self, level: WriteLevel) -> &(WriteOptions, WriteOptions) {
        match level {
            WriteLevel::Unlogged => &self.levels[0],
            WriteLevel::Logged => &self.levels[1],
            WriteLevel::Synced => &self.levels[2],
        }
    }

    /// Something failed in the background, and nothing works at what writers wait for.
    fn is_stuck(&self) -> bool {
        self.number(BACKGROUND_ERRORS) > 0
            && self.number("rocksdb.num-running-flushes") == 0
            && self.number("rocksdb.num-running-compactions") == 0
    }

    /// Compacts the files with rows `from..=to`; `None` is either end.
    pub(crate) fn compact_between(
        &self,
        from: Option<&Vec<u8>>,
        to: Option<&Vec<u8>>,
        options: &CompactOptions,
    ) -> Result<()> {
        let before = self.number(BACKGROUND_ERRORS);
        self.db.compact_range_opt(from, to, options);
        // RocksDB's C interface does not tell how a compaction ended.
        if self.number(BACKGROUND_ERRORS) > before { Err(background_error(self.db.path())) } else { Ok(()) }
    }

    fn number(&self, property: &str) -> u64 {
        self.db.property_int_value(property).ok().flatten().unwrap_or(0)
    }
}

fn copied(value: Option<DBPinnableSlice<'_>>) -> Option<Bytes> {
    value.map(|value| Bytes::copy_from_slice(&value))
}

pub(crate) fn get(db: &DB, key: &[u8], options: &ReadOptions) -> Result<Option<Bytes>> {
    db.get_pinned_opt(key, options).map(copied).map_err(translate)
}

pub(crate) fn get_many(db: &DB, keys: &[&[u8]], options: &ReadOptions) -> Result<Vec<Option<Bytes>>> {
    get_many_raw(db, keys, options).map_err(translate)
}

/// One point in time: within a column family RocksDB reads all keys at one sequence number.
fn get_many_raw(db: &DB, keys: &[&[u8]], options: &ReadOptions) -> Result<Vec<Option<Bytes>>, rocksdb::Error> {
    let Some(family) = db.cf_handle(DEFAULT_COLUMN_FAMILY_NAME) else {
        // Every database is opened with it.
        return db.multi_get_opt(keys, options).into_iter().map(|value| Ok(value?.map(Bytes::from))).collect();
    };
    let found = db.batched_multi_get_cf_opt(family, keys.iter().copied(), keys.is_sorted(), options);
    found.into_iter().map(|value| value.map(copied)).collect()
}

/// A write's outcome; `None` if it would have had to wait.
fn unless_stalled(outcome: Result<(), rocksdb::Error>) -> Result<Option<()>> {
    match outcome {
        Ok(()) => Ok(Some(())),
        Err(e) if e.kind() == ErrorKind::Incomplete && e.as_ref().contains("Write stall") => Ok(None),
        Err(e) => Err(unwritten(e)),
    }
}

/// `None` where RocksDB would have had to wait and was told not to.
fn unless_incomplete<T>(outcome: Result<T, rocksdb::Error>) -> Result<Option<T>> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(e) if e.kind() == ErrorKind::Incomplete => Ok(None),
        Err(e) => Err(translate(e)),
    }
}

pub(crate) fn scan(db: &DB, from: &[u8], to: &[u8], options: ReadOptions, visit: Visit<'_>) -> Result<()> {
    scan_raw(db, from, to, options, visit).map_err(translate)
}

fn scan_raw(db: &DB, from: &[u8], to: &[u8], mut options: ReadOptions, visit: Visit<'_>) -> Result<(), rocksdb::Error> {
    if from >= to {
        return Ok(());
    }
    options.set_iterate_upper_bound(to);
    let mut rows = db.raw_iterator_opt(options);
    rows.seek(from);
    while let Some((key, value)) = rows.item() {
        if visit(key, value).is_break() {
            return Ok(());
        }
        rows.next();
    }
    rows.status()
}

impl EngineRead for RocksEngine {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        get(&self.db, key, &self.plain)
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        get_many(&self.db, keys, &self.plain)
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        scan(&self.db, from, to, ReadOptions::default(), visit)
    }
}

impl Engine for RocksEngine {
    type Batch = RocksBatch;
    type Image = RocksImage;

    const IN_MEMORY: bool = false;

    /// Trying the cache first costs little: a look-up that fails takes 0.9 us, where the read that then
    /// follows takes 2.7 us from the page cache alone, and a hop to the pool besides.
    fn get_cached(&self, key: &[u8]) -> Result<Option<Option<Bytes>>> {
        unless_incomplete(self.db.get_pinned_opt(key, &self.cached).map(copied))
    }

    fn get_many_cached(&self, keys: &[&[u8]]) -> Result<Option<Vec<Option<Bytes>>>> {
        unless_incomplete(get_many_raw(&self.db, keys, &self.cached))
    }

    fn scan_cached(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<bool> {
        let mut options = ReadOptions::default();
        options.set_read_tier(ReadTier::BlockCache);
        let scanned = unless_incomplete(scan_raw(&self.db, from, to, options, visit))?;
        Ok(scanned.is_some())
    }

    fn batch(&self) -> RocksBatch {
        RocksBatch::default()
    }

    fn write(&self, batch: &mut RocksBatch, level: WriteLevel) -> Result<()> {
        let (waiting, at_once) = self.options(level);
        let mut stuck = 0;
        // RocksDB itself would wait, for ever, for the space that lets a failed flush go on.
        while unless_stalled(batch.try_write(&self.db, at_once))?.is_none() {
            if self.number("rocksdb.is-write-stopped") == 0 {
                // Only slowed down: RocksDB keeps the pace.
                return batch.write(&self.db, waiting).map_err(unwritten);
            }
            stuck = if self.is_stuck() { stuck + 1 } else { 0 };
            if stuck == STUCK_LOOKS {
                return Err(background_error(self.db.path()));
            }
            thread::sleep(LOOK_AGAIN);
        }
        batch.clear();
        Ok(())
    }

    fn try_write(&self, batch: &mut RocksBatch, level: WriteLevel) -> Result<bool> {
        Ok(unless_stalled(batch.write(&self.db, &self.options(level).1))?.is_some())
    }

    fn bulk_load(&self) -> Result<Option<Box<dyn BulkLoad>>> {
        Ok(Some(Box::new(RocksBulk::begin(self)?)))
    }

    /// Written tables survive power loss, logged writes with their log.
    fn flush(&self) -> Result<()> {
        self.db.flush().map_err(translate)
    }

    fn compact(&self) -> Result<()> {
        let mut options = CompactOptions::default();
        options.set_exclusive_manual_compaction(false);
        options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
        self.compact_between(None, None, &options)
    }

    fn image(&self) -> Result<RocksImage> {
        RocksImage::take(&self.db)
    }

    fn stop(&self) {
        self.db.cancel_all_background_work(false);
    }

    /// Memtables and open tables of this store, and its share of the block cache, to which memtables are charged.
    fn memory(&self) -> u64 {
        let tables = self.number("rocksdb.estimate-table-readers-mem");
        let cache = self.memory.cache.get_usage() as u64;
        if self.own_cache {
            return tables + cache + self.number("rocksdb.cur-size-all-mem-tables");
        }
        // One holder is the process's resources, all others are stores.
        let stores = Arc::strong_count(&self.memory).saturating_sub(1).max(1);
        tables + cache / stores as u64
    }

    fn version(&self) -> Option<String> {
        Some(format!("RocksDB {ROCKSDB}"))
    }
}

/// What librocksdb-sys compiles; its C interface does not tell.
const ROCKSDB: &str = "11.8.1";

/// How often a stopped writer looks whether he can go on.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// So many looks in a row at a stuck engine make the write fail.
const STUCK_LOOKS: u32 = 100;
const BACKGROUND_ERRORS: &str = "rocksdb.background-errors";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_in_the_lock_file() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
        let (_, package) = lock.split_once("name = \"librocksdb-sys\"\nversion = \"").unwrap();
        // `0.19.0+11.8.1`: the crate's own, and what it compiles.
        let (version, _) = package.split_once('"').unwrap();
        assert_eq!(version.split_once('+').unwrap().1, ROCKSDB);
    }
}
