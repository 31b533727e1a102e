//! Archives: checkpoints of stores on an object store (contract LIFE-2, LIFE-4, LIFE-5, LIFE-7, OWN-1).
//!
//! ```text
//! <url>/<namespace>/log/<20-digit number>.json          records, from 1 on
//! <url>/<namespace>/objects/<blake3>-<claim>.<attempt>  content, as Parquet
//! ```
//! The log is the truth. A record is created if absent and never changed, so two owners that
//! append at the same time are put in order by the object store alone: no clock, lease or lock.
//! An owner first *claims* its key groups; that record's number is its epoch. A checkpoint is one
//! record that names its objects, appended when they are all stored and confirmed. Appending
//! reads the log to its end first: whoever finds its groups claimed by a later epoch is `Fenced`.
//!
//! A claim names the checkpoint it goes on from. Going on from an older one rolls back: what came
//! after it is *superseded*, listed still, never the latest.
//!
//! ```
//! # async fn run(store: &dyn statehold_core::Store, resources: &statehold_core::Resources) -> statehold_core::Result<()> {
//! use statehold::archive::{Archive, CheckpointId, Cut, Metadata, Select};
//! let archive = Archive::open("memory://example", &"orders".parse()?, resources).await?;
//! let claim = archive.claim(store.groups(), "host-1", None).await?;
//! let cut = Cut::take(&[("local", store)]).await?; // writers wait until here
//! archive.write(&claim, CheckpointId(7), &Metadata::new().with("offset", 4711), cut).await?;
//! let back = archive.recover_into(Select::Latest, "local", store, store.groups()).await?;
//! assert_eq!(back.summary.metadata.get("offset").and_then(|v| v.as_u64()), Some(4711));
//! # Ok(()) }
//! ```

mod checkpoint;
mod chunks;
mod claim;
mod cloud;
mod error;
mod folder;
#[cfg(fuzzing)]
pub mod fuzzing;
mod log;
mod metadata;
mod native;
mod object;
mod parent;
mod parquet;
mod part;
mod prepare;
mod prune;
mod record;
mod recover;
mod show;
mod sink;
mod source;
mod timeline;
mod token;
mod write;

use std::sync::Arc;

use object_store::ObjectStore;
use statehold_core::{Name, Resources, Result};

use self::{folder::Folder, log::Log, object::Objects};

pub(crate) use self::{claim::Left, token::Token};

pub use self::{
    checkpoint::{
        CheckpointForm, CheckpointId, CheckpointInfo, CheckpointSummary, ObjectInfo, Select, StateInfo, Status,
        StoreInfo,
    },
    claim::Claim,
    metadata::Metadata,
    part::Groups,
    prepare::PreparedPart,
    prune::{Pruned, Retention},
    show::Verified,
    write::Cut,
};

/// The checkpoints of one namespace. Clones are cheap and the same archive.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: Folder,
    log: Arc<Log>,
    objects: Arc<Objects>,
    resources: Resources,
}

impl Archive {
    /// Opens the archive of `namespace` at `url`, and reads its log.
    ///
    /// - `file:///absolute/path`: a folder, written with fsync of files and folders. Relative
    ///   paths and `~` are refused; nothing is created before the first claim.
    /// - `s3://bucket/folder`, `gs://bucket/folder`, `az://container/folder`, with the Cargo feature `s3`, `gcs`,
    ///   `azure`. Credentials, region and endpoint come from the environment alone: the variables that
    ///   [`object_store`] reads, such as `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`,
    ///   `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_NAME`. A request is given 60 s (`AWS_TIMEOUT`), and sent
    ///   up to 6 times within 60 s. The store must have conditional puts (`If-None-Match`).
    /// - `memory://name`: within this process, shared by all who open the same name, gone with
    ///   the process.
    ///
    /// # Errors
    /// `InvalidInput` if the URL is none of these or not a folder that may be read; `Corrupt`
    /// or `Unsupported` naming a log record; or what the object store fails with.
    pub async fn open(url: &str, namespace: &Name, resources: &Resources) -> Result<Self> {
        Self::open_folder(&Folder::open(url)?, namespace, resources).await
    }

    /// As [`Archive::open`], in the folder `path` of an object store that the caller has made.
    /// It must have create-if-absent, and show what was created to everybody at once.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub async fn open_on(
        store: Arc<dyn ObjectStore>,
        path: &str,
        namespace: &Name,
        resources: &Resources,
    ) -> Result<Self> {
        Self::open_folder(&Folder::of(store, path)?, namespace, resources).await
    }

    async fn open_folder(root: &Folder, namespace: &Name, resources: &Resources) -> Result<Self> {
        let folder = root.child(namespace.as_str());
        let log = Arc::new(Log::new(&folder, namespace, resources));
        drop(log.follow().await.map_err(|e| e.during("open"))?);
        let objects = Arc::new(Objects::new(&folder, resources));
        Ok(Self { folder, log, objects, resources: resources.clone() })
    }
}
