//! [`StateManager`]: the states of a namespace, and what is done to all of them.

mod builder;
mod checkpoint;
mod handles;
mod memory;
mod plan;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use statehold_core::{Compacted, Durability, Error, ErrorKind, KeyGroups, Name, Resources, Result, Store};

use self::handles::Handles;
use crate::{archive::Archive, config::Descriptor, runtime::StoreRuntime, state::Source};

pub use self::{
    builder::{ManagerBuilder, RecoverFrom},
    checkpoint::PendingCheckpoint,
    memory::{MemoryUse, StoreMemory},
};

pub(crate) struct Inner {
    descriptor: Descriptor,
    namespace: Name,
    groups: KeyGroups,
    resources: Resources,
    stores: BTreeMap<String, Arc<StoreRuntime>>,
    /// One a state: so that all users of a state share its buffer and cache (contract OWN-7). Who also closes
    /// gates locks this first.
    handles: tokio::sync::Mutex<Handles>,
    archive: Option<Archive>,
    /// Who claims, for people.
    owner: String,
    held: parking_lot::Mutex<Option<checkpoint::Held>>,
}

/// Opens the stores of a namespace, hands out typed states, takes checkpoints and goes back to them.
/// Cheap to clone; all clones are the same manager.
///
/// ```no_run
/// # async fn run() -> statehold::Result<()> {
/// use statehold::{StateManager, archive::{CheckpointId, Metadata}};
/// let manager = StateManager::open("statehold.toml").await?;
/// let counts = manager.key_value::<String, u64>("counts").await?;
/// counts.update("apple", |n| Ok(n.unwrap_or(0) + 1)).await?;
/// manager.archive(CheckpointId(7), &Metadata::new().with("offset", 4711)).await?;
/// manager.close().await
/// # }
/// ```
#[derive(Clone)]
pub struct StateManager(Arc<Inner>);

impl std::fmt::Debug for StateManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateManager")
            .field("namespace", &self.0.namespace)
            .field("groups", &self.0.groups)
            .finish_non_exhaustive()
    }
}

impl StateManager {
    /// Opens what a descriptor file says, as it was left.
    ///
    /// # Errors
    /// As [`ManagerBuilder::open`]; mistakes in the file are named with their line.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(Descriptor::from_file(path.as_ref())?).open().await
    }

    /// Opens what a descriptor says, with more choices.
    pub fn builder(descriptor: Descriptor) -> ManagerBuilder {
        ManagerBuilder::new(descriptor)
    }

    /// What was opened.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    /// The key groups this manager owns.
    #[must_use]
    pub fn groups(&self) -> KeyGroups {
        self.0.groups
    }

    /// Threads, clock and memory, to share with another manager of the process.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.0.resources
    }

    /// The store `name` itself, past buffers, caches and types: for tools. What is committed through it is
    /// not seen by handles that have the record staged or cached.
    ///
    /// # Errors
    /// `NotFound` listing the stores there are.
    pub fn store(&self, name: &str) -> Result<Arc<dyn Store>> {
        self.0.runtime(name).map(|r| r.store.clone())
    }

    /// The source `name` of a job whose positions the store `store` keeps.
    ///
    /// # Errors
    /// `NotFound` listing the stores there are; `Unsupported` if the store is not atomic as a whole; what the engine
    /// fails with.
    pub async fn source(&self, store: &str, name: &str) -> Result<Source> {
        let runtime = self.0.runtime(store)?.clone();
        runtime.check_open()?;
        Source::open(runtime, self.0.namespace.as_str(), name).await
    }

    /// Returns once everything written before is as durable as each store promises; the weakest of the levels.
    ///
    /// # Errors
    /// What an engine fails with; staged writes are kept and tried again by the next call.
    pub async fn finish(&self) -> Result<Durability> {
        let mut level = Durability::Power;
        for runtime in self.0.stores.values() {
            level = level.min(runtime.finish().await.map_err(|e| e.in_store(&runtime.name).during("finish"))?);
        }
        Ok(level)
    }

    /// Reclaims in every store what is deleted or expired; changes no answer (contract LIFE-9).
    ///
    /// # Errors
    /// What an engine fails with.
    pub async fn compact(&self) -> Result<Compacted> {
        let mut sum = Compacted::default();
        for runtime in self.0.stores.values() {
            runtime.check_open()?;
            let done = runtime.store.compact().await.map_err(|e| e.in_store(&runtime.name).during("compact"))?;
            sum.expired += done.expired;
        }
        Ok(sum)
    }

    /// Commits what is staged and releases every store. A second close does nothing.
    ///
    /// # Errors
    /// The first failure; all stores are closed all the same.
    pub async fn close(&self) -> Result<()> {
        let mut outcome = Ok(());
        for runtime in self.0.stores.values() {
            let closed = runtime.close().await.map_err(|e| e.in_store(&runtime.name).during("close"));
            outcome = outcome.and(closed);
        }
        outcome
    }
}

impl Inner {
    fn runtime(&self, name: &str) -> Result<&Arc<StoreRuntime>> {
        self.stores.get(name).ok_or_else(|| {
            let known: Vec<_> = self.stores.keys().map(String::as_str).collect();
            Error::new(ErrorKind::NotFound, format!("there is no store `{}`", name.escape_debug()))
                .advise(format!("the descriptor has: {}", known.join(", ")))
        })
    }
}
