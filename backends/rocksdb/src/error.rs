//! RocksDB's errors as statehold's.

use std::path::Path;

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
    let error = classify(&e.kind(), e.as_ref());
    match file_in(e.as_ref()) {
        Some(file) => error.about(file),
        None => error,
    }
    .because(e)
}

/// The error of a write.
pub(crate) fn unwritten(e: rocksdb::Error) -> Error {
    // The log has it, but perhaps not the disk: it may be there after the next open.
    if e.kind() == Rocks::IOError && e.as_ref().contains("sync") {
        return Error::new(ErrorKind::Indeterminate, "the disk failed to sync the log: the commit may be there or not")
            .advise("close the store, open it again, and send the commit again with the same marker")
            .because(e);
    }
    translate(e)
}

fn classify(kind: &Rocks, message: &str) -> Error {
    let has = |text: &str| message.contains(text);
    match kind {
        _ if has("No space left on device") || has("Disk quota exceeded") => {
            Error::new(ErrorKind::ResourceExhausted, "the disk is full")
                .advise("free space, then close the store and open it again; nothing of the failed write is in it")
        }
        _ if has("Too many open files") => Error::new(ErrorKind::ResourceExhausted, "too many files are open")
            .advise("set the option `max_open_files`, or raise the process's limit (ulimit -n)"),
        _ if has("Permission denied") || has("Read-only file system") => {
            Error::invalid("the store's files cannot be written").advise("make the directory writable for this process")
        }
        Rocks::Corruption => damaged(message),
        // A file that the manifest names is gone.
        Rocks::IOError if has("No such file or directory") => damaged(message),
        Rocks::NotSupported => Error::unsupported(format!("RocksDB cannot do this: {message}"))
            .advise("the files may be of a newer version: open them with the one that wrote them"),
        Rocks::InvalidArgument => Error::invalid(format!("RocksDB refuses what it was given: {message}"))
            .advise("the directory may hold another program's database"),
        Rocks::ShutdownInProgress => Error::new(ErrorKind::Unavailable, "the store is closing").advise("open it again"),
        Rocks::IOError | Rocks::TimedOut | Rocks::Busy | Rocks::TryAgain | Rocks::Aborted | Rocks::Incomplete => {
            Error::new(ErrorKind::Unavailable, format!("the disk failed to read or write: {message}"))
                .advise("look at the disk; then close the store and open it again")
        }
        _ => Error::internal(format!("RocksDB failed in a way that is not known: {message}")).advise("report it"),
    }
}

fn damaged(message: &str) -> Error {
    let what = file_in(message).map_or_else(|| "a file of the store".to_owned(), |file| format!("`{file}`"));
    Error::corrupt(format!("{what} is damaged or missing: {message}"))
        .advise("recover into a new directory from a checkpoint; look at the disk")
}

/// A flush or compaction failed behind our back, and writers cannot go on.
pub(crate) fn background_error(path: &Path) -> Error {
    Error::new(ErrorKind::ResourceExhausted, "RocksDB failed to flush or compact in the background")
        .about(path.display().to_string())
        .advise("is the disk full? Free space and try again; the file LOG in the store's directory says more")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(rocks: &Rocks, message: &str) -> ErrorKind {
        let error = classify(rocks, message);
        assert!(error.advice().is_some(), "{error}");
        error.kind()
    }

    #[test]
    fn own_3_each_failure_has_its_kind() {
        let full = "IO error: No space left on device: While appending to file: /d/000012.log: No space left on device";
        assert_eq!(kind_of(&Rocks::IOError, full), ErrorKind::ResourceExhausted);
        let files = "IO error: While open a file for random read: /d/000012.sst: Too many open files";
        assert_eq!(kind_of(&Rocks::IOError, files), ErrorKind::ResourceExhausted);
        let read_only = "IO error: While mkdir if missing: /d: Read-only file system";
        assert_eq!(kind_of(&Rocks::IOError, read_only), ErrorKind::InvalidInput);
        let gone = "IO error: No such file or directory: While open a file for random read: /d/000012.sst";
        assert_eq!(kind_of(&Rocks::IOError, gone), ErrorKind::Corrupt);
        assert_eq!(
            kind_of(&Rocks::IOError, "IO error: While fsync: /d/000012.log: Input/output error"),
            ErrorKind::Unavailable
        );
        assert_eq!(kind_of(&Rocks::ShutdownInProgress, "Shutdown in progress: "), ErrorKind::Unavailable);
    }

    #[test]
    fn damage_names_the_file() {
        let message = "Corruption: block checksum mismatch: stored = 1, computed = 2 in /d/000012.sst offset 0 size 9";
        assert_eq!(file_in(message), Some("/d/000012.sst"));
        assert!(classify(&Rocks::Corruption, message).message().contains("`/d/000012.sst`"));
        assert_eq!(file_in("Corruption: CURRENT file corrupted: /d/CURRENT"), Some("CURRENT"));
        assert_eq!(file_in("IO error: /d/MANIFEST-000005: gone"), Some("/d/MANIFEST-000005"));
    }
}
