//! [`KeyListState`]: an ordered sequence a key.

use std::{borrow::Borrow, sync::Arc};

use futures::{Stream, TryStreamExt};
use statehold_core::{
    Address, Batch, Cell, Condition, Count, Mutation, Result, Row,
    emulate::{KeyRows, behind_ordinal, ordinal_sub},
    key::{EncodeKey, Key},
    staged::Cleared,
};

use super::{
    ScanOrder, Summary, ValueType,
    core::{StateCore, bytes_of},
    scan, summary,
};
use crate::runtime::Stage;

pub(crate) struct Inner<V> {
    pub(crate) core: Arc<StateCore>,
    pub(crate) value_type: ValueType<V>,
}

/// A state with an ordered sequence a key (contract LIST). Appending costs what is appended.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> statehold::Result<()> {
/// use statehold::{Model, testing};
/// let manager = testing::memory_manager(&[("visits", Model::List)]).await?;
/// let visits = manager.key_list::<u64, String>("visits").await?;
/// visits.append(&7, "home".to_owned()).await?;
/// visits.append(&7, "cart".to_owned()).await?;
/// assert_eq!(visits.get(&7).await?, ["home", "cart"]);
/// assert_eq!(visits.pop_front(&7).await?.as_deref(), Some("home"));
/// # manager.close().await }
/// ```
pub struct KeyListState<K, V>(pub(crate) Arc<Inner<V>>, std::marker::PhantomData<fn(K) -> K>);

impl<K, V> Clone for KeyListState<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), std::marker::PhantomData)
    }
}

impl<K, V> std::fmt::Debug for KeyListState<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyListState").field(&self.0.core.spec.name).finish()
    }
}

impl<K: Key, V: Send + Sync + 'static> KeyListState<K, V> {
    pub(crate) fn new(core: StateCore, value_type: ValueType<V>) -> Self {
        Self(Arc::new(Inner { core: Arc::new(core), value_type }), std::marker::PhantomData)
    }

    /// The state's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.core.spec.name
    }

    /// All elements of `key`, first to last; held in memory at once.
    ///
    /// # Errors
    /// `Corrupt` if a stored value fails its check; `Fenced` after recover or drop; what the engine fails with.
    pub async fn get<Q>(&self, key: &Q) -> Result<Vec<V>>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        self.range(key, 0, u64::MAX).await
    }

    /// At most `count` elements of `key` from index `from` on. Costs a walk over those before.
    ///
    /// # Errors
    /// As [`KeyListState::get`].
    pub async fn range<Q>(&self, key: &Q, from: u64, count: u64) -> Result<Vec<V>>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let core = &self.0.core;
        let at = core.address(key)?;
        let reader = core.runtime.reader();
        let rows = KeyRows::new(&reader, core.id, at.group, &at.key).range(from, count).await?;
        core.metrics.reads.increment(rows.len() as u64);
        rows.into_iter().map(|row| self.0.open(row)).collect()
    }

    /// How many elements `key` has: a walk over them.
    ///
    /// # Errors
    /// As [`KeyListState::get`].
    pub async fn len<Q>(&self, key: &Q) -> Result<u64>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let core = &self.0.core;
        let at = core.address(key)?;
        let reader = core.runtime.reader();
        KeyRows::new(&reader, core.id, at.group, &at.key).len().await
    }

    /// Whether `key` has no element, which is to say that it is absent.
    ///
    /// # Errors
    /// As [`KeyListState::get`].
    pub async fn is_empty<Q>(&self, key: &Q) -> Result<bool>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        Ok(self.range(key, 0, 1).await?.is_empty())
    }

    /// Puts an element at the end.
    ///
    /// # Errors
    /// `InvalidInput` for an empty key, `LimitExceeded` over a limit; `Fenced`; what keeps the buffer from
    /// being flushed.
    #[inline]
    pub async fn append<Q>(&self, key: &Q, value: V) -> Result<()>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        self.append_all(key, std::iter::once(value)).await
    }

    /// Puts elements at the end, in order and without others between them.
    ///
    /// # Errors
    /// As [`KeyListState::append`]; then none is in.
    pub async fn append_all<Q>(&self, key: &Q, values: impl IntoIterator<Item = V>) -> Result<()>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        self.write(key, values, false).await
    }

    /// Replaces the list of `key`; an empty one removes it.
    ///
    /// # Errors
    /// As [`KeyListState::append`]; then the old list is still there.
    pub async fn put<Q>(&self, key: &Q, values: impl IntoIterator<Item = V>) -> Result<()>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        self.write(key, values, true).await
    }

    /// Removes the list of `key`; removing what is absent succeeds.
    ///
    /// # Errors
    /// As [`KeyListState::append`].
    pub async fn remove<Q>(&self, key: &Q) -> Result<()>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        self.0.core.metrics.deletes.increment(1);
        self.write(key, std::iter::empty(), true).await
    }

    async fn write<Q>(&self, key: &Q, values: impl IntoIterator<Item = V>, replace: bool) -> Result<()>
    where
        Q: EncodeKey + ?Sized,
    {
        let core = &self.0.core;
        let at = core.address(key)?;
        let cells = self.0.seal_all(&at, values)?;
        if cells.is_empty() && !replace {
            return Ok(());
        }
        core.metrics.writes.increment(cells.len() as u64);
        if core.direct {
            let clear = replace.then(|| Mutation::DeleteSubs { at: at.clone(), until: None });
            let append = (!cells.is_empty()).then_some(Mutation::Append { at, cells });
            let mutations = clear.into_iter().chain(append).collect();
            return core.runtime.commit(Batch { mutations, ..Batch::default() }).finish().await.map(drop);
        }
        let mut cells = cells;
        let size = staged_size(&at, &cells);
        let stage = |stage: &mut Stage<'_>| {
            if replace {
                stage.clear(at.clone(), Cleared::All);
            }
            stage_elements(core, stage, &at, cells.drain(..));
        };
        core.stage(&[], size, stage).finish().await.map(drop)
    }

    /// Takes the first element, if there is one.
    ///
    /// # Errors
    /// As [`KeyListState::append`].
    pub async fn pop_front<Q>(&self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let core = &self.0.core;
        let at = core.address(key)?;
        loop {
            let seen = core.runtime.stripe(&at);
            let reader = core.runtime.reader();
            let rows = KeyRows::new(&reader, core.id, at.group, &at.key).first(1).await?;
            let Some(row) = rows.into_iter().next() else { return Ok(None) };
            let element = Address { sub: row.sub.clone(), ..at.clone() };
            let value = self.0.open(row)?;
            let taken = if core.direct {
                let batch = Batch {
                    marker: None,
                    conditions: vec![(element, Condition::Present)],
                    mutations: vec![Mutation::TrimFront { at: at.clone(), count: 1 }],
                };
                match core.runtime.commit(batch).finish().await {
                    Ok(_) => true,
                    Err(e) if e.conditions_failed().is_some() => false,
                    Err(e) => return Err(e),
                }
            } else {
                // Everything up to it, not it alone: what is popped a thousand times leaves one removal behind.
                let popped = Cleared::Below(behind_ordinal(&element.sub));
                let size = bytes_of(&element, None);
                core.stage(&[seen], size, |stage| stage.clear(at.clone(), popped.clone())).finish().await?
            };
            if taken {
                core.metrics.deletes.increment(1);
                return Ok(Some(value));
            }
            core.metrics.conflicts.increment(1);
        }
    }

    /// All elements of all keys as a stream, each list in order, in bounded memory (contract KV-4).
    pub fn scan(&self, order: ScanOrder) -> impl Stream<Item = Result<(K, V)>> + Send + Unpin + use<K, V> {
        let state = self.0.clone();
        scan::rows(state.core.clone(), order, scan::Want::Rows).try_filter_map(move |row| {
            let element = (!row.sub.is_empty()).then(|| K::decode(&row.key).and_then(|k| Ok((k, state.open(row)?))));
            futures::future::ready(element.transpose())
        })
    }

    /// How many elements there are over all keys: a scan.
    ///
    /// # Errors
    /// As [`KeyListState::get`].
    pub async fn count(&self) -> Result<Count> {
        summary::count(self.0.core.clone()).await
    }

    /// How much the state holds: a scan.
    ///
    /// # Errors
    /// As [`KeyListState::get`].
    pub async fn summary(&self) -> Result<Summary> {
        summary::summary(self.0.core.clone()).await
    }
}

impl<V> Inner<V> {
    fn open(&self, row: Row) -> Result<V> {
        self.core.open(&self.value_type, &row.key, &row.sub, row.cell)
    }

    pub(crate) fn seal_all(&self, at: &Address, values: impl IntoIterator<Item = V>) -> Result<Vec<Cell>> {
        values.into_iter().map(|v| self.core.seal(&self.value_type, at, &v)).collect()
    }
}

/// What elements staged for a list count towards a batch's limit, in bytes.
pub(super) fn staged_size(at: &Address, cells: &[Cell]) -> usize {
    let element = |cell| bytes_of(at, Some(cell)) + size_of::<u64>(); // its ordinal
    at.key.len() + cells.iter().map(element).sum::<usize>()
}

/// Numbers elements under the buffer's lock, so that their order is that of the writes.
pub(super) fn stage_elements(
    core: &StateCore,
    stage: &mut Stage<'_>,
    at: &Address,
    cells: impl ExactSizeIterator<Item = Cell>,
) {
    let first = core.runtime.store.reserve_ordinals(cells.len() as u64).unwrap_or_default();
    for (ordinal, cell) in (first..).zip(cells) {
        stage.set(Address { sub: ordinal_sub(ordinal), ..at.clone() }, Some(cell));
    }
}
