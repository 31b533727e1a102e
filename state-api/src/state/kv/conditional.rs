//! Conditional writes of a [`KeyValueState`] (contract BATCH-2, BATCH-3).

use std::borrow::Borrow;

use statehold_core::{
    Address, Batch, Cell, Condition, Envelope, Mutation, Result, Revision,
    key::{EncodeKey, Key},
};

use super::{Inner, KeyValueState};
use crate::state::core::bytes_of;

/// A value with its record's revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<V> {
    /// The value.
    pub value: V,
    /// Compared, never computed with.
    pub revision: Revision,
}

impl<K: Key, V: Send + Sync + 'static> KeyValueState<K, V> {
    /// Sets `key` if it has no value; whether it did.
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub async fn put_if_absent<Q>(&self, key: &Q, value: V) -> Result<bool>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let at = self.0.core.address(key)?;
        let cell = self.0.core.seal(&self.0.value_type, &at, &value)?;
        Ok(self.0.conditionally(at, Condition::Absent, Some(cell)).await?.is_some())
    }

    /// Sets `key` to `new` if its value is `expected`, compared as encoded; whether it did.
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub async fn replace<Q>(&self, key: &Q, expected: &V, new: V) -> Result<bool>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let at = self.0.core.address(key)?;
        let expected = Condition::ValueIs(self.0.core.payload(&self.0.value_type, expected)?);
        let cell = self.0.core.seal(&self.0.value_type, &at, &new)?;
        Ok(self.0.conditionally(at, expected, Some(cell)).await?.is_some())
    }

    /// Removes `key` if its value is `expected`, compared as encoded; whether it did.
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub async fn delete_if<Q>(&self, key: &Q, expected: &V) -> Result<bool>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let at = self.0.core.address(key)?;
        let expected = Condition::ValueIs(self.0.core.payload(&self.0.value_type, expected)?);
        Ok(self.0.conditionally(at, expected, None).await?.is_some())
    }

    /// The value of `key` with its revision.
    ///
    /// # Errors
    /// `Unsupported` if the state keeps no revisions; as [`KeyValueState::get`].
    pub async fn get_versioned<Q>(&self, key: &Q) -> Result<Option<Versioned<V>>>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        self.0.core.check_revisions()?;
        let at = self.0.core.address(key)?;
        let Some(cell) = self.0.core.runtime.get(&at).finish().await? else { return Ok(None) };
        let revision = cell.revision;
        Ok(Some(Versioned { value: self.0.open(&at, cell)?, revision }))
    }

    /// Sets `key` if its record has `revision` ([`Revision::NONE`]: if there is no record). The new
    /// revision, or `None` if it had another.
    ///
    /// # Errors
    /// `Unsupported` if the state keeps no revisions; as [`KeyValueState::put`].
    pub async fn put_if<Q>(&self, key: &Q, revision: Revision, value: V) -> Result<Option<Revision>>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        self.0.core.check_revisions()?;
        let at = self.0.core.address(key)?;
        let cell = self.0.core.seal(&self.0.value_type, &at, &value)?;
        let condition = if revision.is_some() { Condition::RevisionIs(revision) } else { Condition::Absent };
        let committed = self.0.conditionally(at, condition, Some(cell)).await?;
        Ok(committed.map(|revisions| revisions.first().copied().unwrap_or_default()))
    }
}

impl<V> Inner<V> {
    pub(super) async fn update_directly(
        &self,
        at: Address,
        mut change: impl FnMut(Option<V>) -> Result<V>,
    ) -> Result<()> {
        loop {
            let found = self.core.runtime.get(&at).finish().await?;
            let condition = match &found {
                None => Condition::Absent,
                Some(cell) if self.core.spec.revisions => Condition::RevisionIs(cell.revision),
                Some(cell) => Condition::ValueIs(Envelope::payload(&cell.value).unwrap_or_default()),
            };
            let old = found.map(|c| self.open(&at, c)).transpose()?;
            let cell = self.core.seal(&self.value_type, &at, &change(old)?)?;
            if self.conditionally(at.clone(), condition, Some(cell)).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Writes one record if `condition` holds of it; the revisions given, or `None`.
    async fn conditionally(
        &self,
        at: Address,
        condition: Condition,
        cell: Option<Cell>,
    ) -> Result<Option<Vec<Revision>>> {
        self.core.metrics.writes.increment(1);
        if self.core.direct {
            let mutation = match cell {
                Some(cell) => Mutation::Put(at.clone(), cell),
                None => Mutation::Delete(at.clone()),
            };
            let batch = Batch { marker: None, conditions: vec![(at, condition)], mutations: vec![mutation] };
            return match self.core.runtime.commit(batch).finish().await {
                Ok(committed) => Ok(Some(committed.revisions)),
                Err(e) if e.conditions_failed().is_some() => {
                    self.core.metrics.conflicts.increment(1);
                    Ok(None)
                }
                Err(e) => Err(e),
            };
        }
        loop {
            let seen = self.core.runtime.stripe(&at);
            if !condition.holds(self.core.runtime.get(&at).finish().await?.as_ref()) {
                self.core.metrics.conflicts.increment(1);
                return Ok(None);
            }
            let stage = |stage: &mut crate::runtime::Stage<'_>| {
                self.core.change(stage, at.clone(), cell.clone(), false);
            };
            if self.core.stage(&[seen], bytes_of(&at, cell.as_ref()), stage).finish().await? {
                return Ok(Some(Vec::new()));
            }
        }
    }
}
