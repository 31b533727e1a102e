//! [`HotCache`]: decoded hot values of one state, bounded (contract OWN-7).

use std::hash::Hash;

use quick_cache::{Equivalent, Weighter, sync::Cache};
use statehold_core::Millis;

/// Memory that an entry costs beyond its encoded size.
const OVERHEAD: usize = 64;

#[derive(Clone)]
struct Hot<V> {
    value: V,
    expires_at: Option<Millis>,
    /// Encoded key and value.
    size: u32,
}

#[derive(Clone)]
struct BySize;

impl<K, V> Weighter<K, Hot<V>> for BySize {
    fn weight(&self, _key: &K, hot: &Hot<V>) -> u64 {
        hot.size as u64 + OVERHEAD as u64
    }
}

/// Decoded values by decoded key. Which writes it follows is the caller's care: it is changed under the
/// lock that orders them.
pub(crate) struct HotCache<K, V>(Cache<K, Hot<V>, BySize>);

impl<K: Eq + Hash + Clone, V: Clone> HotCache<K, V> {
    pub(crate) fn new(bytes: usize) -> Self {
        // A guess of the entries it will hold, for its first tables only.
        let items = (bytes / 256).clamp(16, 1 << 20);
        Self(Cache::with_weighter(items, bytes as u64, BySize))
    }

    /// The value, unless it has expired by `now`.
    #[inline]
    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q, now: impl FnOnce() -> Millis) -> Option<V> {
        let hot = self.0.get(key)?;
        match hot.expires_at {
            Some(at) if now() >= at => None,
            _ => Some(hot.value),
        }
    }

    #[inline]
    pub(crate) fn insert(&self, key: K, value: V, expires_at: Option<Millis>, size: usize) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.0.insert(key, Hot { value, expires_at, size });
    }

    /// Sets the value only of a key that is in the cache.
    #[inline]
    pub(crate) fn replace(&self, key: K, value: V, expires_at: Option<Millis>, size: usize) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        // The answer gives back what was not taken.
        let _ = self.0.replace(key, Hot { value, expires_at, size }, true);
    }

    #[inline]
    pub(crate) fn remove<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) {
        self.0.remove(key);
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    /// Bytes charged.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.weight()
    }
}
