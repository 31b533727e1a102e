//! [`Registry`]: which kinds of engine there are.

use std::{collections::BTreeMap, sync::Arc};

use statehold_core::{Backend, Error, Result};

/// The backends that descriptors can name.
///
/// ```
/// let registry = statehold::Registry::default();
/// let unknown = registry.get("memroy").err().unwrap();
/// assert!(unknown.to_string().contains("memory"));
/// ```
#[derive(Clone)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn Backend>>);

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Every backend that was compiled in.
impl Default for Registry {
    fn default() -> Self {
        let registry = Self::empty().with(Arc::new(statehold_memory::MemoryBackend::new()));
        #[cfg(feature = "rocksdb")]
        let registry = registry.with(Arc::new(statehold_rocksdb::RocksDbBackend::new()));
        #[cfg(feature = "postgres")]
        let registry = registry.with(Arc::new(statehold_postgres::PostgresBackend::new()));
        #[cfg(feature = "redb")]
        let registry = registry.with(Arc::new(statehold_redb::RedbBackend));
        #[cfg(feature = "redis")]
        let registry = registry.with(Arc::new(statehold_redis::RedisBackend::new()));
        registry
    }
}

impl Registry {
    /// No backend at all.
    #[must_use]
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// The same with `backend`, in place of another of its kind.
    #[must_use]
    pub fn with(mut self, backend: Arc<dyn Backend>) -> Self {
        self.0.insert(backend.kind(), backend);
        self
    }

    /// The backend of `kind`.
    ///
    /// # Errors
    /// `InvalidInput` listing the kinds there are.
    pub fn get(&self, kind: &str) -> Result<&Arc<dyn Backend>> {
        self.0.get(kind).ok_or_else(|| {
            let known: Vec<_> = self.0.keys().copied().collect();
            Error::invalid(format!("unknown kind `{}`", kind.escape_debug()))
                .about("kind")
                .advise(format!("this build knows: {}", known.join(", ")))
        })
    }

    /// All backends, by kind.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Backend>> {
        self.0.values()
    }
}
