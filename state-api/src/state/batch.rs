//! [`WriteBatch`]: changes to several states, applied whole or not at all (contract BATCH-1).

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use statehold_core::{
    Address, AtomicScope, Batch, Cell, Condition, ConditionsFailed, Error, Marker, Mutation, Reads as _, Result,
    Revision,
    key::{EncodeKey, Key},
    staged::Generation,
};

use super::{
    KeyListState, KeyMapState, KeyValueState, Source,
    core::StateCore,
    list::{stage_elements, staged_size},
};
use crate::runtime::{Stage, StoreRuntime};

/// Changes to states of one store, and conditions under which they are made.
///
/// Within a batch the last change of a record counts. Conditions are about what was there before.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> statehold::Result<()> {
/// use statehold::{Model, WriteBatch, testing};
/// let manager = testing::memory_manager(&[("stock", Model::Kv), ("log", Model::List)]).await?;
/// let stock = manager.key_value::<String, u32>("stock").await?;
/// let log = manager.key_list::<String, String>("log").await?;
/// let mut batch = WriteBatch::new();
/// batch.require_absent(&stock, "pear")?;
/// batch.put(&stock, "pear", 12)?;
/// batch.append(&log, "pear", "first delivery".to_owned())?;
/// batch.commit().await?;
/// assert_eq!(log.len("pear").await?, 1);
/// # manager.close().await }
/// ```
#[derive(Default)]
pub struct WriteBatch {
    runtime: Option<Arc<StoreRuntime>>,
    /// A state of the batch stages nothing.
    direct: bool,
    conditions: Vec<(Address, Condition)>,
    changes: Generation,
    appends: HashMap<Address, (Vec<Cell>, Arc<StateCore>)>,
    cores: Vec<Arc<StateCore>>,
}

impl std::fmt::Debug for WriteBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteBatch")
            .field("conditions", &self.conditions.len())
            .field("changes", &self.changes.records())
            .finish_non_exhaustive()
    }
}

impl WriteBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn join(&mut self, core: &Arc<StateCore>) -> Result<()> {
        core.check()?;
        let runtime = self.runtime.get_or_insert_with(|| core.runtime.clone());
        if !Arc::ptr_eq(runtime, &core.runtime) {
            let other = runtime.name.clone();
            return Err(Error::invalid(format!(
                "the batch is for store `{other}`, this state is in `{}`",
                core.runtime.name
            ))
            .in_state(&core.spec.name)
            .advise("a batch is atomic within one store: make one for each"));
        }
        self.direct |= core.direct;
        if !self.cores.iter().any(|c| Arc::ptr_eq(c, core)) {
            self.cores.push(core.clone());
        }
        Ok(())
    }

    /// Sets a value.
    ///
    /// # Errors
    /// `InvalidInput` for an empty key or a state of another store, `LimitExceeded`, `Fenced`.
    pub fn put<K, V, Q>(&mut self, state: &KeyValueState<K, V>, key: &Q, value: V) -> Result<()>
    where
        K: Key + std::borrow::Borrow<Q>,
        V: Send + Sync + 'static,
        Q: EncodeKey + ?Sized,
    {
        let inner = &state.0;
        self.join(&inner.core)?;
        let at = inner.core.address(key)?;
        let cell = inner.core.seal(&inner.value_type, &at, &value)?;
        self.changes.set(at, Some(cell));
        Ok(())
    }

    /// Removes a key.
    ///
    /// # Errors
    /// As [`WriteBatch::put`].
    pub fn delete<K, V, Q>(&mut self, state: &KeyValueState<K, V>, key: &Q) -> Result<()>
    where
        K: Key + std::borrow::Borrow<Q>,
        V: Send + Sync + 'static,
        Q: EncodeKey + ?Sized,
    {
        let inner = &state.0;
        self.join(&inner.core)?;
        let at = inner.core.address(key)?;
        self.changes.set(at, None);
        Ok(())
    }

    /// Sets a map's entry.
    ///
    /// # Errors
    /// As [`WriteBatch::put`].
    pub fn put_entry<K, S, V, Q, R>(&mut self, state: &KeyMapState<K, S, V>, key: &Q, sub: &R, value: V) -> Result<()>
    where
        K: Key + std::borrow::Borrow<Q>,
        S: Key + std::borrow::Borrow<R>,
        V: Send + Sync + 'static,
        Q: EncodeKey + ?Sized,
        R: EncodeKey + ?Sized,
    {
        let inner = &state.0;
        self.join(&inner.core)?;
        let at = inner.core.entry(key, sub)?;
        let cell = inner.core.seal(&inner.value_type, &at, &value)?;
        self.changes.set(at, Some(cell));
        Ok(())
    }

    /// Removes a map's entry.
    ///
    /// # Errors
    /// As [`WriteBatch::put`].
    pub fn remove_entry<K, S, V, Q, R>(&mut self, state: &KeyMapState<K, S, V>, key: &Q, sub: &R) -> Result<()>
    where
        K: Key + std::borrow::Borrow<Q>,
        S: Key + std::borrow::Borrow<R>,
        V: Send + Sync + 'static,
        Q: EncodeKey + ?Sized,
        R: EncodeKey + ?Sized,
    {
        let inner = &state.0;
        self.join(&inner.core)?;
        let at = inner.core.entry(key, sub)?;
        self.changes.set(at, None);
        Ok(())
    }

    /// Puts an element at the end of a list.
    ///
    /// # Errors
    /// As [`WriteBatch::put`].
    pub fn append<K, V, Q>(&mut self, state: &KeyListState<K, V>, key: &Q, value: V) -> Result<()>
    where
        K: Key + std::borrow::Borrow<Q>,
        V: Send + Sync + 'static,
        Q: EncodeKey + ?Sized,
    {
        let inner = &state.0;
        self.join(&inner.core)?;
        let at = inner.core.address(key)?;
        let cells = inner.seal_all(&at, std::iter::once(value))?;
        self.appends.entry(at).or_insert_with(|| (Vec::new(), inner.core.clone())).0.extend(cells);
        Ok(())
    }

    /// The batch is applied only if `key` has no value.
    ///
    /// # Errors
    /// As [`WriteBatch::put`].
    pub fn require_absent<K, V, Q>(&mut self, state: &KeyValueState<K, V>, key: &Q) -> Result<()>
    where
        K: Key + std::borrow::Borrow<Q>,
        V: Send + Sync + 'static,
        Q: EncodeKey + ?Sized,
    {
        self.require(&state.0.core, key, Condition::Absent)
    }

    /// The batch is applied only if `key` has a value.
    ///
    /// # Errors
    /// As [`WriteBatch::put`].
    pub fn require_present<K, V, Q>(&mut self, state: &KeyValueState<K, V>, key: &Q) -> Result<()>
    where
        K: Key + std::borrow::Borrow<Q>,
        V: Send + Sync + 'static,
        Q: EncodeKey + ?Sized,
    {
        self.require(&state.0.core, key, Condition::Present)
    }

    /// The batch is applied only if the value of `key` is `expected`, compared as encoded.
    ///
    /// # Errors
    /// As [`WriteBatch::put`].
    pub fn require_value<K, V, Q>(&mut self, state: &KeyValueState<K, V>, key: &Q, expected: &V) -> Result<()>
    where
        K: Key + std::borrow::Borrow<Q>,
        V: Send + Sync + 'static,
        Q: EncodeKey + ?Sized,
    {
        let expected: Bytes = state.0.core.payload(&state.0.value_type, expected)?;
        self.require(&state.0.core, key, Condition::ValueIs(expected))
    }

    /// The batch is applied only if the record of `key` has `revision`.
    ///
    /// # Errors
    /// `Unsupported` if the state keeps no revisions; as [`WriteBatch::put`].
    pub fn require_revision<K, V, Q>(&mut self, state: &KeyValueState<K, V>, key: &Q, revision: Revision) -> Result<()>
    where
        K: Key + std::borrow::Borrow<Q>,
        V: Send + Sync + 'static,
        Q: EncodeKey + ?Sized,
    {
        state.0.core.check_revisions()?;
        self.require(&state.0.core, key, Condition::RevisionIs(revision))
    }

    fn require<Q: EncodeKey + ?Sized>(&mut self, core: &Arc<StateCore>, key: &Q, condition: Condition) -> Result<()> {
        self.join(core)?;
        let at = core.address(key)?;
        self.conditions.push((at, condition));
        Ok(())
    }

    /// Applies the batch.
    ///
    /// # Errors
    /// - `Conflict` if conditions failed; [`Error::conditions_failed`] lists them by the order in which they
    ///   were required. Nothing was written.
    /// - `LimitExceeded`, `Unsupported` (wider than the store's atomic scope): nothing was written.
    /// - What the engine fails with.
    pub async fn commit(self) -> Result<()> {
        let Some(runtime) = self.runtime.clone() else { return Ok(()) };
        check_all(&self.cores)?;
        self.check_scope(&runtime)?;
        if self.direct {
            return self.commit_directly(&runtime).await;
        }
        self.stage(&runtime).await
    }

    /// Applies the batch and stores `position` with it, in one atomic commit: all of it happened, or nothing.
    /// What was staged before goes first. A batch without changes moves the position alone.
    ///
    /// # Errors
    /// - `Conflict` if conditions failed, or if another handle has gone on with the source: nothing was written.
    /// - `Indeterminate`, `Timeout` or `Unavailable`: it happened or not. [`Source::reload`] tells, and until then
    ///   further commits are refused.
    /// - As [`WriteBatch::commit`].
    pub async fn commit_at(self, source: &mut Source, position: impl Into<Bytes>) -> Result<()> {
        let position = position.into();
        let runtime = source.runtime().clone();
        if self.runtime.as_ref().is_some_and(|own| !Arc::ptr_eq(own, &runtime)) {
            return Err(Error::invalid(format!("the source is in store `{}`, the batch is for another", runtime.name))
                .advise("a batch and its position are atomic within one store"));
        }
        check_all(&self.cores)?;
        self.check_scope(&runtime)?;
        let marker = source.next(&position)?;
        let (batch, cores) = self.into_batch(Some(marker.clone()));
        let (cores, stands) = (Arc::new(cores), source.stands());
        let checked = cores.clone();
        let check = move || check_all(&checked).and_then(|()| stands());
        let outcome = runtime.commit_in_order(batch, check, move |at| uncache(&cores, at)).await;
        source.settle(marker, outcome.map(|committed| committed.duplicate)).await
    }

    /// What its changes count towards the limit, in bytes.
    fn size(&self) -> usize {
        self.changes.batch_bytes() + self.appends.iter().map(|(at, (cells, _))| staged_size(at, cells)).sum::<usize>()
    }

    fn check_scope(&self, runtime: &StoreRuntime) -> Result<()> {
        runtime.check_batch(self.size())?;
        let mut groups: Vec<_> = self.changes.groups().chain(self.appends.keys().map(|at| at.group)).collect();
        groups.extend(self.conditions.iter().map(|(at, _)| at.group));
        groups.sort_unstable();
        groups.dedup();
        if runtime.store.capabilities().scope == AtomicScope::KeyGroup && groups.len() > 1 {
            return Err(Error::unsupported("the batch spans several key groups, and this store is atomic within one")
                .in_store(&runtime.name)
                .advise("nothing was written; keep what changes together under one key"));
        }
        Ok(())
    }

    fn into_batch(self, marker: Option<Marker>) -> (Batch, Vec<Arc<StateCore>>) {
        let mut mutations = self.changes.mutations();
        mutations.extend(self.appends.into_iter().map(|(at, (cells, _))| Mutation::Append { at, cells }));
        let mut batch = Batch { marker, conditions: self.conditions, mutations };
        batch.sort();
        (batch, self.cores)
    }

    async fn commit_directly(self, runtime: &Arc<StoreRuntime>) -> Result<()> {
        let (batch, cores) = self.into_batch(None);
        if !runtime.is_buffered() {
            return runtime.commit(batch).finish().await.map(drop);
        }
        let cores = Arc::new(cores);
        let checked = cores.clone();
        let check = move || check_all(&checked);
        runtime.commit_in_order(batch, check, move |at| uncache(&cores, at)).await.map(drop)
    }

    async fn stage(self, runtime: &StoreRuntime) -> Result<()> {
        let (mutations, size) = (self.changes.mutations(), self.size());
        let check = || check_all(&self.cores);
        let at: Vec<Address> = self.conditions.iter().map(|(at, _)| at.clone()).collect();
        loop {
            let seen: Vec<_> = at.iter().map(|at| runtime.stripe(at)).collect();
            if !at.is_empty() {
                let found = runtime.reader().get_many(&at).finish().await?;
                let held = self.conditions.iter().zip(&found).map(|((_, c), cell)| c.holds(cell.as_ref()));
                let failed: Vec<usize> = held.enumerate().filter(|(_, held)| !held).map(|(i, _)| i).collect();
                if !failed.is_empty() {
                    return Err(Error::from(ConditionsFailed { failed }).in_store(&runtime.name));
                }
            }
            let apply = |stage: &mut Stage<'_>| {
                for mutation in &mutations {
                    let (at, cell) = match mutation {
                        Mutation::Put(at, cell) => (at, Some(cell.clone())),
                        Mutation::Delete(at) => (at, None),
                        _ => continue,
                    };
                    match self.cores.iter().find(|core| core.id == at.state) {
                        Some(core) => core.change(stage, at.clone(), cell, false),
                        None => stage.set(at.clone(), cell),
                    }
                }
                for (at, (cells, core)) in &self.appends {
                    stage_elements(core, stage, at, cells.iter().cloned());
                }
            };
            if runtime.stage(check, &seen, size, apply).finish().await? {
                return Ok(());
            }
        }
    }
}

fn check_all(cores: &[Arc<StateCore>]) -> Result<()> {
    cores.iter().try_for_each(|core| core.check())
}

/// Forgets what is cached of a record that one of these states has.
fn uncache(cores: &[Arc<StateCore>], at: &Address) {
    if let Some(core) = cores.iter().find(|core| core.id == at.state) {
        core.uncache(at);
    }
}
