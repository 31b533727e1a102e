//! Finding or making a store's directory, and opening it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rocksdb::{DB, DEFAULT_COLUMN_FAMILY_NAME};
use statehold_core::{Error, ErrorKind, KeyGroups, OpenRequest, Ownership, Result};

use crate::{
    config::{Config, Setup},
    engine::RocksEngine,
    error::{directory, translate},
    files::clear_aside,
    memory::Memory,
};

/// How often, and how far apart, a lock is tried that somebody holds.
const LOCK_TRIES: u32 = 25;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

fn name_of(groups: KeyGroups) -> String {
    let range = groups.range();
    format!("groups-{}-{}", range.start, range.end)
}

/// The range that a sibling directory's name says.
fn range_of(name: &str) -> Option<(u16, u16)> {
    let (start, end) = name.strip_prefix("groups-")?.split_once('-')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

impl RocksEngine {
    /// Opens `<path>/<namespace>/groups-<start>-<end>`.
    pub(crate) fn open(config: &Config, request: &OpenRequest) -> Result<Self> {
        let namespace = config.path.join(request.namespace.as_str());
        let path = namespace.join(name_of(request.groups));
        refuse_siblings(&namespace, request.groups)?;
        let memory = Memory::of(&request.resources, config.block_cache)?;
        let setup = config.setup(&memory);
        let mut lock = None;
        let db = if request.ownership == Ownership::ReadOnly {
            if !path.join("CURRENT").exists() {
                return Err(Error::new(ErrorKind::NotFound, format!("there is no store in `{}`", path.display()))
                    .about(path.display().to_string())
                    .advise("open it with exclusive ownership once, or look elsewhere"));
            }
            open_db(&setup, &path, true)
        } else {
            make(&path).map_err(|e| directory(&path, e))?;
            lock = Some(take_lock(&path)?);
            clear_aside(&path)?;
            open_db(&setup, &path, false)
        };
        let db = db.map_err(|e| if is_lock(&e) { held(&path, &path.join("LOCK"), e) } else { translate(e) })?;
        Self::new(db, setup, memory, config.block_cache.is_some(), lock)
    }
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
    let file = file.map_err(|e| directory(&beside, e))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(directory(&beside, e)),
            // A handle that was dropped without close lets go when its last work on the pool is over.
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
    Err(held(path, &beside, TryLockError::WouldBlock))
}

/// Makes the directory and those above it, so that they survive power loss.
fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    for parent in path.ancestors().skip(1).take(2) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Refuses a range that overlaps another one on disk.
fn refuse_siblings(namespace: &Path, groups: KeyGroups) -> Result<()> {
    let entries = match fs::read_dir(namespace) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(directory(namespace, e)),
    };
    let range = groups.range();
    for entry in entries {
        let name = entry.map_err(|e| directory(namespace, e))?.file_name();
        let Some((start, end)) = name.to_str().and_then(range_of) else { continue };
        if start < range.end && range.start < end && (start..end) != range {
            let sibling: PathBuf = namespace.join(&name);
            return Err(Error::invalid(format!(
                "key groups {groups} overlap those of the store in `{}`",
                sibling.display()
            ))
            .about("groups")
            .advise("open the range that is there, with the `key_groups` it was written with; rescale by archive and recover"));
        }
    }
    Ok(())
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
    let inode = fs::metadata(file).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
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
