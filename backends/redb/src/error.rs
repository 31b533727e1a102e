//! redb's errors as statehold's: what it means, and what to do.

use std::path::Path;

use redb::{CommitError, DatabaseError, StorageError};
use statehold_core::{Error, ErrorKind, ordered::place};

/// The error of a read, or of a write before its commit: nothing is changed.
pub(crate) fn of(e: impl Into<redb::Error>) -> Error {
    let e = e.into();
    let error = match &e {
        redb::Error::Corrupted(what) => Error::corrupt(format!("the store's file is damaged: {what}"))
            .advise("recover into a new directory from a checkpoint; look at the disk"),
        redb::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => {
            Error::new(ErrorKind::ResourceExhausted, "the disk is full")
                .advise("free space, then close the store and open it again; nothing of the failed write is in it")
        }
        redb::Error::ValueTooLarge(bytes) => {
            Error::new(ErrorKind::LimitExceeded, format!("redb takes no row of {bytes} bytes"))
                .advise("keep values below the store's limit")
        }
        _ => Error::new(ErrorKind::Unavailable, format!("redb failed: {e}"))
            .advise("look at the disk; then close the store and open it again"),
    };
    error.because(e)
}

/// The error of a commit: it may be on the disk or not. A full disk is met when pages are written, which is before
/// anything refers to them; file systems reserve what they write later.
pub(crate) fn uncommitted(e: CommitError) -> Error {
    match e {
        CommitError::Storage(StorageError::PreviousIo | StorageError::DatabaseClosed) => of(e),
        CommitError::Storage(StorageError::Io(ref io)) if io.kind() == std::io::ErrorKind::StorageFull => of(e),
        _ => Error::new(ErrorKind::Indeterminate, format!("redb failed to commit: {e}"))
            .advise("close the store, open it again, and send the commit again with the same marker")
            .because(e),
    }
}

/// The error of opening the file at `path`.
pub(crate) fn unopened(path: &Path, e: DatabaseError) -> Error {
    let shown = path.display().to_string();
    match e {
        DatabaseError::DatabaseAlreadyOpen => {
            Error::new(ErrorKind::Conflict, format!("somebody has the store in `{shown}` open"))
                .advise("close it there first; one owner holds a file")
                .because(e)
        }
        DatabaseError::UpgradeRequired(version) => {
            Error::unsupported(format!("`{shown}` is a redb file of the older format {version}"))
                .advise("upgrade it with the redb release that says so, or recover from a checkpoint")
                .because(e)
        }
        DatabaseError::Storage(StorageError::Io(io)) if io.kind() == std::io::ErrorKind::InvalidData => {
            Error::corrupt(format!("`{shown}` is no redb file, or a damaged one"))
                .advise("recover into a new directory from a checkpoint; look at the disk")
                .because(io)
        }
        DatabaseError::Storage(StorageError::Io(io)) => place::error(path, io),
        other => of(other),
    }
    .about(shown)
}
