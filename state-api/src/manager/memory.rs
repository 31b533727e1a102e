//! [`MemoryUse`]: where a manager's memory goes (contract OWN-7).

use std::collections::BTreeMap;

use super::StateManager;

/// Memory of one store, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreMemory {
    /// Staged rows, overhead included.
    pub buffer: u64,
    /// What the engine says it holds for this store.
    pub engine: u64,
}

/// Where a manager's memory goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// By store.
    pub stores: BTreeMap<String, StoreMemory>,
    /// Hot values, by state that has a handle; in bytes.
    pub caches: BTreeMap<String, u64>,
}

impl MemoryUse {
    /// Everything together, in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.stores.values().map(|s| s.buffer + s.engine).sum::<u64>() + self.caches.values().sum::<u64>()
    }
}

impl StateManager {
    /// Where the memory goes now. Waits while a recover is under way.
    pub async fn memory(&self) -> MemoryUse {
        let stores = self.0.stores.iter().map(|(name, runtime)| {
            let use_of = StoreMemory { buffer: runtime.staged().0 as u64, engine: runtime.store.memory() };
            (name.clone(), use_of)
        });
        MemoryUse { stores: stores.collect(), caches: self.0.handles.lock().await.cache_bytes() }
    }
}
