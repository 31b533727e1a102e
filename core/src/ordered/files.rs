//! [`FileEngine`]: what an engine that keeps its content in files adds for native archives.

use std::path::{Path, PathBuf};

use super::Engine;
use crate::{Error, NativeFile, Result};

/// What an engine's files shall be opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading, from first to last: nothing is written but logs for people.
    Read,
    /// Changing what they hold. Files that were given are never written into, only left out.
    Write,
    /// As `Write`, in an empty folder.
    Create,
}

/// Rows `from..to`, by their keys.
pub type RowRange = (Vec<u8>, Vec<u8>);

/// Takes rows one by one, ascending.
pub type PutRow<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<()>;

/// Puts the rows of one run.
pub type Run<'a> = Box<dyn FnOnce(PutRow<'_>) -> Result<()> + Send + 'a>;

/// How much of an engine's files lies within some ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Bytes of files that hold no other rows.
    pub whole: u64,
    /// Bytes of files that hold other rows too.
    pub mixed: u64,
}

/// The switch to other files failed.
#[derive(Debug)]
pub struct NotReplaced<E> {
    /// Why.
    pub error: Error,
    /// The engine with the files it had; `None` if it could not be opened again.
    pub old: Option<E>,
}

/// An [`Engine`] whose content is immutable files, which can be linked, opened elsewhere and put in the
/// place of the live ones. [`OrderedStore::open_with_files`](super::OrderedStore::open_with_files) makes
/// native archives of it. All calls may block.
pub trait FileEngine: Engine + Sized {
    /// What [`NativeArchive::format`](crate::NativeArchive::format) answers.
    const FORMAT: &'static str;

    /// A random name of this opening, never given twice: within it a file name means the same bytes.
    fn session(&self) -> &str;

    /// A place for private folders on the file system of the live files, beside them. All that a crash
    /// leaves there is removed when the engine is opened again.
    fn aside(&self) -> &Path;

    /// Links what was written so far into `folder`, which is not there yet: one instant after the call
    /// began, all of it, unlogged writes too. Writes go on.
    ///
    /// # Errors
    /// `ResourceExhausted`, `Unavailable`.
    fn link(&self, folder: &Path) -> Result<Vec<NativeFile>>;

    /// Opens the files in `folder` as an engine of its own, with the settings of this one.
    ///
    /// # Errors
    /// `Corrupt`, `InvalidInput`, `Unavailable`, `ResourceExhausted`.
    fn open_files(&self, folder: &Path, access: Access) -> Result<Self>;

    /// How much of the files lies within `keep`, ascending.
    ///
    /// # Errors
    /// As [`Engine::write`].
    fn share(&self, keep: &[RowRange]) -> Result<Share>;

    /// Removes all rows but those within `keep`, ascending. Afterwards no file holds
    /// other rows; files that held no others before are the same still.
    ///
    /// # Errors
    /// As [`Engine::write`].
    fn retain(&self, keep: &[RowRange]) -> Result<()>;

    /// Adds the rows of all runs, or none, durably; several run at once. The rows of a run are ascending,
    /// and between its first and its last there is no other row.
    ///
    /// # Errors
    /// What a run fails with; as [`Engine::write`].
    fn ingest(&self, runs: Vec<Run<'_>>) -> Result<()>;

    /// Puts the files in `folder` in the place of its own and opens them, in one atomic and durable step;
    /// its own files are in `folder` then. Images are gone, and no engine has `folder` open.
    ///
    /// # Errors
    /// As [`FileEngine::open_files`]; the files it had are in place again.
    fn replace(self, folder: &Path) -> Result<Self, NotReplaced<Self>>;
}

/// The place of a folder called `name` among `aside`.
pub(super) fn folder_in(engine: &impl FileEngine, name: &str) -> PathBuf {
    engine.aside().join(format!("{}-{name}", engine.session()))
}
