//! Objects that are files of this machine before and after: hashed, linked, sent and fetched.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use object_store::{ObjectStoreExt, WriteMultipart};
use statehold_core::{Error, NativeCut, NativeFile, Result, step};

use super::Objects;
use crate::archive::{
    chunks::{CHUNK_BYTES, Chunks},
    error::failed,
    part::Object,
};

/// A file up to this size is sent in one piece.
const ONE_PIECE: u64 = 8 << 20;
/// Pieces of an upload that are under way at once.
const PIECES: usize = 2;

/// A failure of this machine's file system.
pub(in crate::archive) fn local(doing: &str, path: &Path, cause: io::Error) -> Error {
    let cause = object_store::Error::Generic { store: "file system", source: cause.into() };
    failed(doing, &path.display().to_string(), cause)
}

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

/// Links `from` as `to`, durably. `false` where that cannot be done and a copy is wanted.
fn link(from: &Path, to: &Path) -> Result<bool> {
    let Some(folder) = to.parent() else { return Ok(false) };
    fs::create_dir_all(folder).map_err(|e| local("make", folder, e))?;
    match fs::hard_link(from, to) {
        Ok(()) => File::open(folder).and_then(|f| f.sync_all()).map(|()| true).map_err(|e| local("sync", folder, e)),
        Err(_) => Ok(false),
    }
}

impl Objects {
    /// The hash of a cut's file, read only if this session has not told it before.
    pub(in crate::archive) async fn hash_file(&self, session: &str, file: &NativeFile) -> Result<blake3::Hash> {
        let key = (session.to_owned(), file.name.clone());
        if file.stable
            && let Some((bytes, hash)) = self.hashes.lock().get(&key)
            && *bytes == file.bytes
        {
            return Ok(*hash);
        }
        let path = file.path.clone();
        let hash = self.resources.blocking(move || hash_of(&path)).await?;
        if file.stable {
            self.hashes.lock().insert(key, (file.bytes, hash));
        }
        Ok(hash)
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

    /// Stores a file as an object. On `Ok` its size and hash are confirmed.
    pub(in crate::archive) async fn put_file(&self, object: &Object, file: &NativeFile) -> Result<()> {
        // Files that stay as they are were synced by the engine; a link has the bytes that were hashed.
        if file.stable
            && let Some(to) = self.folder.local_file(&object.name.to_string())
        {
            let from = file.path.clone();
            if self.resources.blocking(move || link(&from, &to)).await? {
                step("object.linked");
                return Ok(());
            }
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

    /// Puts an object's content into the file `to`, checked and synced.
    pub(in crate::archive) async fn get_file(&self, object: &Object, to: PathBuf) -> Result<()> {
        if let Some(from) = self.folder.local_file(&object.name.to_string()).filter(|from| from.exists()) {
            let (there, linked) = (from.clone(), to.clone());
            let job = move || Ok((hash_of(&there)?, link(&there, &linked)?));
            let (hash, linked) = self.resources.blocking(job).await?;
            if hash != object.name.hash {
                return Err(self.corrupt(object, "does not have its hash"));
            }
            if linked {
                step("file.linked");
                return Ok(());
            }
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
