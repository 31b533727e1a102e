//! [`Memory`]: block cache and write buffers, shared by all stores of a process.

use std::sync::Arc;

use rocksdb::{Cache, WriteBufferManager};
use statehold_core::{Resources, Result};

/// One budget: memtables are charged to the block cache.
pub(crate) struct Memory {
    /// The process's budget.
    pub(crate) bytes: usize,
    pub(crate) cache: Cache,
    pub(crate) buffers: WriteBufferManager,
}

impl Memory {
    /// At most half of `bytes` holds memtables; the cache has what they leave.
    fn new(bytes: usize) -> Self {
        // 0: the table of the cache grows by itself.
        let cache = Cache::new_hyper_clock_cache(bytes, 0);
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(bytes / 2, false, cache.clone());
        Self { bytes, cache, buffers }
    }

    /// The process's, or one of the store's own where the descriptor asks for it.
    pub(crate) fn of(resources: &Resources, own_cache: Option<usize>) -> Result<Arc<Self>> {
        match own_cache {
            None => resources.shared(|resources| Ok(Self::new(resources.memory))),
            Some(bytes) => {
                let cache = Cache::new_hyper_clock_cache(bytes, 0);
                // Memtables stay in the process's budget.
                let buffers = Self::of(resources, None)?.buffers.clone();
                Ok(Arc::new(Self { bytes: resources.memory, cache, buffers }))
            }
        }
    }
}
