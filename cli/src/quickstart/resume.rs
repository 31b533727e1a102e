//! [`Begin`]: where a run goes on: in the store itself, if that keeps the job's position, or at the latest checkpoint.

use statehold::{
    Descriptor, Durability, ErrorKind, RecoverFrom, Registry, Result, Source, StateManager,
    archive::{CheckpointInfo, Select},
    core::AtomicScope,
};

use super::{
    position::Position,
    states::{COUNTS, LINES, WIDTHS},
};

/// The source's name in the store.
const SOURCE: &str = "quickstart";

/// An opened manager, and what its states hold.
pub(crate) struct Begin {
    pub(crate) manager: StateManager,
    /// Takes the position with each commit, where the store keeps it.
    pub(crate) source: Option<Source>,
    pub(crate) latest: Option<CheckpointInfo>,
    pub(crate) position: Position,
    /// The position is the store's own; nothing was loaded.
    pub(crate) in_place: bool,
}

impl Begin {
    /// Opens the descriptor's stores, with content to go on from.
    ///
    /// # Errors
    /// What an engine or the archive fails with; `InvalidInput` if something else counts here.
    pub(crate) async fn open(descriptor: &Descriptor) -> Result<Self> {
        let keeper = keeper(descriptor);
        if let Some(store) = &keeper
            && let Some(begin) = Self::in_place(descriptor, store).await?
        {
            return Ok(begin);
        }
        let manager = open(descriptor, RecoverFrom::LatestOrEmpty).await?;
        let latest = latest(&manager).await?;
        let position = latest.as_ref().map(|l| Position::of_metadata(&l.summary.metadata)).transpose()?;
        let position = position.unwrap_or_else(Position::beginning);
        let source = match &keeper {
            Some(store) => Some(manager.source(store, SOURCE).await?),
            None => None,
        };
        Ok(Self { manager, source, latest, position, in_place: false })
    }

    /// `None` if the store holds nothing to go on with: no position, or content that a claim has superseded.
    async fn in_place(descriptor: &Descriptor, store: &str) -> Result<Option<Self>> {
        let manager = match open(descriptor, RecoverFrom::AsLeft).await {
            Err(e) if matches!(e.kind(), ErrorKind::Fenced | ErrorKind::Conflict) => {
                tracing::info!(error = %e, "begins with the latest checkpoint");
                return Ok(None);
            }
            opened => opened?,
        };
        let source = manager.source(store, SOURCE).await?;
        let Some(position) = source.position() else {
            manager.close().await?;
            return Ok(None);
        };
        let position = Position::of_bytes(position)?;
        let latest = latest(&manager).await?;
        Ok(Some(Self { manager, source: Some(source), latest, position, in_place: true }))
    }
}

async fn open(descriptor: &Descriptor, from: RecoverFrom) -> Result<StateManager> {
    StateManager::builder(descriptor.clone()).owner("statehold quickstart").recover(from).open().await
}

/// The store that has all states and keeps a position with them through a crash, if there is one.
fn keeper(descriptor: &Descriptor) -> Option<String> {
    let name = descriptor.store_of(COUNTS)?;
    if [WIDTHS, LINES].iter().any(|state| descriptor.store_of(state) != Some(name)) {
        return None;
    }
    let store = descriptor.stores.get(name)?;
    // Opening tells of a mistake, and where it is.
    let declared = Registry::default().get(&store.kind).ok()?.capabilities(&store.options).ok()?;
    let level = store.durability.unwrap_or_else(|| declared.default_durability());
    let keeps = declared.persistent && declared.markers && declared.scope == AtomicScope::Store;
    (keeps && level > Durability::Visible).then(|| name.to_owned())
}

/// The checkpoint that comes last.
async fn latest(manager: &StateManager) -> Result<Option<CheckpointInfo>> {
    match manager.checkpoints()?.show(Select::Latest).await {
        Ok(latest) => Ok(Some(latest)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
