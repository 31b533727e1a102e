//! RocksDB's errors as statehold's.

use std::{io, path::Path};

use rocksdb::ErrorKind as Rocks;
use statehold_core::{Error, ErrorKind};

/// The file that a message names.
fn file_in(message: &str) -> Option<&str> {
    let is_file = |word: &&str| {
        [".sst", ".log", "CURRENT", "LOCK"].iter().any(|end| word.ends_with(end)) || word.contains("MANIFEST-")
    };
    let trim: &[char] = &[':', ',', '"', '\'', '(', ')'];
    message.split_whitespace().map(|word| word.trim_matches(trim)).find(is_file)
}

/// The error of an open database.
pub(crate) fn translate(e: rocksdb::Error) -> Error {
    let message = e.to_string();
    let has = |text: &str| message.contains(text);
    let error = match e.kind() {
        _ if has("No space left on device") || has("Disk quota exceeded") => {
            Error::new(ErrorKind::ResourceExhausted, "the disk is full")
                .advise("free space, then close the store and open it again; nothing of the failed write is in it")
        }
        _ if has("Too many open files") => Error::new(ErrorKind::ResourceExhausted, "too many files are open")
            .advise("set the option `max_open_files`, or raise the process's limit (ulimit -n)"),
        _ if has("Permission denied") || has("Read-only file system") => {
            Error::invalid("the store's files cannot be written").advise("make the directory writable for this process")
        }
        Rocks::Corruption => damaged(&message),
        // A file that the manifest names is gone.
        Rocks::IOError if has("No such file or directory") => damaged(&message),
        Rocks::NotSupported => Error::unsupported("the files were written by a RocksDB that can do more")
            .advise("open them with the version that wrote them"),
        Rocks::InvalidArgument => Error::invalid("RocksDB refuses what it was given")
            .advise("see the message below; the directory may hold another program's database"),
        Rocks::ShutdownInProgress => {
            Error::new(ErrorKind::Unavailable, "the store is closing").advise("open it again")
        }
        Rocks::IOError | Rocks::TimedOut | Rocks::Busy | Rocks::TryAgain | Rocks::Aborted | Rocks::Incomplete => {
            Error::new(ErrorKind::Unavailable, "the disk failed to read or write")
                .advise("look at the disk; then close the store and open it again")
        }
        _ => Error::internal("RocksDB failed in a way that is not known").advise("report it, with the message below"),
    };
    let error = match file_in(&message) {
        Some(file) => error.about(file),
        None => error,
    };
    error.because(e)
}

fn damaged(message: &str) -> Error {
    let what = file_in(message).map_or_else(|| "a file of the store".to_owned(), |file| format!("`{file}`"));
    Error::corrupt(format!("{what} is damaged or missing: {message}"))
        .advise("recover into a new directory from a checkpoint; look at the disk")
}

/// A flush or compaction failed behind our back.
pub(crate) fn background_error(path: &Path) -> Error {
    Error::new(ErrorKind::Unavailable, "RocksDB failed in the background while it compacted")
        .about(path.display().to_string())
        .advise("see the file LOG in the store's directory; is the disk full?")
}

/// The error of making or reading a directory.
pub(crate) fn directory(path: &Path, e: io::Error) -> Error {
    let shown = path.display();
    let error = match e.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::invalid(format!("the directory `{shown}` cannot be written"))
                .advise("make it writable for this process, or set the option `path` to one that is")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::new(ErrorKind::ResourceExhausted, format!("the disk of `{shown}` is full")).advise("free space")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Error::invalid(format!("`{shown}` is no directory")).advise("set the option `path` to a directory")
        }
        _ => Error::new(ErrorKind::Unavailable, format!("the directory `{shown}` cannot be used: {e}"))
            .advise("look at the disk, or set the option `path` to another place"),
    };
    error.about(shown.to_string()).because(e)
}
