//! [`Output`]: the file `word<TAB>count`, whole or not at all.

use std::{
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use futures::TryStreamExt;
use statehold::{Error, ErrorKind, KeyValueState, Result, ScanOrder};

/// A file to write at the end.
pub(crate) struct Output {
    path: PathBuf,
    folder: PathBuf,
}

fn unwritable(path: &Path, cause: io::Error) -> Error {
    let kind = match cause.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::StorageFull => ErrorKind::ResourceExhausted,
        _ => ErrorKind::InvalidInput,
    };
    Error::new(kind, format!("cannot write the output `{}`", path.display()))
        .advise("name a file in a folder that exists, can be written and has room; the counts are safe in the last checkpoint")
        .because(cause)
}

impl Output {
    /// Checks that a file can be made in the folder of `path`, before hours are spent on its content.
    ///
    /// # Errors
    /// `NotFound` or `InvalidInput` naming the path.
    pub(crate) fn check(path: PathBuf) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::invalid(format!("the output `{}` is a folder", path.display())).advise("name a file"));
        }
        // A link is followed, as any program that opens it would; what is no file is not replaced by one.
        let path = if path.is_symlink() { path.canonicalize().unwrap_or(path) } else { path };
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            return Err(Error::invalid(format!("the output `{}` is no regular file", path.display()))
                .advise("name a file; `statehold scan` writes rows to a pipe"));
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        tempfile::tempfile_in(&folder).map_err(|e| unwritable(&path, e))?;
        Ok(Self { path, folder })
    }

    /// Writes all counts, sorted by the words' bytes. The path.
    ///
    /// # Errors
    /// What the scan fails with, or why the file cannot be written; a file that was there is then as it was.
    pub(crate) async fn write(self, counts: &KeyValueState<String, u64>) -> Result<PathBuf> {
        let file = tempfile::Builder::new()
            .prefix(".statehold-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(&self.folder)
            .map_err(|e| unwritable(&self.path, e))?;
        let mut writer = BufWriter::with_capacity(1 << 18, file);
        let mut rows = std::pin::pin!(counts.scan(ScanOrder::Key));
        while let Some((word, count)) = rows.try_next().await? {
            writeln!(writer, "{word}\t{count}").map_err(|e| unwritable(&self.path, e))?;
        }
        let file = writer.into_inner().map_err(|e| unwritable(&self.path, e.into_error()))?;
        file.as_file().sync_all().map_err(|e| unwritable(&self.path, e))?;
        file.persist(&self.path).map_err(|e| unwritable(&self.path, e.error))?;
        Ok(self.path)
    }
}

impl Output {
    #[cfg(test)]
    fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_be_written_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Output::check(folder.path().to_owned()).is_err());
        let missing = Output::check(folder.path().join("no/such/file")).err().unwrap();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert_eq!(Output::check(PathBuf::from("counts.tsv")).unwrap().folder(), Path::new("."));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_file_is_refused_and_a_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let device = Output::check(PathBuf::from("/dev/null")).err().unwrap();
        assert_eq!(device.kind(), ErrorKind::InvalidInput);
        let (socket, there, link) =
            (folder.path().join("socket"), folder.path().join("there"), folder.path().join("link"));
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(Output::check(socket).is_err());
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(Output::check(link.clone()).is_err(), "a link to nothing");
        std::fs::remove_file(&link).unwrap();
        std::fs::write(&there, "before").unwrap();
        std::os::unix::fs::symlink(&there, &link).unwrap();
        assert_eq!(Output::check(link).unwrap().path, there.canonicalize().unwrap());
    }
}
