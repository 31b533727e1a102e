//! RocksDB's table files: linked, opened elsewhere, joined and exchanged, for native archives.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rocksdb::{BottommostLevelCompaction, CompactOptions, LiveFile, checkpoint::Checkpoint};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use statehold_core::{
    Error, ErrorKind, NativeFile, Result,
    ordered::{Access, Engine, EngineBatch, FileEngine, NotReplaced, RowRange, Run, Share, WriteLevel, place},
    step,
};

use crate::{engine::RocksEngine, error::translate, ingest, open::open_db};

const TABLE: &str = "sst";

impl FileEngine for RocksEngine {
    const FORMAT: &'static str = "rocksdb";

    fn session(&self) -> &str {
        &self.session
    }

    fn aside(&self) -> &Path {
        &self.aside
    }

    /// RocksDB's checkpoint flushes memtables first. The logs that it adds hold what was written since,
    /// and go: what is left is one instant too, and needs no log.
    fn link(&self, folder: &Path) -> Result<Vec<NativeFile>> {
        fs::create_dir_all(&self.aside).map_err(|e| place::error(&self.aside, e))?;
        Checkpoint::new(&self.db).and_then(|links| links.create_checkpoint(folder)).map_err(translate)?;
        listed(folder).map_err(|e| place::error(folder, e))
    }

    fn open_files(&self, folder: &Path, access: Access) -> Result<Self> {
        if access != Access::Create && !folder.join("CURRENT").exists() {
            return Err(Error::corrupt(format!("there is no RocksDB database in `{}`", folder.display()))
                .about("CURRENT")
                .advise("give all files of the cut, under their own names"));
        }
        let mut setup = self.setup.clone();
        let options = &mut setup.options;
        options.create_if_missing(access == Access::Create);
        // What is kept must stay as it is, and looking at a cut must not open all of its files.
        options.set_disable_auto_compactions(true);
        options.set_max_open_files(PART_FILES);
        // Statistics for merges, read from up to twenty files.
        options.set_skip_stats_update_on_db_open(true);
        // To start as many threads as RocksDB wants takes longer than to open the few that are opened at once.
        options.set_max_file_opening_threads(1);
        options.set_max_subcompactions(SUBCOMPACTIONS);
        let db = open_db(&setup, folder, access == Access::Read).map_err(translate)?;
        Self::new(db, setup, Arc::clone(&self.memory), self.own_cache, None)
    }

    fn share(&self, keep: &[RowRange]) -> Result<Share> {
        let dead = between(keep);
        let mut share = Share::default();
        for file in self.db.live_files().map_err(translate)? {
            let size = file.size as u64;
            if !dead.iter().any(|range| overlaps(&file, range)) {
                share.whole += size;
            } else if keep.iter().any(|range| overlaps(&file, range)) {
                share.mixed += size;
            }
        }
        Ok(share)
    }

    fn retain(&self, keep: &[RowRange]) -> Result<()> {
        let dead = between(keep);
        for (from, to) in &dead {
            self.db.delete_file_in_range(from, to).map_err(translate)?;
        }
        // What is left is in files that hold kept rows too.
        let files = self.db.live_files().map_err(translate)?;
        for range in dead.iter().filter(|range| files.iter().any(|file| overlaps(file, range))) {
            // A file of its own for each tombstone: one of several would reach over what is kept.
            let mut batch = self.batch();
            batch.delete_range(&range.0, &range.1);
            self.write(&mut batch, WriteLevel::Unlogged)?;
            self.flush()?;
            self.rewrite(Some(&range.0), Some(&range.1))?;
        }
        for _ in 0..ROUNDS {
            let mut files = self.db.live_files().map_err(translate)?;
            files.retain(|file| dead.iter().any(|range| ends_in(file, range)));
            if files.is_empty() {
                return Ok(());
            }
            // A tombstone stays where a level below was not reached.
            for file in files {
                self.rewrite(file.start_key.as_ref(), file.end_key.as_ref())?;
            }
        }
        Err(Error::internal("RocksDB left rows of other key groups in its files").advise("recover in portable form"))
    }

    fn ingest(&self, runs: Vec<Run<'_>>) -> Result<()> {
        ingest::ingest(&self.db, &self.setup.options, runs)
    }

    fn replace(self, folder: &Path) -> Result<Self, NotReplaced<Self>> {
        let Self { db, memory, own_cache, lock, setup, .. } = self;
        let path = db.path().to_path_buf();
        let Some(db) = Arc::into_inner(db) else {
            let error = Error::internal("somebody still reads the store's files").advise("close the store");
            return Err(NotReplaced { error, old: None });
        };
        drop(db);
        step("native.closed");
        let replaced = exchange(&path, folder).and_then(|()| {
            open_db(&setup, &path, false).map_err(|e| {
                let error = translate(e);
                match exchange(&path, folder) {
                    Ok(()) => error,
                    Err(e) => error.because(e),
                }
            })
        });
        let (db, error) = match replaced {
            Ok(db) => {
                step("native.opened");
                (Ok(db), None)
            }
            Err(error) => (open_db(&setup, &path, false).map_err(translate), Some(error)),
        };
        let engine = db.and_then(|db| Self::new(db, setup, memory, own_cache, lock));
        match (engine, error) {
            (Ok(engine), None) => Ok(engine),
            (Ok(old), Some(error)) => Err(NotReplaced { error, old: Some(old) }),
            (Err(error), None) | (Err(_), Some(error)) => Err(NotReplaced { error, old: None }),
        }
    }
}

impl RocksEngine {
    /// Rewrites the files with rows from `from` to `to`, down to the last level that has some.
    fn rewrite(&self, from: Option<&Vec<u8>>, to: Option<&Vec<u8>>) -> Result<()> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
        self.compact_between(from, to, &options)
    }
}

/// So many table files of a part are open at once.
const PART_FILES: i32 = 64;
/// A rewrite is split among so many threads.
const SUBCOMPACTIONS: u32 = 2;
/// One round is enough unless files overlap in unusual ways.
const ROUNDS: usize = 4;

/// What lies before, between and behind `keep`.
fn between(keep: &[RowRange]) -> Vec<RowRange> {
    const END: [u8; 4] = [0xFF; 4];
    let mut from = Vec::new();
    let mut out = Vec::new();
    for (first, behind) in keep {
        out.push((from, first.clone()));
        from = behind.clone();
    }
    out.push((from, END.to_vec()));
    out.retain(|(from, to)| from < to && !to.iter().all(|byte| *byte == 0));
    out
}

fn overlaps(file: &LiveFile, (from, to): &RowRange) -> bool {
    let starts_before = file.start_key.as_ref().is_none_or(|start| start < to);
    let ends_behind = file.end_key.as_ref().is_none_or(|end| end >= from);
    starts_before && ends_behind
}

/// Whether the file's first or last row is in the range. A file may reach over one without rows in it.
fn ends_in(file: &LiveFile, (from, to): &RowRange) -> bool {
    [&file.start_key, &file.end_key].into_iter().any(|key| key.as_ref().is_none_or(|key| from <= key && key < to))
}

/// Table files, manifest and `CURRENT` of a checkpoint, by name; all others go.
fn listed(folder: &Path) -> io::Result<Vec<NativeFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else { continue };
        let stable = path.extension().is_some_and(|end| end == TABLE);
        if stable || name == "CURRENT" || name.starts_with("MANIFEST-") {
            files.push(NativeFile { name, bytes: entry.metadata()?.len(), path, stable });
        } else {
            fs::remove_file(path)?;
        }
    }
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Exchanges two folders in one step that survives power loss.
fn exchange(one: &Path, other: &Path) -> Result<()> {
    sync(other)?;
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(|e| match e {
        rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP => {
            Error::unsupported("the file system cannot exchange two folders in one step")
                .about(one.display().to_string())
                .advise("keep the store on ext4, xfs, btrfs, tmpfs or APFS, or recover in portable form")
                .because(io::Error::from(e))
        }
        e => place::error(one, e.into()),
    })?;
    step("native.exchanged");
    for parent in [one, other].map(Path::parent).into_iter().flatten() {
        sync(parent)?;
    }
    Ok(())
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| place::error(folder, e))
}

/// Where a store keeps private folders: beside its own.
pub(crate) fn aside_of(path: &Path) -> PathBuf {
    path.with_extension("aside")
}

/// Removes what a crash left beside the store. To be called by who holds the store's lock.
pub(crate) fn clear_aside(path: &Path) -> Result<()> {
    let aside = aside_of(path);
    match fs::remove_dir_all(&aside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(place::error(&aside, e)),
        _ => Ok(()),
    }
}

/// A name that is never given twice.
pub(crate) fn random_name() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| {
        Error::new(ErrorKind::Unavailable, "the system gave no random bytes").advise("try again").because(e)
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests;
