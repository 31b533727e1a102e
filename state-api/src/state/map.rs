//! [`KeyMapState`]: subkeys and values a key.

use std::{borrow::Borrow, hash::Hash, sync::Arc};

use futures::{Stream, TryStreamExt};
use quick_cache::Equivalent;
use statehold_core::{
    Address, Batch, Cell, Condition, Count, Envelope, Mutation, PageLimit, Reads as _, Result, Row,
    emulate::KeyRows,
    key::{AsKey, EncodeKey, Key},
    staged::Cleared,
};

use super::{
    MapCursor, ScanOrder, Summary, ValueType,
    cache::HotCache,
    core::{StateCore, bytes_of},
    many, scan, summary,
};

pub(crate) struct Inner<K, S, V> {
    pub(crate) core: Arc<StateCore>,
    pub(crate) value_type: ValueType<V>,
    cache: Option<HotCache<(K, S), V>>,
}

/// A borrowed key and subkey, to look a pair up without cloning.
struct Pair<'a, Q: ?Sized, R: ?Sized>(&'a Q, &'a R);

impl<Q: Hash + ?Sized, R: Hash + ?Sized> Hash for Pair<'_, Q, R> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // As a tuple hashes its parts.
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl<K: Borrow<Q>, S: Borrow<R>, Q: Eq + ?Sized, R: Eq + ?Sized> Equivalent<(K, S)> for Pair<'_, Q, R> {
    fn equivalent(&self, (key, sub): &(K, S)) -> bool {
        key.borrow() == self.0 && sub.borrow() == self.1
    }
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
pub struct KeyMapState<K, S, V>(pub(crate) Arc<Inner<K, S, V>>);

impl<K, S, V> Clone for KeyMapState<K, S, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, S, V> std::fmt::Debug for KeyMapState<K, S, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyMapState").field(&self.0.core.spec.name).finish()
    }
}

impl<K: Key, S: Key, V: Clone + Send + Sync + 'static> KeyMapState<K, S, V> {
    pub(crate) fn new(core: StateCore, value_type: ValueType<V>, cache_bytes: usize) -> Self {
        let cache = (cache_bytes > 0 && !core.direct).then(|| HotCache::new(cache_bytes));
        Self(Arc::new(Inner { core: Arc::new(core), value_type, cache }))
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
        Q: EncodeKey + Hash + Eq + ?Sized,
        R: EncodeKey + Hash + Eq + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.reads.increment(1);
        if let Some(hit) = state.cached(key, sub) {
            return hit.map(Some);
        }
        let at = state.core.entry(key, sub)?;
        state.load(&at).await
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
        Q: EncodeKey + Hash + Eq + ?Sized,
        R: EncodeKey + Hash + Eq + ?Sized,
    {
        let at = self.0.core.entry(key, sub)?;
        Ok(self.0.core.runtime.get(&at).await?.is_some())
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
        Q: EncodeKey + Hash + Eq + ?Sized,
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
        Q: EncodeKey + Hash + Eq + ?Sized,
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
        Q: EncodeKey + Hash + Eq + ?Sized,
        R: EncodeKey + Hash + Eq + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.writes.increment(1);
        let at = state.core.entry(key, sub)?;
        let cell = state.core.seal(&state.value_type, &at, &value)?;
        let Some(cache) = &state.cache else {
            return state.core.set(at, Some(cell), || ()).await;
        };
        let pair = (K::decode(&at.key)?, S::decode(&at.sub)?);
        let (expires_at, size) = (cell.expires_at, at.key.len() + at.sub.len() + cell.value.len());
        let then = || cache.replace(pair, value, expires_at, size);
        state.core.set(at, Some(cell), then).await
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
        many::set_many(&state.core, records, |at| state.uncache(at)).await
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
        Q: EncodeKey + Hash + Eq + ?Sized,
        R: EncodeKey + Hash + Eq + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.writes.increment(1);
        let at = state.core.entry(key, sub)?;
        loop {
            let seen = state.core.runtime.stripe(&at);
            let found = state.core.runtime.get(&at).await?;
            let condition = match &found {
                None => Condition::Absent,
                Some(cell) if state.core.spec.revisions => Condition::RevisionIs(cell.revision),
                Some(cell) => Condition::ValueIs(Envelope::payload(&cell.value).unwrap_or_default()),
            };
            let new = change(found.map(|c| state.open(&at, c)).transpose()?)?;
            let cell = state.core.seal(&state.value_type, &at, &new)?;
            let done = if state.core.direct {
                let mutations = vec![Mutation::Put(at.clone(), cell)];
                let batch = Batch { marker: None, conditions: vec![(at.clone(), condition)], mutations };
                match state.core.runtime.commit(batch).await {
                    Ok(_) => true,
                    Err(e) if e.conditions_failed().is_some() => false,
                    Err(e) => return Err(e),
                }
            } else {
                let stage = |stage: &mut crate::runtime::Stage<'_>| {
                    state.uncache(&at);
                    stage.set(at.clone(), Some(cell.clone()));
                };
                state.core.stage(&[seen], bytes_of(&at, Some(&cell)), stage).await?
            };
            if done {
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
        Q: EncodeKey + Hash + Eq + ?Sized,
        R: EncodeKey + Hash + Eq + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.deletes.increment(1);
        let at = state.core.entry(key, sub)?;
        let then = || state.cache.iter().for_each(|c| c.remove(&Pair(key, sub)));
        state.core.set(at, None, then).await
    }

    /// Removes `key` with all its entries.
    ///
    /// # Errors
    /// As [`KeyMapState::put`].
    pub async fn remove_key<Q>(&self, key: &Q) -> Result<()>
    where
        K: Borrow<Q>,
        Q: EncodeKey + Hash + Eq + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.deletes.increment(1);
        let at = state.core.address(key)?;
        if state.core.direct {
            let mutations = vec![Mutation::DeleteSubs { at, until: None }];
            return state.core.runtime.commit(Batch { mutations, ..Batch::default() }).await.map(drop);
        }
        let stage = |stage: &mut crate::runtime::Stage<'_>| {
            // Which subkeys of it are cached nobody knows.
            state.clear_cache();
            stage.clear(at.clone(), Cleared::All);
        };
        state.core.stage(&[], bytes_of(&at, None), stage).await.map(drop)
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

impl<K: Key, S: Key, V: Clone + Send + Sync + 'static> Inner<K, S, V> {
    fn open(&self, at: &Address, cell: Cell) -> Result<V> {
        self.core.open(&self.value_type, &at.key, &at.sub, cell)
    }

    fn entry(&self, row: Row) -> Result<(S, V)> {
        Ok((S::decode(&row.sub)?, self.core.open(&self.value_type, &row.key, &row.sub, row.cell)?))
    }

    #[inline]
    fn cached<Q, R>(&self, key: &Q, sub: &R) -> Option<Result<V>>
    where
        K: Borrow<Q>,
        S: Borrow<R>,
        Q: Hash + Eq + ?Sized,
        R: Hash + Eq + ?Sized,
    {
        let value = self.cache.as_ref()?.get(&Pair(key, sub), || self.core.runtime.store.now())?;
        self.core.metrics.hits.increment(1);
        Some(self.core.check().map(|()| value))
    }

    async fn load(&self, at: &Address) -> Result<Option<V>> {
        let seen = self.core.runtime.stripe(at);
        let Some(cell) = self.core.runtime.get(at).await? else { return Ok(None) };
        let (expires_at, bytes) = (cell.expires_at, cell.value.len());
        let value = self.open(at, cell)?;
        if let Some(cache) = &self.cache {
            let (pair, copy) = ((K::decode(&at.key)?, S::decode(&at.sub)?), value.clone());
            let size = at.key.len() + at.sub.len() + bytes;
            self.core.runtime.if_unmoved(seen, || cache.insert(pair, copy, expires_at, size));
        }
        Ok(Some(value))
    }

    pub(crate) fn uncache(&self, at: &Address) {
        if let (Some(cache), Ok(key), Ok(sub)) = (&self.cache, K::decode(&at.key), S::decode(&at.sub)) {
            cache.remove(&(key, sub));
        }
    }

    pub(crate) fn clear_cache(&self) {
        self.cache.iter().for_each(HotCache::clear);
    }

    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache.as_ref().map_or(0, HotCache::bytes)
    }
}
