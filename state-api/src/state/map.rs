//! [`KeyMapState`]: subkeys and values a key.

use std::{borrow::Borrow, marker::PhantomData, sync::Arc};

use futures::{Stream, TryStreamExt};
use statehold_core::{
    Address, Batch, Cell, Condition, Count, Envelope, Mutation, Opened, PageLimit, Reads as _, Result, Row,
    emulate::KeyRows,
    key::{AsKey, EncodeKey, Key},
};

use super::{
    MapCursor, ScanOrder, Summary, ValueType,
    core::{StateCore, bytes_of, key_bytes},
    many, scan, summary,
};

pub(crate) struct Inner<V> {
    pub(crate) core: Arc<StateCore>,
    pub(crate) value_type: ValueType<V>,
}

/// A state with an ordered map of subkeys a key (contract MAP). Touching one subkey moves no other.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> statehold::Result<()> {
/// use statehold::{Model, testing};
/// let manager = testing::memory_manager(&[("carts", Model::Map)]).await?;
/// let carts = manager.key_map::<String, String, u32>("carts").await?;
/// carts.put("ada", "pear", 2).await?;
/// carts.put("ada", "apple", 5).await?;
/// assert_eq!(carts.entries("ada").await?, [("apple".into(), 5), ("pear".into(), 2)]);
/// carts.remove_key("ada").await?;
/// assert_eq!(carts.get("ada", "pear").await?, None);
/// # manager.close().await }
/// ```
pub struct KeyMapState<K, S, V>(pub(crate) Arc<Inner<V>>, PhantomData<fn() -> (K, S)>);

impl<K, S, V> Clone for KeyMapState<K, S, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<K, S, V> std::fmt::Debug for KeyMapState<K, S, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyMapState").field(&self.0.core.spec.name).finish()
    }
}

impl<K: Key, S: Key, V: Send + Sync + 'static> KeyMapState<K, S, V> {
    pub(crate) fn new(core: StateCore, value_type: ValueType<V>) -> Self {
        Self(Arc::new(Inner { core: Arc::new(core), value_type }), PhantomData)
    }

    /// The state's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.core.spec.name
    }

    /// The value of `sub` under `key`.
    ///
    /// # Errors
    /// `Corrupt` if the stored value fails its check; `Fenced` after recover or drop; what the engine fails with.
    #[inline]
    pub async fn get<Q, R>(&self, key: &Q, sub: &R) -> Result<Option<V>>
    where
        K: Borrow<Q>,
        S: Borrow<R>,
        Q: EncodeKey + ?Sized,
        R: EncodeKey + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.reads.increment(1);
        if let Some(hit) = state.core.cached_entry(key, sub) {
            return state.decode(key, hit?).map(Some);
        }
        let at = state.core.entry(key, sub)?;
        let opened = state.core.load(&at).finish().await?;
        opened.map(|opened| state.decode(key, opened)).transpose()
    }

    /// Whether `sub` is there under `key`.
    ///
    /// # Errors
    /// As [`KeyMapState::get`].
    #[inline]
    pub async fn contains<Q, R>(&self, key: &Q, sub: &R) -> Result<bool>
    where
        K: Borrow<Q>,
        S: Borrow<R>,
        Q: EncodeKey + ?Sized,
        R: EncodeKey + ?Sized,
    {
        let core = &self.0.core;
        core.metrics.reads.increment(1);
        if let Some(hit) = core.cached_entry(key, sub) {
            return hit.map(|_| true);
        }
        let at = core.entry(key, sub)?;
        core.runtime.get(&at).and_then(|found| Ok(found.is_some())).finish().await
    }

    /// The values of (key, subkey) pairs, in that order, at one point in time.
    ///
    /// # Errors
    /// As [`KeyMapState::get`].
    pub async fn get_many<Q: AsKey<K>, R: AsKey<S>>(&self, pairs: &[(Q, R)]) -> Result<Vec<Option<V>>> {
        let core = &self.0.core;
        core.metrics.reads.increment(pairs.len() as u64);
        let at = many::all(pairs.iter().map(|(k, s)| core.entry(k, s)))?;
        let cells = core.runtime.reader().get_many(&at).finish().await?;
        let open = |(at, cell): (&Address, Option<Cell>)| cell.map(|c| self.0.open(at, c)).transpose();
        many::all(at.iter().zip(cells).map(open))
    }

    /// All entries of `key`, by subkey; held in memory at once. See [`KeyMapState::page`] for great maps.
    ///
    /// # Errors
    /// As [`KeyMapState::get`].
    pub async fn entries<Q>(&self, key: &Q) -> Result<Vec<(S, V)>>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let core = &self.0.core;
        let at = core.address(key)?;
        let reader = core.runtime.reader();
        let rows = KeyRows::new(&reader, core.id, at.group, &at.key);
        let rows = rows.between(std::ops::Bound::Unbounded, std::ops::Bound::Unbounded).await?;
        core.metrics.reads.increment(rows.len() as u64);
        rows.into_iter().map(|row| self.0.entry(row)).collect()
    }

    /// Up to `limit` entries of `key` behind `after`, by subkey, and where the next page begins.
    ///
    /// # Errors
    /// As [`KeyMapState::get`].
    pub async fn page<Q>(
        &self,
        key: &Q,
        after: Option<&MapCursor<S>>,
        limit: usize,
    ) -> Result<(Vec<(S, V)>, Option<MapCursor<S>>)>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let core = &self.0.core;
        let at = core.address(key)?;
        let reader = core.runtime.reader();
        let limit = PageLimit { rows: limit.max(1), ..PageLimit::default() };
        let rows = KeyRows::new(&reader, core.id, at.group, &at.key);
        let (rows, next) = rows.page(after.map(|cursor| cursor.sub.clone()), limit).await?;
        let entries = rows.into_iter().map(|row| self.0.entry(row)).collect::<Result<_>>()?;
        Ok((entries, next.map(MapCursor::new)))
    }

    /// Sets the value of `sub` under `key`.
    ///
    /// # Errors
    /// `InvalidInput` for an empty key, `LimitExceeded` over a limit; `Fenced`; what keeps the buffer from
    /// being flushed.
    #[inline]
    pub async fn put<Q, R>(&self, key: &Q, sub: &R, value: V) -> Result<()>
    where
        K: Borrow<Q>,
        S: Borrow<R>,
        Q: EncodeKey + ?Sized,
        R: EncodeKey + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.writes.increment(1);
        let at = state.core.entry(key, sub)?;
        let cell = state.core.seal(&state.value_type, &at, &value)?;
        state.core.set(at, Some(cell)).finish().await
    }

    /// Sets many entries. Not a batch: on failure the error says how many are in.
    ///
    /// # Errors
    /// As [`KeyMapState::put`].
    pub async fn put_many<Q: AsKey<K>, R: AsKey<S>>(&self, entries: impl IntoIterator<Item = (Q, R, V)>) -> Result<()> {
        let state = &*self.0;
        let seal = |(key, sub, value): (Q, R, V)| {
            let at = state.core.entry(&key, &sub)?;
            let cell = state.core.seal(&state.value_type, &at, &value)?;
            Ok((at, Some(cell)))
        };
        let records = many::all(entries.into_iter().map(seal))?;
        state.core.metrics.writes.increment(records.len() as u64);
        many::set_many(&state.core, records).await
    }

    /// Sets `sub` under `key` to what `change` makes of its value, with no other write in between.
    /// `change` may run several times.
    ///
    /// # Errors
    /// What `change` answers; as [`KeyMapState::put`].
    pub async fn update<Q, R>(&self, key: &Q, sub: &R, mut change: impl FnMut(Option<V>) -> Result<V>) -> Result<()>
    where
        K: Borrow<Q>,
        S: Borrow<R>,
        Q: EncodeKey + ?Sized,
        R: EncodeKey + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.writes.increment(1);
        let at = state.core.entry(key, sub)?;
        if state.core.direct {
            // Its own allocation: else it would be room in every update.
            return Box::pin(state.update_directly(&at, change)).await;
        }
        loop {
            let seen = state.core.runtime.stripe(&at);
            let old = state.core.find(&at).finish().await?.map(|opened| state.decode(key, opened)).transpose()?;
            let cell = state.core.seal(&state.value_type, &at, &change(old)?)?;
            let size = bytes_of(&at, Some(&cell));
            let mut write = Some(cell);
            let stage = |stage: &mut crate::runtime::Stage<'_>| {
                if let Some(cell) = write.take() {
                    state.core.change(stage, at.clone(), Some(cell), true);
                }
            };
            if state.core.stage(&[seen], size, stage).finish().await? {
                return Ok(());
            }
            state.core.metrics.conflicts.increment(1);
        }
    }

    /// Removes `sub` under `key`; removing what is absent succeeds.
    ///
    /// # Errors
    /// As [`KeyMapState::put`].
    pub async fn remove<Q, R>(&self, key: &Q, sub: &R) -> Result<()>
    where
        K: Borrow<Q>,
        S: Borrow<R>,
        Q: EncodeKey + ?Sized,
        R: EncodeKey + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.deletes.increment(1);
        let at = state.core.entry(key, sub)?;
        state.core.set(at, None).finish().await
    }

    /// Removes `key` with all its entries.
    ///
    /// # Errors
    /// As [`KeyMapState::put`].
    pub async fn remove_key<Q>(&self, key: &Q) -> Result<()>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.deletes.increment(1);
        let at = state.core.address(key)?;
        if state.core.direct {
            let mutations = vec![Mutation::DeleteSubs { at, until: None }];
            return state.core.runtime.commit(Batch { mutations, ..Batch::default() }).finish().await.map(drop);
        }
        let stage = |stage: &mut crate::runtime::Stage<'_>| {
            state.core.clear(stage, at.clone());
        };
        state.core.stage(&[], bytes_of(&at, None), stage).finish().await.map(drop)
    }

    /// All entries of all keys as a stream, in bounded memory (contract KV-4).
    pub fn scan(&self, order: ScanOrder) -> impl Stream<Item = Result<(K, S, V)>> + Send + Unpin + use<K, S, V> {
        let state = self.0.clone();
        scan::rows(state.core.clone(), order, scan::Want::Rows).and_then(move |row| {
            let entry = K::decode(&row.key).and_then(|k| state.entry(row).map(|(s, v)| (k, s, v)));
            futures::future::ready(entry)
        })
    }

    /// How many entries there are over all keys: a scan.
    ///
    /// # Errors
    /// As [`KeyMapState::get`].
    pub async fn count(&self) -> Result<Count> {
        summary::count(self.0.core.clone()).await
    }

    /// How much the state holds: a scan.
    ///
    /// # Errors
    /// As [`KeyMapState::get`].
    pub async fn summary(&self) -> Result<Summary> {
        summary::summary(self.0.core.clone()).await
    }
}

impl<V> Inner<V> {
    fn open(&self, at: &Address, cell: Cell) -> Result<V> {
        self.core.open(&self.value_type, &at.key, &at.sub, cell)
    }

    fn entry<S: Key>(&self, row: Row) -> Result<(S, V)> {
        Ok((S::decode(&row.sub)?, self.core.open(&self.value_type, &row.key, &row.sub, row.cell)?))
    }

    async fn update_directly(&self, at: &Address, mut change: impl FnMut(Option<V>) -> Result<V>) -> Result<()> {
        loop {
            let found = self.core.runtime.get(at).finish().await?;
            let condition = match &found {
                None => Condition::Absent,
                Some(cell) if self.core.spec.revisions => Condition::RevisionIs(cell.revision),
                Some(cell) => Condition::ValueIs(Envelope::payload(&cell.value).unwrap_or_default()),
            };
            let new = change(found.map(|c| self.open(at, c)).transpose()?)?;
            let cell = self.core.seal(&self.value_type, at, &new)?;
            let mutations = vec![Mutation::Put(at.clone(), cell)];
            let batch = Batch { marker: None, conditions: vec![(at.clone(), condition)], mutations };
            match self.core.runtime.commit(batch).finish().await {
                Ok(_) => return Ok(()),
                Err(e) if e.conditions_failed().is_some() => self.core.metrics.conflicts.increment(1),
                Err(e) => return Err(e),
            }
        }
    }

    #[inline]
    fn decode<Q: EncodeKey + ?Sized>(&self, key: &Q, opened: Opened) -> Result<V> {
        self.core.decode(&self.value_type, opened, || key_bytes(key))
    }
}
