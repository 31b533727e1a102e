//! Finding or making a store's directory, and opening it.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    time::Duration,
};

use rocksdb::{DB, DEFAULT_COLUMN_FAMILY_NAME};
use statehold_core::{Error, ErrorKind, OpenRequest, Ownership, Result, ordered::place};

use crate::{
    config::{Config, Setup},
    engine::RocksEngine,
    error::translate,
    files::clear_aside,
    memory::Memory,
};

/// How often, and how far apart, a lock is tried that somebody holds.
const LOCK_TRIES: u32 = 25;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

impl RocksEngine {
    /// Opens `<path>/<namespace>/groups-<start>-<end>`.
    pub(crate) fn open(config: &Config, request: &OpenRequest) -> Result<Self> {
        let path = place::of(&config.path, request)?;
        let memory = Memory::of(&request.resources, config.block_cache)?;
        let setup = config.setup(&memory);
        check_current(&path)?;
        let mut lock = None;
        let db = if request.ownership == Ownership::ReadOnly {
            if !path.join("CURRENT").exists() {
                return Err(Error::new(ErrorKind::NotFound, format!("there is no store in `{}`", path.display()))
                    .about(path.display().to_string())
                    .advise("open it with exclusive ownership once, or look elsewhere"));
            }
            open_db(&setup, &path, true)
        } else {
            place::make(&path)?;
            lock = Some(take_lock(&path)?);
            clear_aside(&path)?;
            open_db(&setup, &path, false)
        };
        let db = db.map_err(|e| if is_lock(&e) { held(&path, &path.join("LOCK"), e) } else { translate(e) })?;
        Self::new(db, setup, memory, config.block_cache.is_some(), lock)
    }
}

/// Tells a store whose `CURRENT` is lost from one that is not there: RocksDB would begin a new one over its tables.
fn check_current(path: &Path) -> Result<()> {
    let is_table = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| Path::new(&entry.file_name()).extension().is_some_and(|extension| extension == "sst"))
    };
    let has_tables = || fs::read_dir(path).is_ok_and(|mut entries| entries.any(is_table));
    if path.join("CURRENT").exists() || !has_tables() {
        return Ok(());
    }
    Err(Error::corrupt(format!("the store in `{}` has lost its file `CURRENT`", path.display()))
        .about(path.join("CURRENT").display().to_string())
        .advise("put the file back from a copy; or move the directory away and go back to the latest checkpoint"))
}

/// Opens the database in `path`.
pub(crate) fn open_db(setup: &Setup, path: &Path, read_only: bool) -> std::result::Result<DB, rocksdb::Error> {
    let families = [(DEFAULT_COLUMN_FAMILY_NAME, setup.options.clone())];
    if read_only {
        return DB::open_cf_with_opts_for_read_only(&setup.options, path, families, false);
    }
    let db = DB::open_cf_with_opts(&setup.options, path, families)?;
    db.set_options(&[("block_based_table_factory", setup.warm.table_option())])?;
    Ok(db)
}

/// Locks the directory, by a file beside it. RocksDB turns its info log over before it takes its own lock, so
/// of two that open at once, one would find files gone and call that damage.
fn take_lock(path: &Path) -> Result<File> {
    let beside = path.with_extension("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&beside);
    let file = file.map_err(|e| place::error(&beside, e))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(place::error(&beside, e)),
            // A handle that was dropped without close lets go when its last work on the pool is over.
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
    Err(held(path, &beside, TryLockError::WouldBlock))
}

fn is_lock(e: &rocksdb::Error) -> bool {
    ["While lock file", "lock hold by current process"].iter().any(|text| e.as_ref().contains(text))
}

/// The error of a directory that is open already, saying who holds it where the system tells.
fn held(path: &Path, lock: &Path, e: impl std::error::Error + Send + Sync + 'static) -> Error {
    let who = match holder(lock) {
        Some(pid) if pid == std::process::id() => "this process".to_owned(),
        Some(pid) => format!("process {pid}"),
        None if e.to_string().contains("current process") => "this process".to_owned(),
        None => "another process".to_owned(),
    };
    Error::new(ErrorKind::Conflict, format!("{who} has the store in `{}` open", path.display()))
        .about(path.display().to_string())
        .advise("close it there first; one owner holds a directory")
        .because(e)
}

/// The process that holds a lock on `file`, as Linux lists it:
/// `1: POSIX  ADVISORY  WRITE 4242 fe:00:131083 0 EOF`.
#[cfg(target_os = "linux")]
fn holder(file: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let inode = std::fs::metadata(file).ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(4);
        let pid = words.next()?;
        (words.next()?.rsplit(':').next() == Some(&inode)).then(|| pid.parse().ok())?
    })
}

#[cfg(not(target_os = "linux"))]
fn holder(_: &Path) -> Option<u32> {
    None
}
