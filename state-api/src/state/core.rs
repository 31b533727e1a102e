//! [`StateCore`]: what typed states of all models share: names, addresses, envelopes, fencing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use statehold_core::{
    Address, Batch, Cell, Envelope, Error, KeyGroup, KeyGroups, Limits, Millis, Model, Mutation, Op, Opened, Result,
    StateId, StateSpec, key::EncodeKey, staged::Cleared,
};

use super::{
    ValueType,
    cache::HotCache,
    metrics::StateMetrics,
    scratch::{encoded, lent},
};
use crate::runtime::{Seen, Stage, StoreRuntime};

#[inline]
pub(super) fn key_bytes<Q: EncodeKey + ?Sized>(key: &Q) -> Bytes {
    let bytes = encoded(|out| {
        key.encode(out);
        Ok::<_, std::convert::Infallible>(())
    });
    bytes.unwrap_or_default()
}

/// What a record counts towards a batch's limit, in bytes.
#[inline]
pub(crate) fn bytes_of(at: &Address, cell: Option<&Cell>) -> usize {
    at.key.len() + at.sub.len() + cell.map_or(0, |c| c.value.len())
}

pub(crate) struct StateCore {
    pub(crate) spec: StateSpec,
    pub(crate) id: StateId,
    pub(crate) runtime: Arc<StoreRuntime>,
    pub(crate) metrics: StateMetrics,
    cache: Option<HotCache>,
    envelope: Envelope,
    ttl: Option<u64>,
    groups: KeyGroups,
    limits: Limits,
    /// Writes go through at once, and conditions are the engine's.
    pub(crate) direct: bool,
    epoch: u64,
    dropped: AtomicBool,
}

impl StateCore {
    /// With a cache of `cache` bytes, if that is not 0.
    pub(crate) fn new(
        spec: StateSpec,
        id: StateId,
        runtime: Arc<StoreRuntime>,
        ttl: Option<u64>,
        cache: usize,
    ) -> Self {
        let store = &runtime.store;
        let numbered_by_engine = spec.model == Model::List && (spec.ttl || store.reserve_ordinals(0).is_none());
        let direct = !runtime.is_buffered() || spec.revisions || numbered_by_engine;
        Self {
            // Without the buffer's lock nothing orders cache and writes; lists are not read by their elements.
            cache: (cache > 0 && !direct && spec.model != Model::List).then(|| HotCache::new(cache)),
            direct,
            envelope: Envelope::of_state(&spec.name),
            metrics: StateMetrics::of(&runtime.name, &spec.name),
            groups: store.groups(),
            limits: store.limits(),
            epoch: runtime.epoch(),
            dropped: AtomicBool::new(false),
            ttl,
            spec,
            id,
            runtime,
        }
    }

    /// Whether the content was recovered over or dropped since.
    #[inline]
    pub(crate) fn is_fenced(&self) -> bool {
        self.epoch != self.runtime.epoch() || self.dropped.load(Ordering::Acquire)
    }

    /// Refuses fenced handles, and closed managers.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        if !self.is_fenced() {
            return self.runtime.check_open();
        }
        Err(Error::fenced("the state was recovered or dropped since this handle was made")
            .in_state(&self.spec.name)
            .advise("ask the manager for a new handle"))
    }

    pub(crate) fn mark_dropped(&self) {
        self.dropped.store(true, Ordering::Release);
    }

    /// Stages what `apply` sets, as [`StoreRuntime::stage`] does, unless this handle is fenced by then.
    #[inline]
    pub(crate) fn stage<'a>(
        &'a self,
        seen: &'a [Seen<'a>],
        size: usize,
        apply: impl FnMut(&mut Stage<'_>) + Send + 'a,
    ) -> Op<'a, bool> {
        self.runtime.stage(|| self.check(), seen, size, apply)
    }

    /// Stages a record within [`StateCore::stage`]. A new one comes into a full cache only with `admit`.
    #[inline]
    pub(crate) fn change(&self, stage: &mut Stage<'_>, at: Address, cell: Option<Cell>, admit: bool) {
        // First: who finds the record's stripe moved must not find the old value in the cache.
        match (&self.cache, &cell) {
            (None, _) => {}
            (Some(cache), Some(cell)) => cache.follow(&at, cell, admit),
            (Some(cache), None) => cache.remove(&at),
        }
        stage.set(at, cell);
    }

    /// Stages the removal of what lies under a key, as [`StateCore::change`] does of a record.
    pub(crate) fn clear(&self, stage: &mut Stage<'_>, at: Address) {
        self.cache.iter().for_each(|cache| cache.clear_key(&at.key));
        stage.clear(at, Cleared::All);
    }

    /// Forgets what is cached of a record that is about to be written past the buffer.
    pub(crate) fn uncache(&self, at: &Address) {
        self.cache.iter().for_each(|cache| cache.remove(at));
    }

    /// Gives the cache's memory back. It goes on empty.
    pub(crate) fn empty_cache(&self) {
        self.cache.iter().for_each(HotCache::clear);
    }

    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache.as_ref().map_or(0, HotCache::bytes)
    }

    /// What the cache has of a record; an error if the handle is fenced.
    #[inline]
    pub(crate) fn cached<Q: EncodeKey + ?Sized>(&self, key: &Q) -> Option<Result<Opened>> {
        let cache = self.cache.as_ref()?;
        let hit = lent(|buffer| {
            key.encode(buffer);
            cache.get(buffer, &[], || self.runtime.store.now())
        });
        self.hit(hit)
    }

    /// As [`StateCore::cached`], of a map's entry.
    #[inline]
    pub(crate) fn cached_entry<Q, R>(&self, key: &Q, sub: &R) -> Option<Result<Opened>>
    where
        Q: EncodeKey + ?Sized,
        R: EncodeKey + ?Sized,
    {
        let cache = self.cache.as_ref()?;
        let hit = lent(|buffer| {
            key.encode(buffer);
            let end = buffer.len();
            sub.encode(buffer);
            let (key, sub) = buffer.split_at(end);
            cache.get(key, sub, || self.runtime.store.now())
        });
        self.hit(hit)
    }

    #[inline]
    fn hit(&self, hit: Option<Opened>) -> Option<Result<Opened>> {
        let opened = hit?;
        self.metrics.hits.increment(1);
        Some(self.check().map(|()| opened))
    }

    /// What a record holds, from the cache or beneath it.
    #[inline]
    pub(crate) fn find<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Opened>> {
        let hit = self.cache.as_ref().and_then(|cache| cache.get(&at.key, &at.sub, || self.runtime.store.now()));
        match self.hit(hit) {
            Some(hit) => Op::Ready(hit.map(Some)),
            None => self.runtime.get(at).and_then(|found| {
                let Some(cell) = found else { return Ok(None) };
                self.envelope.open(&at.key, &at.sub, cell).map(Some)
            }),
        }
    }

    /// What a record that the cache has not holds; then it has it.
    #[inline]
    pub(crate) fn load<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Opened>> {
        let seen = self.cache.as_ref().map(|cache| (cache, self.runtime.stripe(at)));
        self.runtime.get(at).and_then(move |found| {
            let Some(cell) = found else { return Ok(None) };
            let expires_at = cell.expires_at;
            let opened = self.envelope.open(&at.key, &at.sub, cell)?;
            if let Some((cache, seen)) = seen {
                let insert = || {
                    // Else what a drop emptied would fill again.
                    if !self.is_fenced() {
                        cache.insert(at, &opened, expires_at);
                    }
                };
                self.runtime.if_unmoved(seen, insert);
            }
            Ok(Some(opened))
        })
    }

    /// Writes one record: staged, or at once.
    #[inline]
    pub(crate) fn set(&self, at: Address, cell: Option<Cell>) -> Op<'_, ()> {
        if self.direct {
            let mutation = match cell {
                Some(cell) => Mutation::Put(at, cell),
                None => Mutation::Delete(at),
            };
            let batch = Batch { mutations: vec![mutation], ..Batch::default() };
            return self.runtime.commit(batch).and_then(|_| Ok(()));
        }
        let size = bytes_of(&at, cell.as_ref());
        let mut change = Some((at, cell));
        let stage = move |stage: &mut Stage<'_>| {
            if let Some((at, cell)) = change.take() {
                self.change(stage, at, cell, false);
            }
        };
        self.stage(&[], size, stage).and_then(|_| Ok(()))
    }

    /// Where a key's record is.
    #[inline]
    pub(crate) fn address<Q: EncodeKey + ?Sized>(&self, key: &Q) -> Result<Address> {
        self.place(key_bytes(key), Bytes::new())
    }

    /// Where a key's entry is.
    #[inline]
    pub(crate) fn entry<Q: EncodeKey + ?Sized, R: EncodeKey + ?Sized>(&self, key: &Q, sub: &R) -> Result<Address> {
        self.place(key_bytes(key), key_bytes(sub))
    }

    #[inline]
    fn place(&self, key: Bytes, sub: Bytes) -> Result<Address> {
        self.check()?;
        self.limits.check_key(&key, &sub).map_err(|e| e.in_state(&self.spec.name))?;
        let group = KeyGroup::of(&key, self.groups.total());
        if !self.groups.contains(group) {
            return Err(Error::invalid(format!("the key is in key group {group}, this store has {}", self.groups))
                .in_state(&self.spec.name)
                .advise("send the key to the owner of its group"));
        }
        Ok(Address { group, state: self.id, key, sub })
    }

    /// When something written now expires.
    #[inline]
    pub(crate) fn expiry(&self) -> Option<Millis> {
        self.ttl.map(|ttl| Millis(self.runtime.store.now().0.saturating_add(ttl)))
    }

    /// Encodes and seals a value for (`at.key`, `sub`).
    #[inline]
    pub(crate) fn seal<V>(&self, value_type: &ValueType<V>, at: &Address, value: &V) -> Result<Cell> {
        let expires_at = self.expiry();
        // The engine may number list elements, and a list expires as a whole: their identity is the list's.
        let (sub, sealed_expiry): (&[u8], _) =
            if self.spec.model == Model::List { (b"", None) } else { (&at.sub, expires_at) };
        let sealed = encoded(|bytes| {
            bytes.extend_from_slice(&[0; Envelope::BYTES]);
            value_type.encode(value, bytes)?;
            self.limits.check_value(bytes.len() - Envelope::BYTES)?;
            self.envelope.seal_in_place(self.spec.schema_version, &at.key, sub, sealed_expiry, bytes);
            Ok(())
        });
        let value = sealed.map_err(|e: Error| e.in_state(&self.spec.name))?;
        Ok(Cell { value, expires_at, ..Cell::default() })
    }

    /// Checks and decodes what was found at (key, sub).
    #[inline]
    pub(crate) fn open<V>(&self, value_type: &ValueType<V>, key: &[u8], sub: &[u8], cell: Cell) -> Result<V> {
        let opened = if self.spec.model == Model::List {
            self.envelope.open(key, b"", Cell::new(cell.value))?
        } else {
            self.envelope.open(key, sub, cell)?
        };
        self.decode(value_type, opened, || Bytes::copy_from_slice(key))
    }

    /// Decodes what was found under `key`, which an error names.
    #[inline]
    pub(crate) fn decode<V>(
        &self,
        value_type: &ValueType<V>,
        opened: Opened,
        key: impl FnOnce() -> Bytes,
    ) -> Result<V> {
        value_type
            .read(opened.schema_version, opened.payload)
            .map_err(|e| e.in_state(&self.spec.name).about(key().escape_ascii().to_string()))
    }

    /// The payload alone, for conditions on values.
    pub(crate) fn payload<V>(&self, value_type: &ValueType<V>, value: &V) -> Result<Bytes> {
        encoded(|bytes| value_type.encode(value, bytes)).map_err(|e| e.in_state(&self.spec.name))
    }

    /// Refuses calls that need revisions where the state has none.
    pub(crate) fn check_revisions(&self) -> Result<()> {
        if self.spec.revisions {
            return Ok(());
        }
        Err(Error::unsupported("the state keeps no revisions")
            .in_state(&self.spec.name)
            .advise("set `revisions = true` in its descriptor"))
    }
}
