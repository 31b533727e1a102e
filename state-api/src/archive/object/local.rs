//! Objects in a folder of this machine: files are linked there, or copied and hashed in one pass.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use statehold_core::{Error, NativeFile, Result, step};

use super::Objects;
use crate::archive::{chunks::CHUNK_BYTES, error::failed, part::ObjectName};

/// A failure of this machine's file system.
pub(super) fn local(doing: &str, path: &Path, cause: io::Error) -> Error {
    let cause = object_store::Error::Generic { store: "file system", source: cause.into() };
    failed(doing, &path.display().to_string(), cause)
}

/// Makes the entries of a folder survive power loss.
pub(in crate::archive) fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| local("sync", folder, e))
}

/// Links `from` as `to`; the folder is not synced. `false` where that cannot be done and a copy is wanted.
pub(super) fn link(from: &Path, to: &Path) -> Result<bool> {
    make_folder_of(to)?;
    Ok(fs::hard_link(from, to).is_ok())
}

/// An archive's first file makes its folders.
fn make_folder_of(file: &Path) -> Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    let missing = folder.ancestors().take_while(|folder| !folder.exists()).count();
    if missing == 0 {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|e| local("make", folder, e))?;
    folder.ancestors().skip(1).take(missing).try_for_each(sync)
}

/// Copies a file of `bytes` bytes, or one more if it has more, and syncs the copy. Its hash is that of the bytes that
/// were written.
pub(super) fn copy(from: &Path, to: &Path, bytes: u64) -> Result<(blake3::Hash, u64)> {
    make_folder_of(to)?;
    let read = |e| local("read", from, e);
    let write = |e| local("write", to, e);
    let mut source = File::open(from).map_err(read)?.take(bytes.saturating_add(1));
    let mut target = File::create_new(to).map_err(write)?;
    let (mut hasher, mut piece) = (blake3::Hasher::new(), vec![0; CHUNK_BYTES.min(bytes as usize + 1)]);
    loop {
        let length = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(read(e)),
        };
        hasher.update(&piece[..length]);
        target.write_all(&piece[..length]).map_err(write)?;
    }
    target.sync_all().map_err(write)?;
    let there = target.metadata().map_err(write)?.len();
    if there != hasher.count() {
        return Err(write(io::Error::other(format!("{there} bytes are there of {}", hasher.count()))));
    }
    Ok((hasher.finalize(), there))
}

/// Whether links can be made from the one to the other, as far as that is known without trying.
#[cfg(unix)]
pub(super) fn is_same_device(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| path.ancestors().find_map(|p| fs::metadata(p).ok()).map(|found| found.dev());
    device(one) == device(other)
}

#[cfg(not(unix))]
pub(super) fn is_same_device(_: &Path, _: &Path) -> bool {
    true
}

impl Objects {
    /// Whether a file of this machine becomes an object by [`Objects::copy_file`], as it cannot be linked.
    pub(in crate::archive) fn copies(&self, file: &NativeFile) -> bool {
        match self.folder.local_folder() {
            Some(folder) => !file.stable || !is_same_device(&file.path, &folder),
            None => false,
        }
    }

    /// Copies a file of this machine among the objects, as `name`: one that no part gives, so that it goes with what
    /// other attempts left if nothing comes of it. Its hash.
    pub(in crate::archive) async fn copy_file(&self, name: &ObjectName, file: &NativeFile) -> Result<blake3::Hash> {
        let (from, to) = (file.path.clone(), self.path_of(name)?);
        let bytes = file.bytes;
        let job = move || {
            let copied = copy(&from, &to, bytes).and_then(|(hash, length)| match length == bytes {
                true => Ok(hash),
                false => Err(Error::internal(format!("`{}` changed while it was read", from.display()))),
            });
            copied.inspect_err(|_| {
                // What stays goes with other leftovers.
                let _ = fs::remove_file(&to);
            })
        };
        let hash = self.resources.blocking(job).await?;
        step("object.copied");
        Ok(hash)
    }

    /// Gives a copy the name of its content.
    pub(in crate::archive) async fn rename(&self, copy: &ObjectName, name: &ObjectName) -> Result<()> {
        let (from, to) = (self.path_of(copy)?, self.path_of(name)?);
        self.resources.blocking(move || fs::rename(&from, &to).map_err(|e| local("write", &to, e))).await?;
        step("object.stored");
        Ok(())
    }

    /// Makes links and names that were given survive power loss.
    pub(in crate::archive) async fn sync(&self) -> Result<()> {
        match self.folder.local_folder() {
            Some(folder) => self.resources.blocking(move || if folder.exists() { sync(&folder) } else { Ok(()) }).await,
            None => Ok(()),
        }
    }

    fn path_of(&self, name: &ObjectName) -> Result<PathBuf> {
        let name = name.to_string();
        self.folder
            .local_file(&name)
            .ok_or_else(|| Error::internal(format!("`{}` is not a file of this machine", self.folder.show(&name))))
    }
}

#[cfg(test)]
mod tests {
    use statehold_core::ErrorKind;

    use super::*;

    #[test]
    fn a_copy_is_told_by_what_was_written_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("new/folders/to"));
        let bytes = b"abc".repeat(CHUNK_BYTES);
        fs::write(&from, &bytes).unwrap();
        let length = bytes.len() as u64;
        assert_eq!(copy(&from, &to, length).unwrap(), (blake3::hash(&bytes), length));
        assert_eq!(fs::read(&to).unwrap(), bytes);
        fs::write(&from, b"other").unwrap();
        assert_eq!(copy(&from, &to, 5).unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(fs::read(&to).unwrap(), bytes);
        fs::write(&from, &bytes).unwrap();
        // One byte more than there should be is enough to tell.
        let shorter = folder.path().join("shorter");
        assert_eq!(copy(&from, &shorter, length - 7).unwrap().1, length - 6);
    }
}
