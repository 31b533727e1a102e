//! [`Objects`]: the content of checkpoints, in files that are written once and named by their hash.

mod files;
mod local;

use std::collections::HashMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions};
use parking_lot::Mutex;
use statehold_core::{Error, ErrorKind, Resources, Result, step};

pub(super) use local::sync;

use super::{
    chunks::{CHUNK_BYTES, Chunks},
    error::failed,
    folder::Folder,
    part::{Object, ObjectName},
};

/// Pieces of an object that are read at once: a distant object store answers each late.
const READ_AHEAD: usize = 4;

/// The objects of a namespace.
#[derive(Debug)]
pub(super) struct Objects {
    folder: Folder,
    resources: Resources,
    /// Of files that stay as they are, by session and name: size and hash.
    hashes: Mutex<HashMap<(String, String), (u64, blake3::Hash)>>,
}

impl Objects {
    pub(super) fn new(folder: &Folder, resources: &Resources) -> Self {
        Self { folder: folder.child("objects"), resources: resources.clone(), hashes: Mutex::default() }
    }

    /// Stores an object and reads it back. On `Ok` its size and hash are confirmed.
    ///
    /// # Errors
    /// `Corrupt` if other bytes came back; or what the object store fails with.
    pub(super) async fn put(&self, object: &Object, chunks: Chunks) -> Result<()> {
        let path = self.folder.file(&object.name.to_string());
        let options = PutOptions::from(PutMode::Create);
        step("object.put");
        let put = self.folder.store().put_opts(&path, chunks.into(), options).await;
        step("object.stored");
        // A put that failed or timed out may have succeeded: what came back tells.
        match (self.confirm(object).await, put) {
            (Ok(()), _) => Ok(()),
            (Err(e), Ok(_) | Err(StoreError::AlreadyExists { .. })) => Err(e),
            (Err(_), Err(cause)) => Err(failed("write", &self.show(object), cause)),
        }
    }

    /// Whether an object that was confirmed once is still there.
    ///
    /// # Errors
    /// What the object store fails with.
    pub(super) async fn is_there(&self, object: &Object) -> Result<bool> {
        match self.folder.store().head(&self.folder.file(&object.name.to_string())).await {
            Ok(found) => Ok(found.size == object.bytes),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(cause) => Err(failed("look for", &self.show(object), cause)),
        }
    }

    /// All objects, with their sizes. Files of other names are none of ours.
    ///
    /// # Errors
    /// What the object store fails with.
    pub(super) async fn list(&self) -> Result<Vec<(ObjectName, u64)>> {
        let mut listed = self.folder.store().list(Some(self.folder.path()));
        let mut objects = Vec::new();
        while let Some(meta) =
            listed.try_next().await.map_err(|cause| failed("list", &self.folder.to_string(), cause))?
        {
            objects.extend(meta.location.filename().and_then(|f| f.parse().ok()).map(|name| (name, meta.size)));
        }
        Ok(objects)
    }

    /// Deletes an object; one that is not there is deleted already.
    ///
    /// # Errors
    /// What the object store fails with.
    pub(super) async fn delete(&self, name: &ObjectName) -> Result<()> {
        let name = name.to_string();
        step("object.delete");
        match self.folder.store().delete(&self.folder.file(&name)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(cause) => Err(failed("delete", &self.folder.show(&name), cause)),
        }
    }

    /// Reads the object back.
    ///
    /// # Errors
    /// As [`Objects::fetch`].
    pub(super) async fn confirm(&self, object: &Object) -> Result<()> {
        self.read(object, (), |(), _| Ok(())).await
    }

    /// The object's bytes, checked against its size and hash.
    ///
    /// # Errors
    /// `Corrupt` if it is missing or altered; or what the object store fails with.
    pub(super) async fn fetch(&self, object: &Object) -> Result<Chunks> {
        let keep = |all: &mut Chunks, piece| {
            all.push(piece);
            Ok(())
        };
        self.read(object, Chunks::default(), keep).await
    }

    /// Reads the object piece by piece, and gives each to `take` on the blocking pool. Answers what it made `into`
    /// if the object was what it should be.
    async fn read<T: Send + 'static>(
        &self,
        object: &Object,
        mut into: T,
        take: impl Fn(&mut T, Bytes) -> Result<()> + Copy + Send + 'static,
    ) -> Result<T> {
        let store = self.folder.store();
        let path = self.folder.file(&object.name.to_string());
        let size = store.head(&path).await.map_err(|cause| self.unreadable(object, cause))?.size;
        // Checked before anything is allocated for it.
        if size != object.bytes {
            return Err(self.corrupt(object, &format!("has {size} bytes instead of {}", object.bytes)));
        }
        let pieces = (0..size).step_by(CHUNK_BYTES).map(|at| at..size.min(at + CHUNK_BYTES as u64));
        let mut read = stream::iter(pieces).map(|range| store.get_range(&path, range)).buffered(READ_AHEAD);
        let mut hasher = blake3::Hasher::new();
        while let Some(piece) = read.try_next().await.map_err(|cause| self.unreadable(object, cause))? {
            let job = move || {
                hasher.update(&piece);
                take(&mut into, piece)?;
                Ok((hasher, into))
            };
            (hasher, into) = self.resources.blocking(job).await?;
        }
        if hasher.finalize() == object.name.hash {
            Ok(into)
        } else {
            Err(self.corrupt(object, "does not have its hash"))
        }
    }

    /// How messages name an object.
    pub(super) fn show(&self, object: &Object) -> String {
        self.folder.show(&object.name.to_string())
    }

    /// An object that is not what the log says.
    pub(super) fn corrupt(&self, object: &Object, what: &str) -> Error {
        let name = self.show(object);
        Error::corrupt(format!("object `{name}` {what}"))
            .about(name)
            .advise("restore it from a copy of the archive, or recover another checkpoint")
    }

    fn unreadable(&self, object: &Object, cause: StoreError) -> Error {
        let e = failed("read", &self.show(object), cause);
        if e.kind() == ErrorKind::NotFound { self.corrupt(object, "is missing").because(e) } else { e }
    }
}
