//! [`KeyValueState`]: one value a key.

mod conditional;

use std::{borrow::Borrow, marker::PhantomData, sync::Arc};

use futures::{Stream, TryStreamExt};
use statehold_core::{
    Address, Cell, Count, Opened, Reads as _, Result,
    key::{AsKey, EncodeKey, Key},
};

use super::{
    ScanOrder, Summary, ValueType,
    core::{StateCore, key_bytes},
    many, scan, summary,
};

pub use conditional::Versioned;

pub(crate) struct Inner<V> {
    pub(crate) core: Arc<StateCore>,
    pub(crate) value_type: ValueType<V>,
}

/// A state with one value a key (contract KV). Cheap to clone; all clones share buffer and cache.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> statehold::Result<()> {
/// use statehold::{Model, testing};
/// let manager = testing::memory_manager(&[("counts", Model::Kv)]).await?;
/// let counts = manager.key_value::<String, u64>("counts").await?;
/// counts.put("apple", 3).await?;
/// counts.update("apple", |n| Ok(n.unwrap_or(0) + 1)).await?;
/// assert_eq!(counts.get("apple").await?, Some(4));
/// assert_eq!(counts.get_many(&["pear", "apple"]).await?, [None, Some(4)]);
/// # manager.close().await }
/// ```
pub struct KeyValueState<K, V>(pub(crate) Arc<Inner<V>>, PhantomData<fn() -> K>);

impl<K, V> Clone for KeyValueState<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<K, V> std::fmt::Debug for KeyValueState<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyValueState").field(&self.0.core.spec.name).finish()
    }
}

impl<K: Key, V: Send + Sync + 'static> KeyValueState<K, V> {
    pub(crate) fn new(core: StateCore, value_type: ValueType<V>) -> Self {
        Self(Arc::new(Inner { core: Arc::new(core), value_type }), PhantomData)
    }

    /// The state's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.core.spec.name
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// `Corrupt` if the stored value fails its check; `Fenced` after recover or drop; what the engine fails with.
    #[inline]
    pub async fn get<Q>(&self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.reads.increment(1);
        if let Some(hit) = state.core.cached(key) {
            return state.decode(key, hit?).map(Some);
        }
        let at = state.core.address(key)?;
        let opened = state.core.load(&at).finish().await?;
        opened.map(|opened| state.decode(key, opened)).transpose()
    }

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub async fn contains<Q>(&self, key: &Q) -> Result<bool>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let core = &self.0.core;
        core.metrics.reads.increment(1);
        if let Some(hit) = core.cached(key) {
            return hit.map(|_| true);
        }
        let at = core.address(key)?;
        core.runtime.get(&at).and_then(|found| Ok(found.is_some())).finish().await
    }

    /// The values of `keys`, in that order, duplicates included, at one point in time (contract KV-3).
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub async fn get_many<Q: AsKey<K>>(&self, keys: &[Q]) -> Result<Vec<Option<V>>> {
        let core = &self.0.core;
        core.metrics.reads.increment(keys.len() as u64);
        let at = many::all(keys.iter().map(|k| core.address(k)))?;
        let cells = core.runtime.reader().get_many(&at).finish().await?;
        let open = |(at, cell): (&Address, Option<Cell>)| cell.map(|c| self.0.open(at, c)).transpose();
        many::all(at.iter().zip(cells).map(open))
    }

    /// Sets the value of `key`.
    ///
    /// # Errors
    /// `InvalidInput` for an empty key, `LimitExceeded` over a limit; `Fenced`; what keeps the buffer from
    /// being flushed.
    #[inline]
    pub async fn put<Q>(&self, key: &Q, value: V) -> Result<()>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.writes.increment(1);
        let at = state.core.address(key)?;
        let cell = state.core.seal(&state.value_type, &at, &value)?;
        state.core.set(at, Some(cell)).finish().await
    }

    /// Sets many values. Not a batch: on failure the error says how many are in.
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub async fn put_many<Q>(&self, entries: impl IntoIterator<Item = (Q, V)>) -> Result<()>
    where
        Q: AsKey<K>,
    {
        let state = &*self.0;
        let seal = |(key, value): (Q, V)| {
            let at = state.core.address(&key)?;
            let cell = state.core.seal(&state.value_type, &at, &value)?;
            Ok((at, Some(cell)))
        };
        let records = many::all(entries.into_iter().map(seal))?;
        state.core.metrics.writes.increment(records.len() as u64);
        many::set_many(&state.core, records).await
    }

    /// Removes `key`; removing what is absent succeeds.
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub async fn delete<Q>(&self, key: &Q) -> Result<()>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.deletes.increment(1);
        let at = state.core.address(key)?;
        state.core.set(at, None).finish().await
    }

    /// Removes many keys. Not a batch: on failure the error says how many are gone.
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub async fn delete_many<Q: AsKey<K>>(&self, keys: &[Q]) -> Result<()> {
        let state = &*self.0;
        state.core.metrics.deletes.increment(keys.len() as u64);
        let records = many::all(keys.iter().map(|k| Ok((state.core.address(k)?, None))))?;
        many::set_many(&state.core, records).await
    }

    /// Sets `key` to what `change` makes of its value, with no other write in between (contract BATCH-3).
    /// `change` may run several times.
    ///
    /// # Errors
    /// What `change` answers; as [`KeyValueState::put`].
    #[inline]
    pub async fn update<Q>(&self, key: &Q, mut change: impl FnMut(Option<V>) -> Result<V>) -> Result<()>
    where
        K: Borrow<Q>,
        Q: EncodeKey + ?Sized,
    {
        let state = &*self.0;
        state.core.metrics.writes.increment(1);
        let mut at = state.core.address(key)?;
        if state.core.direct {
            // Its own allocation: else it would be room in every update.
            return Box::pin(state.update_directly(at, change)).await;
        }
        loop {
            let seen = state.core.runtime.stripe(&at);
            let old = state.core.find(&at).finish().await?.map(|opened| state.decode(key, opened)).transpose()?;
            let cell = state.core.seal(&state.value_type, &at, &change(old)?)?;
            let size = at.key.len() + cell.value.len();
            let mut write = Some((at, cell));
            let stage = |stage: &mut crate::runtime::Stage<'_>| {
                if let Some((at, cell)) = write.take() {
                    state.core.change(stage, at, Some(cell), true);
                }
            };
            if state.core.stage(&[seen], size, stage).finish().await? {
                return Ok(());
            }
            state.core.metrics.conflicts.increment(1);
            // Nothing was staged, so the address is still here.
            at = match write {
                Some((at, _)) => at,
                None => state.core.address(key)?,
            };
        }
    }

    /// All entries as a stream, in bounded memory; what changes meanwhile is seen at most once (contract KV-4).
    pub fn scan(&self, order: ScanOrder) -> impl Stream<Item = Result<(K, V)>> + Send + Unpin + use<K, V> {
        let state = self.0.clone();
        scan::rows(state.core.clone(), order, scan::Want::Rows).and_then(move |row| {
            let entry = K::decode(&row.key)
                .and_then(|k| Ok((k, state.core.open(&state.value_type, &row.key, &row.sub, row.cell)?)));
            futures::future::ready(entry)
        })
    }

    /// All keys as a stream; values are neither checked nor decoded.
    pub fn keys(&self, order: ScanOrder) -> impl Stream<Item = Result<K>> + Send + Unpin + use<K, V> {
        scan::rows(self.0.core.clone(), order, scan::Want::Keys)
            .and_then(|row| futures::future::ready(K::decode(&row.key)))
    }

    /// How many entries there are: a scan.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub async fn count(&self) -> Result<Count> {
        summary::count(self.0.core.clone()).await
    }

    /// How much the state holds: a scan.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub async fn summary(&self) -> Result<Summary> {
        summary::summary(self.0.core.clone()).await
    }
}

impl<V> Inner<V> {
    fn open(&self, at: &Address, cell: Cell) -> Result<V> {
        self.core.open(&self.value_type, &at.key, &at.sub, cell)
    }

    #[inline]
    fn decode<Q: EncodeKey + ?Sized>(&self, key: &Q, opened: Opened) -> Result<V> {
        self.core.decode(&self.value_type, opened, || key_bytes(key))
    }
}
