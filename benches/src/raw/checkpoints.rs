//! [`Copies`]: what a program without a framework does for a checkpoint: RocksDB's own, its new files copied and synced.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use statehold::{Error, ErrorKind, Result};

use super::RawRocks;

/// Copies of a database's checkpoints.
pub struct Copies {
    cuts: PathBuf,
    copies: PathBuf,
    known: HashSet<PathBuf>,
}

/// A disk that cannot be used.
#[must_use]
pub fn disk(e: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the bench cannot use the disk").because(e)
}

impl Copies {
    /// Checkpoints below `cuts`, on the database's file system, and their copies in `copies`.
    ///
    /// # Errors
    /// `Unavailable` if there is no such folder.
    pub fn new(cuts: &Path, copies: &Path) -> Result<Self> {
        fs::create_dir_all(copies).map_err(disk)?;
        Ok(Self { cuts: cuts.into(), copies: copies.into(), known: HashSet::new() })
    }

    fn cut(&self, id: u64) -> PathBuf {
        self.cuts.join(format!("cut{id}"))
    }

    /// RocksDB's checkpoint, and an fsynced copy of the tables that none before had, and of all other files; of all
    /// tables where `whole`.
    ///
    /// # Errors
    /// What RocksDB or the disk fails with.
    pub fn checkpoint(&mut self, db: &RawRocks, id: u64, whole: bool) -> Result<()> {
        let cut = self.cut(id);
        db.checkpoint(&cut)?;
        let to = self.copies.join(format!("cut{id}"));
        fs::create_dir(&to).map_err(disk)?;
        for entry in fs::read_dir(&cut).map_err(disk)? {
            let entry = entry.map_err(disk)?;
            let name = PathBuf::from(entry.file_name());
            let table = name.extension().is_some_and(|extension| extension == "sst");
            if whole || !table || self.known.insert(name.clone()) {
                copy(&entry.path(), &to.join(&name), None)?;
            }
        }
        File::open(&to).and_then(|folder| folder.sync_all()).map_err(disk)
    }

    /// All files of a checkpoint copied, fsynced and hashed, and opened.
    ///
    /// # Errors
    /// What RocksDB or the disk fails with.
    pub fn restore(&self, id: u64, memory: usize, wal: bool) -> Result<RawRocks> {
        let to = self.cuts.join(format!("restored{id}"));
        fs::create_dir(&to).map_err(disk)?;
        for entry in fs::read_dir(self.cut(id)).map_err(disk)? {
            let entry = entry.map_err(disk)?;
            copy(&entry.path(), &to.join(entry.file_name()), Some(blake3::Hasher::new()))?;
        }
        RawRocks::open(&to, memory, wal)
    }
}

fn copy(from: &Path, to: &Path, mut hasher: Option<blake3::Hasher>) -> Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut copied = || -> io::Result<()> {
        let (mut from, mut to) = (File::open(from)?, File::create(to)?);
        loop {
            let n = from.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..n).filter(|bytes| !bytes.is_empty()) else { return to.sync_all() };
            if let Some(hasher) = &mut hasher {
                hasher.update(bytes);
            }
            to.write_all(bytes)?;
        }
    };
    copied().map_err(disk)
}
