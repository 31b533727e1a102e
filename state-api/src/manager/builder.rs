//! [`ManagerBuilder`]: how a manager is opened.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use statehold_core::{
    Clock, Error, ErrorKind, KeyGroups, Name, OpenRequest, Ownership, Resources, Result, Unclean, WriterId,
};

use super::{
    Inner, StateManager,
    handles::Handles,
    plan::{self, StorePlan},
};
use crate::{
    archive::{Archive, CheckpointId, Select},
    config::Descriptor,
    pool::TokioPool,
    registry::Registry,
    runtime::StoreRuntime,
};

/// Threads for blocking work of one manager, unless it shares another's resources.
const BLOCKING_THREADS: usize = 8;

/// What the stores hold when the manager is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecoverFrom {
    /// What they held when they were last used.
    #[default]
    AsLeft,
    /// The latest checkpoint.
    Latest,
    /// The latest checkpoint, or nothing at all if there is none yet: what a job that replays its source wants.
    LatestOrEmpty,
    /// This checkpoint; what came after it is superseded.
    Id(CheckpointId),
}

/// The content to begin with, once the archive was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// What the stores held when they were last used.
    AsLeft,
    /// Nothing.
    Empty,
    /// This checkpoint.
    At(CheckpointId),
}

/// Opens a [`StateManager`].
#[derive(Debug)]
#[must_use = "a builder does nothing before `open`"]
pub struct ManagerBuilder {
    descriptor: Descriptor,
    registry: Registry,
    resources: Option<Resources>,
    clock: Option<Arc<dyn Clock>>,
    groups: Option<Range<u16>>,
    owner: String,
    recover: RecoverFrom,
    discard: bool,
    read_only: bool,
}

impl ManagerBuilder {
    pub(super) fn new(descriptor: Descriptor) -> Self {
        Self {
            descriptor,
            registry: Registry::default(),
            resources: None,
            clock: None,
            groups: None,
            owner: format!("process {}", std::process::id()),
            recover: RecoverFrom::default(),
            discard: false,
            read_only: false,
        }
    }

    /// The backends that the descriptor may name; every one compiled in unless set.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Threads, clock and engine memory of another manager, to share.
    pub fn resources(mut self, resources: Resources) -> Self {
        self.resources = Some(resources);
        self
    }

    /// Where `now` comes from; the machine's clock unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The key groups to own; all unless set.
    pub fn groups(mut self, groups: Range<u16>) -> Self {
        self.groups = Some(groups);
        self
    }

    /// The owner's name in the archive's log, for people.
    pub fn owner(mut self, name: &str) -> Self {
        name.clone_into(&mut self.owner);
        self
    }

    /// Which content to begin with.
    pub fn recover(mut self, from: RecoverFrom) -> Self {
        self.recover = from;
        self
    }

    /// Throws away what the stores hold, and begins with nothing. Checkpoints stay, superseded: none of them
    /// is the latest any more.
    pub fn discard(mut self) -> Self {
        self.discard = true;
        self
    }

    /// Only looks, at stores that others may be writing.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Opens everything. Nothing is created before the whole descriptor is known to be right.
    ///
    /// Must be called within a tokio runtime that outlives the manager.
    ///
    /// # Errors
    /// - `InvalidInput`: a mistake in the descriptor, named with its line if it came from a file.
    /// - `Conflict`: somebody else has a store open, or it was not closed cleanly and its writes were not
    ///   durable (choose `recover` or `discard`).
    /// - `NotFound`: there is no such checkpoint.
    /// - What an engine or the archive fails with.
    pub async fn open(mut self) -> Result<StateManager> {
        if self.read_only {
            for store in self.descriptor.stores.values_mut() {
                store.ownership = Ownership::ReadOnly;
            }
        }
        let plans = plan::check(&self.descriptor, &self.registry)?;
        let namespace = Name::new(&self.descriptor.namespace)?;
        let total = self.descriptor.key_groups;
        let groups = KeyGroups::new(self.groups.clone().unwrap_or(0..total), total)?;
        let resources = self.take_resources();
        let archive = match &self.descriptor.archive {
            Some(at) => Some(
                Archive::open(&at.url, &namespace, &resources)
                    .await
                    .map_err(|e| self.descriptor.locate(e, "archive"))?,
            ),
            None => None,
        };
        let start = self.start(archive.as_ref()).await?;
        let unclean = match start {
            Start::AsLeft => Unclean::Refuse,
            Start::Empty => Unclean::Discard,
            Start::At(_) => Unclean::Recover,
        };
        let mut requests = Vec::new();
        for plan in &plans {
            let request = plan.request(&namespace, groups, unclean, &resources);
            self.descriptor.located(request.check(&plan.capabilities), &format!("stores.{}", plan.name))?;
            requests.push(request);
        }
        let stores = self.open_stores(&plans, requests).await?;
        let manager = StateManager(Arc::new(Inner {
            descriptor: self.descriptor,
            namespace,
            groups,
            resources,
            stores,
            handles: tokio::sync::Mutex::new(Handles::default()),
            archive,
            owner: self.owner,
            held: parking_lot::Mutex::new(None),
        }));
        if let Err(error) = manager.begin(start, self.read_only).await {
            // The stores must not stay locked behind a manager that nobody got.
            let _ = manager.close().await;
            return Err(error);
        }
        Ok(manager)
    }

    fn take_resources(&mut self) -> Resources {
        let memory = self.descriptor.memory.engine;
        let resources = self
            .resources
            .take()
            .unwrap_or_else(|| Resources::new(TokioPool::current(BLOCKING_THREADS)).with_memory(memory));
        match self.clock.take() {
            Some(clock) => resources.with_clock(clock),
            None => resources,
        }
    }

    async fn start(&self, archive: Option<&Archive>) -> Result<Start> {
        if self.read_only && (self.discard || self.recover != RecoverFrom::AsLeft) {
            return Err(Error::invalid("a read-only manager neither recovers nor discards")
                .advise("open it without `read_only`"));
        }
        let select = match self.recover {
            RecoverFrom::AsLeft if self.discard => return Ok(Start::Empty),
            RecoverFrom::AsLeft => return Ok(Start::AsLeft),
            RecoverFrom::Latest | RecoverFrom::LatestOrEmpty => Select::Latest,
            RecoverFrom::Id(id) => Select::Id(id),
        };
        let Some(archive) = archive else {
            return Err(Error::invalid("there is no archive to recover from")
                .about("archive")
                .advise("add `[archive] url = \"file:///…\"` to the descriptor"));
        };
        match archive.resolve(select).await {
            Ok(found) => Ok(Start::At(found.id)),
            Err(e) if e.kind() == ErrorKind::NotFound && self.recover == RecoverFrom::LatestOrEmpty => Ok(Start::Empty),
            Err(e) => Err(e),
        }
    }

    async fn open_stores(
        &self,
        plans: &[StorePlan],
        requests: Vec<OpenRequest>,
    ) -> Result<BTreeMap<String, Arc<StoreRuntime>>> {
        let writer = new_writer()?;
        let mut opened: BTreeMap<String, Arc<StoreRuntime>> = BTreeMap::new();
        for (plan, request) in plans.iter().zip(requests) {
            let resources = request.resources.clone();
            match plan.backend.open(request).await {
                Ok(store) => {
                    let runtime = StoreRuntime::new(&plan.name, store, resources, plan.buffer_bytes, writer);
                    opened.insert(plan.name.clone(), runtime);
                }
                Err(error) => {
                    for runtime in opened.values() {
                        let _ = runtime.close().await;
                    }
                    let place = format!("stores.{}", plan.name);
                    return Err(self.descriptor.locate(error.in_store(&plan.name).during("open"), &place));
                }
            }
        }
        Ok(opened)
    }
}

/// Unique among all writers of a namespace, for ever: 128 random bits.
fn new_writer() -> Result<WriterId> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)
        .map_err(|e| Error::new(ErrorKind::Unavailable, "the system gives no random bytes").because(e))?;
    Ok(WriterId(u128::from_le_bytes(bits)))
}
