//! Objects that are files of this machine before and after: hashed, linked, sent and fetched.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use object_store::{ObjectStoreExt, WriteMultipart};
use statehold_core::{NativeCut, NativeFile, Result, step};

use super::{
    Objects,
    local::{copy, is_same_device, link, local},
};
use crate::archive::{
    chunks::{CHUNK_BYTES, Chunks},
    error::failed,
    part::{Object, ObjectName},
};

/// A file up to this size is sent in one piece.
const ONE_PIECE: u64 = 8 << 20;
/// Pieces of an upload that are under way at once.
const PIECES: usize = 2;

fn pieces_of(path: &Path, mut take: impl FnMut(Bytes) -> Result<()>) -> Result<()> {
    let read = |e| local("read", path, e);
    let mut file = File::open(path).map_err(read)?;
    loop {
        let mut piece = Vec::with_capacity(CHUNK_BYTES);
        (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut piece).map_err(read)?;
        if piece.is_empty() {
            return Ok(());
        }
        take(piece.into())?;
    }
}

fn hash_of(path: &Path) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    pieces_of(path, |piece| {
        hasher.update(&piece);
        Ok(())
    })?;
    Ok(hasher.finalize())
}

/// The file `to` with the content of `from`, its hash, and what was done.
fn link_or_copy(from: &Path, to: &Path, bytes: u64) -> Result<(blake3::Hash, &'static str)> {
    if is_same_device(from, to) {
        let hash = hash_of(from)?;
        if link(from, to)? {
            return Ok((hash, "file.linked"));
        }
    }
    // One that is longer or shorter has another hash.
    Ok((copy(from, to, bytes)?.0, "file.fetched"))
}

impl Objects {
    /// The hash of a cut's file that this session has told before.
    pub(in crate::archive) fn known(&self, session: &str, file: &NativeFile) -> Option<blake3::Hash> {
        let key = (session.to_owned(), file.name.clone());
        let (bytes, hash) = self.hashes.lock().get(&key).copied().filter(|_| file.stable)?;
        (bytes == file.bytes).then_some(hash)
    }

    /// The hash of a cut's file.
    pub(in crate::archive) async fn hash_file(&self, file: &NativeFile) -> Result<blake3::Hash> {
        let path = file.path.clone();
        self.resources.blocking(move || hash_of(&path)).await
    }

    /// Remembers a hash, unless the file may change.
    pub(in crate::archive) fn remember(&self, session: &str, file: &NativeFile, hash: blake3::Hash) {
        if file.stable {
            self.hashes.lock().insert((session.to_owned(), file.name.clone()), (file.bytes, hash));
        }
    }

    /// Remembers what files of a session are that were fetched and checked: they need not be read again.
    pub(in crate::archive) fn know(&self, session: &str, objects: &[Object]) {
        let mut hashes = self.hashes.lock();
        for object in objects {
            if let Some(file) = &object.file {
                hashes.insert((session.to_owned(), file.clone()), (object.bytes, object.name.hash));
            }
        }
    }

    /// Forgets what was told of files that are in no cut any more.
    pub(in crate::archive) fn forget_all_but(&self, cut: &dyn NativeCut) {
        let names: HashSet<&str> = cut.files().iter().map(|f| f.name.as_str()).collect();
        self.hashes.lock().retain(|(session, name), _| session != cut.session() || names.contains(name.as_str()));
    }

    /// Stores a file as an object; `aside` is a name that no part gives. On `Ok` its size and hash are confirmed, and
    /// behind a [`Objects::sync`] it survives power loss.
    pub(in crate::archive) async fn put_file(
        &self,
        object: &Object,
        file: &NativeFile,
        aside: &ObjectName,
    ) -> Result<()> {
        if let Some(to) = self.folder.local_file(&object.name.to_string()) {
            // Files that stay as they are were synced by the engine; a link has the bytes that were hashed.
            let from = file.path.clone();
            if file.stable && self.resources.blocking(move || link(&from, &to)).await? {
                step("object.linked");
                return Ok(());
            }
            if self.copy_file(aside, file).await? != object.name.hash {
                return Err(self.corrupt(object, "was read with another hash the second time"));
            }
            return self.rename(aside, &object.name).await;
        }
        if file.bytes <= ONE_PIECE {
            let path = file.path.clone();
            let chunks = move || {
                let mut chunks = Chunks::default();
                pieces_of(&path, |piece| {
                    chunks.push(piece);
                    Ok(())
                })?;
                Ok(chunks)
            };
            let chunks = self.resources.blocking(chunks).await?;
            return self.put(object, chunks).await;
        }
        self.put_pieces(object, &file.path).await?;
        self.confirm(object).await
    }

    async fn put_pieces(&self, object: &Object, from: &Path) -> Result<()> {
        let target = self.folder.file(&object.name.to_string());
        let unwritable = |cause| failed("write", &self.show(object), cause);
        let upload = self.folder.store().put_multipart(&target).await.map_err(unwritable)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, ONE_PIECE as usize);
        let (mut at, path) = (0, from.to_path_buf());
        while at < object.bytes {
            upload.wait_for_capacity(PIECES).await.map_err(unwritable)?;
            let path = path.clone();
            let piece = self.resources.blocking(move || piece_at(&path, at)).await?;
            at += piece.len() as u64;
            step("object.piece");
            upload.put(piece);
        }
        upload.finish().await.map(drop).map_err(unwritable)
    }

    /// Puts an object's content into the file `to`, checked and synced but for its folder.
    pub(in crate::archive) async fn get_file(&self, object: &Object, to: PathBuf) -> Result<()> {
        if let Some(from) = self.folder.local_file(&object.name.to_string()).filter(|from| from.exists()) {
            let bytes = object.bytes;
            let (hash, how) = self.resources.blocking(move || link_or_copy(&from, &to, bytes)).await?;
            if hash != object.name.hash {
                return Err(self.corrupt(object, "does not have its hash"));
            }
            step(how);
            return Ok(());
        }
        let file = File::create_new(&to).map_err(|e| local("make", &to, e))?;
        let write =
            |(file, to): &mut (File, PathBuf), piece: Bytes| file.write_all(&piece).map_err(|e| local("write", to, e));
        let (file, to) = self.read(object, (file, to), write).await?;
        step("file.fetched");
        self.resources.blocking(move || file.sync_all().map_err(|e| local("sync", &to, e))).await
    }
}

/// Up to a piece of the file, from `at` on.
fn piece_at(path: &Path, at: u64) -> Result<Bytes> {
    use std::io::{Seek, SeekFrom};
    let read = |e| local("read", path, e);
    let mut file = File::open(path).map_err(read)?;
    file.seek(SeekFrom::Start(at)).map_err(read)?;
    let mut piece = Vec::with_capacity(CHUNK_BYTES);
    file.take(CHUNK_BYTES as u64).read_to_end(&mut piece).map_err(read)?;
    if piece.is_empty() {
        return Err(local("read", path, io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(piece.into())
}
