//! Checkpoints of a manager: cut, persist, recover (contract LIFE-2, LIFE-5, OWN-1).

use statehold_core::{Error, ErrorKind, Ownership, Result, Store};

use super::{Inner, StateManager, builder::Start, left};
use crate::{
    archive::{
        Archive, CheckpointForm, CheckpointId, CheckpointInfo, Claim, Cut, Metadata, PreparedPart, Pruned, Retention,
        Select, Token,
    },
    runtime::{Barrier, Unsettled, to_the_end},
};

/// What a manager owns in its archive.
#[derive(Debug, Clone)]
pub(super) struct Held {
    claim: Claim,
    /// A recover reached some stores only.
    torn: bool,
}

impl Held {
    fn whole(claim: Claim) -> Self {
        Self { claim, torn: false }
    }
}

/// A cut that is taken but not yet stored: writers go on meanwhile and are not in it.
#[derive(Debug)]
#[must_use = "a cut that is not persisted is no checkpoint"]
pub struct PendingCheckpoint {
    archive: Archive,
    claim: Claim,
    id: CheckpointId,
    metadata: Metadata,
    cut: Cut,
    retention: Option<Retention>,
}

impl PendingCheckpoint {
    /// Stores the cut and makes it visible. Then prunes, if the descriptor says what to keep; a prune that fails is
    /// only logged, as the next one makes up for it.
    ///
    /// # Errors
    /// - `Conflict`: the id is taken.
    /// - `Fenced`: another owner has claimed these key groups.
    /// - What the object store or the engine fails with.
    ///
    /// After each of them the checkpoint is not visible and the id can be tried again.
    pub async fn persist(self) -> Result<CheckpointInfo> {
        let begun = std::time::Instant::now();
        let info = self.archive.write(&self.claim, self.id, &self.metadata, self.cut).await?;
        metrics::histogram!("statehold_checkpoint_seconds").record(begun.elapsed().as_secs_f64());
        metrics::counter!("statehold_checkpoints_total").increment(1);
        if let Some(retention) = &self.retention
            && let Err(error) = self.archive.prune(retention, Some(&self.claim)).await
        {
            tracing::warn!(%error, "checkpoints were not pruned");
        }
        Ok(info)
    }

    /// Stores the cut as this owner's part of the checkpoint, where several owners share the key groups. Whoever
    /// coordinates them makes it visible by [`Archive::complete`], or gives it up by [`Archive::abort`]; its
    /// metadata are the coordinator's.
    ///
    /// # Errors
    /// As [`PendingCheckpoint::persist`].
    pub async fn prepare(self) -> Result<Vec<PreparedPart>> {
        self.archive.prepare(&self.claim, self.id, self.cut).await
    }
}

impl StateManager {
    /// The checkpoints of the namespace: to list, show and verify them.
    ///
    /// # Errors
    /// `InvalidInput` if the descriptor has no archive.
    pub fn checkpoints(&self) -> Result<&Archive> {
        self.0.archive.as_ref().ok_or_else(|| {
            Error::invalid("the descriptor has no archive")
                .about("archive")
                .advise("add `[archive] url = \"file:///…\"` to it")
        })
    }

    /// Takes a checkpoint of all stores: [`StateManager::cut`], then [`PendingCheckpoint::persist`].
    ///
    /// What was written before the call is in it; what is written while it runs may be, and then so is all that was
    /// written before that, in whatever store. Offsets in the metadata want writers that wait for [`StateManager::cut`].
    ///
    /// # Errors
    /// As both.
    pub async fn archive(&self, id: CheckpointId, metadata: &Metadata) -> Result<CheckpointInfo> {
        self.cut(id, metadata).await?.persist().await
    }

    /// Takes one cut over this manager's stores and stores it as its part of checkpoint `id`:
    /// [`StateManager::cut`], then [`PendingCheckpoint::prepare`].
    ///
    /// # Errors
    /// As both.
    pub async fn prepare(&self, id: CheckpointId) -> Result<Vec<PreparedPart>> {
        self.cut(id, &Metadata::new()).await?.prepare().await
    }

    /// Gives up the checkpoints that `retention` does not keep; [`Archive::prune`] by this owner.
    ///
    /// # Errors
    /// As [`Archive::prune`]; `InvalidInput` without an archive.
    pub async fn prune(&self, retention: &Retention) -> Result<Pruned> {
        let claim = self.0.held.lock().as_ref().map(|held| held.claim.clone());
        self.checkpoints()?.prune(retention, claim.as_ref()).await
    }

    /// Takes a checkpoint in portable form, whatever form the descriptor says: one that any engine takes.
    ///
    /// # Errors
    /// As [`StateManager::archive`].
    pub async fn savepoint(&self, id: CheckpointId, metadata: &Metadata) -> Result<CheckpointInfo> {
        self.cut_as(CheckpointForm::Portable, id, metadata).await?.persist().await
    }

    /// Takes one cut over all stores; it is then stored by [`PendingCheckpoint::persist`]. Writers wait for a moment.
    /// What they then write is staged, and not in the cut; writers of stores without a write buffer, and of states
    /// that stage nothing, wait until this returns.
    ///
    /// # Errors
    /// `InvalidInput` without an archive or read-only; what an engine fails with.
    pub async fn cut(&self, id: CheckpointId, metadata: &Metadata) -> Result<PendingCheckpoint> {
        let form = self.0.descriptor.archive.as_ref().map(|a| a.form).unwrap_or_default();
        self.cut_as(form, id, metadata).await
    }

    async fn cut_as(&self, form: CheckpointForm, id: CheckpointId, metadata: &Metadata) -> Result<PendingCheckpoint> {
        let archive = self.checkpoints()?.clone();
        // Less is left to commit, and to write into files, behind the barrier. Without a buffer writers wait there,
        // so again for what was written during the first time.
        for again in [false, true] {
            for runtime in self.0.stores.values().filter(|runtime| !again || !runtime.is_buffered()) {
                runtime.flush().await?;
                if let Some(native) = runtime.store.native().filter(|_| form == CheckpointForm::Native) {
                    native.ready().await?;
                }
            }
        }
        let mut barriers = Vec::new();
        for runtime in self.0.stores.values() {
            barriers.push(runtime.barrier().await);
        }
        // Of one instant: nobody writes anywhere before all stores are divided.
        barriers.iter().for_each(Barrier::let_stage);
        for barrier in &barriers {
            barrier.flush().await?;
        }
        // Behind the barriers: a recover that was under way has made a new one.
        let Held { claim, torn } = self.0.held.lock().clone().ok_or_else(|| {
            Error::invalid("a manager that does not own its stores takes no checkpoints")
                .advise("open it without `read_only`, with exclusive stores")
        })?;
        if torn {
            return Err(Error::fenced("a recover has reached some of the stores only: they hold different times")
                .during("archive")
                .advise("repeat the recover"));
        }
        let stores: Vec<(&str, &dyn Store)> = self.0.stores.iter().map(|(n, r)| (n.as_str(), &*r.store)).collect();
        let cut = Cut::take_as(form, &stores).await?;
        let retention = self.0.descriptor.archive.as_ref().and_then(|a| a.retention);
        Ok(PendingCheckpoint { archive, claim, id, metadata: metadata.clone(), cut, retention })
    }

    /// Makes all stores exactly what a checkpoint shows. What was written since is gone, staged writes too;
    /// handles of before are fenced; later checkpoints are superseded.
    ///
    /// # Errors
    /// - `NotFound`: there is no such checkpoint.
    /// - `Fenced`: another owner has claimed these key groups; the stores hold what they held.
    /// - `Corrupt`: an object or record of it is damaged; the stores hold what they held.
    /// - What the object store or an engine fails with. With several stores, some may already be
    ///   recovered: repeat the call.
    pub async fn recover(&self, select: impl Into<Select>) -> Result<CheckpointInfo> {
        let archive = self.checkpoints()?.clone();
        if self.0.held.lock().is_none() {
            return Err(Error::invalid("a manager that does not own its stores cannot recover")
                .advise("open it without `read_only`, with exclusive stores"));
        }
        let (inner, select) = (self.0.clone(), select.into());
        to_the_end(async move {
            let id = archive.resolve(select).await?.id;
            inner.go_back(&archive, id).await
        })
        .await
    }

    /// Claims the key groups and brings the stores to the content to begin with.
    pub(super) async fn begin(&self, start: Start, read_only: bool) -> Result<()> {
        let inner = &self.0;
        let exclusive = inner.descriptor.stores.values().all(|s| s.ownership == Ownership::Exclusive);
        let archive = inner.archive.as_ref().filter(|_| !read_only && exclusive);
        let claim = match (archive, start) {
            (None, _) => None,
            (Some(archive), Start::At(id)) => return inner.go_back(archive, id).await.map(drop),
            (Some(archive), Start::AsLeft) => Some(inner.go_on_as_left(archive).await?),
            (Some(archive), Start::Empty) => Some(archive.claim(inner.groups, &inner.owner, None).await?),
        };
        if start == Start::Empty {
            for runtime in inner.stores.values() {
                // A load of nothing: everything that was there is gone.
                let emptied = async {
                    runtime.store.loader(inner.groups).await?.publish().await?;
                    keep_claim(&*runtime.store, claim.as_ref()).await
                };
                emptied.await.map_err(|e| e.in_store(&runtime.name).during("discard"))?;
            }
        }
        *inner.held.lock() = claim.map(Held::whole);
        Ok(())
    }
}

/// Lets the store keep whose content it has now.
async fn keep_claim(store: &dyn Store, claim: Option<&Claim>) -> Result<()> {
    match claim.filter(|_| left::is_kept(store)) {
        Some(claim) => left::keep(store, &[claim.token()]).await,
        None => Ok(()),
    }
}

async fn latest(archive: &Archive) -> Result<Option<CheckpointId>> {
    match archive.resolve(Select::Latest).await {
        Ok(found) => Ok(Some(found.id)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

impl Inner {
    /// Claims what the stores hold, if nobody has gone on with a copy of it.
    async fn go_on_as_left(&self, archive: &Archive) -> Result<Claim> {
        let stores = || self.stores.iter().filter(|(_, runtime)| left::is_kept(&*runtime.store));
        let mut left = Vec::new();
        for (name, runtime) in stores() {
            left.push(left::read(name, &*runtime.store).await?);
        }
        archive.check_left(&mut left).await?;
        // Kept before it is made: whatever the log then says, a store knows its own claim again.
        let token = Token::fresh()?;
        for ((_, runtime), left) in stores().zip(&left) {
            let tokens: Vec<Token> = left.tokens.iter().copied().chain([token]).collect();
            left::keep(&*runtime.store, &tokens).await.map_err(|e| e.in_store(&left.store).during("claim"))?;
        }
        archive.claim_left(self.groups, &self.owner, &left, token).await
    }

    async fn go_back(&self, archive: &Archive, id: CheckpointId) -> Result<CheckpointInfo> {
        // No handle is made meanwhile, for a state that is about to be another one.
        let mut handles = self.handles.lock().await;
        let mut gates = Vec::new();
        for runtime in self.stores.values() {
            gates.push(runtime.close_gate().await);
        }
        for runtime in self.stores.values() {
            runtime.check_open()?;
        }
        // What they hold is about to be of no use, and a recovery needs memory; old handles may stay for long.
        let unsettled: Vec<_> = self.stores.values().filter_map(|runtime| runtime.unsettle_all()).collect();
        handles.empty_caches();
        let outcome = self.replace(archive, id).await;
        match outcome {
            Ok(_) => handles.clear(),
            Err(_) => unsettled.into_iter().for_each(Unsettled::settle),
        }
        outcome
    }

    /// Replaces what the stores hold, behind their gates.
    async fn replace(&self, archive: &Archive, id: CheckpointId) -> Result<CheckpointInfo> {
        let before = latest(archive).await?;
        // Before anything changes: whoever else writes here is fenced from now on, or this one is.
        let old = self.held.lock().clone();
        let claim = match &old {
            Some(old) => archive.renew(&old.claim, &self.owner, Some(id)).await?,
            None => archive.claim(self.groups, &self.owner, Some(id)).await?,
        };
        let mut recovered = None;
        for (name, runtime) in &self.stores {
            let recover = async {
                recovered = Some(archive.recover_into(Select::Id(id), name, &*runtime.store, self.groups).await?);
                runtime.replaced();
                keep_claim(&*runtime.store, Some(&claim)).await.map_err(|e| e.in_store(name).during("recover"))
            };
            if let Err(error) = recover.await {
                // A store is whole, one way or the other; all of them together only if none was recovered.
                let unknown = error.kind() == ErrorKind::Indeterminate;
                if unknown {
                    runtime.replaced();
                }
                let torn = unknown || recovered.is_some() || old.is_some_and(|old| old.torn);
                *self.held.lock() = Some(Held { claim: claim.clone(), torn });
                if !torn {
                    self.go_on(archive, &claim, before).await;
                }
                return Err(error);
            }
        }
        *self.held.lock() = Some(Held::whole(claim));
        recovered.ok_or_else(|| Error::internal("a manager without stores"))
    }

    /// The stores hold what they held: so their timeline goes on, as if nobody had tried to leave it.
    async fn go_on(&self, archive: &Archive, claim: &Claim, latest: Option<CheckpointId>) {
        let renewed = async {
            let claim = archive.renew(claim, &self.owner, latest).await?;
            for runtime in self.stores.values() {
                keep_claim(&*runtime.store, Some(&claim)).await?;
            }
            Ok::<_, Error>(claim)
        };
        match renewed.await {
            Ok(claim) => *self.held.lock() = Some(Held::whole(claim)),
            // Checkpoints are then fenced until somebody recovers.
            Err(error) => tracing::warn!(%error, "the archive's timeline stays where a failed recover has left it"),
        }
    }
}
