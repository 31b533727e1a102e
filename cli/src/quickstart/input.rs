//! [`Input`]: the files that are read, in their order.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use statehold::{Error, ErrorKind, Result};

/// One file of the input.
#[derive(Debug, Clone)]
pub(crate) struct InputFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it is called below the input's root: what its place in the order depends on.
    pub(crate) name: Vec<u8>,
    /// How long it was when it was listed.
    pub(crate) bytes: u64,
}

/// A file, or the regular files of a directory in byte order of their paths.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) files: Vec<InputFile>,
}

/// An error about a file or folder that cannot be read.
pub(crate) fn unreadable(path: &Path, cause: io::Error) -> Error {
    let (kind, advice) = match cause.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, "name an existing file or folder with --input"),
        io::ErrorKind::PermissionDenied => (ErrorKind::InvalidInput, "make it readable for this user"),
        _ => (ErrorKind::Unavailable, "the disk or file system may be damaged; run again to go on"),
    };
    Error::new(kind, format!("cannot read the input `{}`", path.display())).advise(advice).because(cause)
}

impl Input {
    /// Finds the files, and checks that each can be opened.
    ///
    /// # Errors
    /// `NotFound` or `InvalidInput` naming the path.
    pub(crate) fn list(root: &Path) -> Result<Self> {
        let kind = fs::metadata(root).map_err(|e| unreadable(root, e))?;
        let mut files = Vec::new();
        if kind.is_dir() {
            walk(root, &[], &mut files)?;
            files.sort_by(|a, b| a.name.cmp(&b.name));
        } else if kind.is_file() {
            let name = root.file_name().unwrap_or_default().as_bytes().to_vec();
            files.push(InputFile { path: root.to_owned(), name, bytes: kind.len() });
        } else {
            return Err(Error::invalid(format!("the input `{}` is neither a file nor a folder", root.display()))
                .advise("copy it into a file: a run that was interrupted reads it again"));
        }
        for file in &files {
            fs::File::open(&file.path).map_err(|e| unreadable(&file.path, e))?;
        }
        Ok(Self { files })
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }
}

fn walk(folder: &Path, name: &[u8], files: &mut Vec<InputFile>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, e))? {
        let entry = entry.map_err(|e| unreadable(folder, e))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|e| unreadable(&path, e))?;
        let file_name = entry.file_name();
        let name =
            if name.is_empty() { file_name.as_bytes().to_vec() } else { [name, b"/", file_name.as_bytes()].concat() };
        if kind.is_dir() {
            walk(&path, &name, files)?;
        } else if kind.is_file() {
            let bytes = entry.metadata().map_err(|e| unreadable(&path, e))?.len();
            files.push(InputFile { path, name, bytes });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_regular_files_in_byte_order_of_path() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b", "a/z", "a-b", "a/deep/er", "B"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        std::os::unix::fs::symlink(folder.path().join("b"), folder.path().join("link")).unwrap();
        let input = Input::list(folder.path()).unwrap();
        let names: Vec<_> = input.files.iter().map(|f| String::from_utf8_lossy(&f.name)).collect();
        assert_eq!(names, ["B", "a-b", "a/deep/er", "a/z", "b"]);
        assert_eq!(input.bytes(), 17);
    }

    #[test]
    fn what_is_missing_or_no_file_is_refused() {
        let missing = Input::list(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.to_string().contains("/nowhere/at/all"), "{missing}");
        assert_eq!(Input::list(Path::new("/dev/null")).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}
