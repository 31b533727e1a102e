//! [`Place`]: where a job's stores and its archive lie; [`Job`]: the managers of it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::ObjectStore;
use statehold::{
    Descriptor, Error, MemoryDescriptor, RecoverFrom, Registry, Resources, Result, StateManager, StoreDescriptor,
    TokioPool,
    archive::{Archive, CheckpointForm, CheckpointId, Metadata, Retention, Select},
};
use statehold_conformance::{Site, Subject};

use crate::content::{self, Content, GROUPS, with_states};

/// The one store of each manager.
pub(crate) const STORE: &str = "local";
/// Little: many processes make it one after the other.
const MEMORY: MemoryDescriptor = MemoryDescriptor { engine: 8 << 20, write_buffer: 1 << 20, cache: 1 << 20 };
const NAMESPACE: &str = "life";

/// A directory with the engine's data and the archive in it.
pub(crate) struct Place {
    subject: Subject,
    dir: PathBuf,
    site: Site,
    pub(crate) form: CheckpointForm,
    owners: u16,
}

impl Place {
    pub(crate) fn new(subject: &Subject, dir: &Path, form: CheckpointForm, owners: u16) -> Result<Self> {
        let engine = dir.join("engine");
        std::fs::create_dir_all(&engine).map_err(|e| Error::internal("no directory").because(e))?;
        Ok(Self { subject: subject.clone(), dir: dir.into(), site: subject.site(&engine), form, owners })
    }

    /// Where the archive is.
    pub(crate) fn archive_dir(&self) -> PathBuf {
        self.dir.join("archive")
    }

    /// Where the archive's objects are.
    pub(crate) fn objects_dir(&self) -> PathBuf {
        self.archive_dir().join(NAMESPACE).join("objects")
    }

    fn bare(site: &Site) -> (Descriptor, Registry) {
        let mut store = StoreDescriptor::new(site.backend.kind());
        store.options = site.options.clone();
        let descriptor = with_states(Descriptor::new(NAMESPACE).store(STORE, store)).memory(MEMORY);
        (descriptor, Registry::empty().with(site.backend.clone()))
    }

    pub(crate) async fn archive(&self) -> Result<Archive> {
        self.archive_at(&self.archive_dir()).await
    }

    pub(crate) async fn archive_at(&self, folder: &Path) -> Result<Archive> {
        Archive::open(&format!("file://{}", folder.display()), &NAMESPACE.parse()?, &resources()).await
    }

    /// An archive of the same namespace on another object store.
    pub(crate) async fn archive_on(&self, store: Arc<dyn ObjectStore>) -> Result<Archive> {
        Archive::open_on(store, "archive", &NAMESPACE.parse()?, &resources()).await
    }

    /// A manager of the stores that has no archive.
    pub(crate) async fn open_alone(&self) -> Result<StateManager> {
        let (descriptor, registry) = Self::bare(&self.site);
        StateManager::builder(descriptor).registry(registry).open().await
    }

    /// Such a manager on a fresh store in `dir`.
    pub(crate) async fn elsewhere(&self, dir: &Path) -> Result<StateManager> {
        let (descriptor, registry) = Self::bare(&self.subject.site(dir));
        StateManager::builder(descriptor).registry(registry).open().await
    }

    pub(crate) async fn open(&self, from: RecoverFrom) -> Result<Job> {
        let mut managers = Vec::new();
        for owner in 0..self.owners {
            let (descriptor, registry) = Self::bare(&self.site);
            let descriptor =
                descriptor.archive(&format!("file://{}", self.archive_dir().display())).checkpoint_form(self.form);
            let share = GROUPS / self.owners;
            let groups = owner * share..(owner + 1) * share;
            let builder = StateManager::builder(descriptor).registry(registry).groups(groups).recover(from);
            managers.push(builder.open().await?);
        }
        Ok(Job { managers })
    }

    /// What checkpoint `id` of `archive` brings into a fresh store.
    pub(crate) async fn content_of(&self, archive: &Archive, id: u64) -> Result<Content> {
        let elsewhere = tempfile::tempdir_in(&self.dir).map_err(|e| Error::internal("no directory").because(e))?;
        let manager = self.elsewhere(elsewhere.path()).await?;
        let read = async {
            let store = manager.store(STORE)?;
            archive.recover_into(Select::Id(CheckpointId(id)), STORE, &*store, manager.groups()).await?;
            Content::read(std::slice::from_ref(&manager)).await
        };
        let content = read.await;
        manager.close().await?;
        content
    }
}

pub(crate) fn resources() -> Resources {
    Resources::new(TokioPool::current(4))
}

/// The metadata of a checkpoint behind so many writes.
pub(crate) fn behind(writes: usize) -> Metadata {
    Metadata::new().with("writes", writes as u64)
}

/// The managers of all owners.
pub(crate) struct Job {
    pub(crate) managers: Vec<StateManager>,
}

impl Job {
    pub(crate) async fn write(&self, n: u64) -> Result<()> {
        content::write(&self.managers, n).await
    }

    pub(crate) async fn content(&self) -> Result<Content> {
        Content::read(&self.managers).await
    }

    /// Takes a checkpoint of all owners.
    pub(crate) async fn take(&self, id: u64, writes: usize) -> Result<()> {
        let (id, metadata) = (CheckpointId(id), behind(writes));
        if let [manager] = &self.managers[..] {
            return manager.archive(id, &metadata).await.map(drop);
        }
        for manager in &self.managers {
            manager.prepare(id).await?;
        }
        self.managers[0].checkpoints()?.complete(id, &metadata).await.map(drop)
    }

    pub(crate) async fn prune(&self, keep_last: usize) -> Result<()> {
        let retention = Retention { keep_last, keep_for: None };
        // Each owner finds what its own failed attempts left.
        for manager in &self.managers {
            manager.prune(&retention).await?;
        }
        Ok(())
    }

    pub(crate) async fn close(self) -> Result<()> {
        for manager in &self.managers {
            manager.close().await?;
        }
        Ok(())
    }
}
