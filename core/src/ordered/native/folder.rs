//! [`Folder`]: a private folder beside the live files, removed when nobody needs it any more.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{BlockingPool, Error, ErrorKind, Resources, Result};

/// Removes what it holds when it is dropped, on the blocking pool; after a crash the next open does.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    pool: Arc<dyn BlockingPool>,
}

impl Folder {
    /// A folder that somebody else may still have to make.
    pub(super) fn at(path: PathBuf, resources: &Resources) -> Self {
        Self { path, pool: Arc::clone(&resources.pool) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder `name` within, with all above it.
    pub(super) fn make(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).map_err(|e| failed(&path, e))?;
        Ok(path)
    }
}

fn failed(path: &Path, e: io::Error) -> Error {
    let kind = match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("the folder `{}` cannot be made: {e}", path.display()))
        .about(path.display().to_string())
        .advise("look at the disk and its rights, and try again")
        .because(e)
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        self.pool.spawn(Box::new(move || {
            if let Err(e) = fs::remove_dir_all(&path)
                && e.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(folder = %path.display(), error = %e, "a private folder stays until the next open");
            }
        }));
    }
}
