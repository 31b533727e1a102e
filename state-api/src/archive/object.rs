//! [`Objects`]: the content of checkpoints, in files that are written once and named by their hash.

use bytes::Bytes;
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions};
use statehold_core::{Error, ErrorKind, Resources, Result};

use super::{error::failed, folder::Folder, part::Object};

/// How much of an object is read back at once to confirm it.
const READ_BACK_BYTES: u64 = 4 << 20;

/// The objects of a namespace.
#[derive(Debug)]
pub(super) struct Objects {
    folder: Folder,
    resources: Resources,
}

impl Objects {
    pub(super) fn new(folder: &Folder, resources: &Resources) -> Self {
        Self { folder: folder.child("objects"), resources: resources.clone() }
    }

    /// Stores an object and reads it back. On `Ok` its size and hash are confirmed.
    ///
    /// # Errors
    /// `Corrupt` if other bytes came back; or what the object store fails with.
    pub(super) async fn put(&self, object: &Object, bytes: Bytes) -> Result<()> {
        let path = self.folder.file(&object.name.to_string());
        let options = PutOptions::from(PutMode::Create);
        let put = self.folder.store().put_opts(&path, bytes.into(), options).await;
        // A put that failed or timed out may have succeeded: what came back tells.
        match (self.confirm(object).await, put) {
            (Ok(()), _) => Ok(()),
            (Err(e), Ok(_) | Err(StoreError::AlreadyExists { .. })) => Err(e),
            (Err(_), Err(cause)) => Err(failed("write", &self.show(object), cause)),
        }
    }

    async fn confirm(&self, object: &Object) -> Result<()> {
        let path = self.folder.file(&object.name.to_string());
        let size = self.folder.store().head(&path).await.map_err(|cause| self.unreadable(object, cause))?.size;
        self.check_size(object, size)?;
        let mut hasher = blake3::Hasher::new();
        let mut at = 0;
        while at < size {
            let to = size.min(at + READ_BACK_BYTES);
            let read = self.folder.store().get_range(&path, at..to).await;
            let bytes = read.map_err(|cause| self.unreadable(object, cause))?;
            hasher = self
                .resources
                .blocking(move || {
                    hasher.update(&bytes);
                    Ok(hasher)
                })
                .await?;
            at = to;
        }
        self.check_hash(object, hasher.finalize())
    }

    /// The object's bytes, checked against its size and hash.
    ///
    /// # Errors
    /// `Corrupt` if it is missing or altered; or what the object store fails with.
    pub(super) async fn fetch(&self, object: &Object) -> Result<Bytes> {
        let path = self.folder.file(&object.name.to_string());
        let found = self.folder.store().get(&path).await.map_err(|cause| self.unreadable(object, cause))?;
        // The size is checked before anything is allocated for it.
        self.check_size(object, found.meta.size)?;
        let bytes = found.bytes().await.map_err(|cause| self.unreadable(object, cause))?;
        let hashed = bytes.clone();
        let hash = self.resources.blocking(move || Ok(blake3::hash(&hashed))).await?;
        self.check_hash(object, hash)?;
        Ok(bytes)
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

    fn check_size(&self, object: &Object, size: u64) -> Result<()> {
        if size == object.bytes {
            return Ok(());
        }
        Err(self.corrupt(object, &format!("has {size} bytes instead of {}", object.bytes)))
    }

    fn check_hash(&self, object: &Object, hash: blake3::Hash) -> Result<()> {
        if hash == object.name.hash { Ok(()) } else { Err(self.corrupt(object, "does not have its hash")) }
    }

    fn unreadable(&self, object: &Object, cause: StoreError) -> Error {
        let e = failed("read", &self.show(object), cause);
        if e.kind() == ErrorKind::NotFound { self.corrupt(object, "is missing").because(e) } else { e }
    }
}
