//! [`Memory`]: block cache and write buffers, shared by all stores of a process.

use std::{fs, sync::Arc};

use rocksdb::{Cache, WriteBufferManager};
use statehold_core::{Error, Resources, Result};

/// One budget: memtables are charged to the block cache.
pub(crate) struct Memory {
    /// The process's budget.
    pub(crate) bytes: usize,
    pub(crate) cache: Cache,
    pub(crate) buffers: WriteBufferManager,
}

/// The least that a cache may have.
const LEAST: usize = 1 << 10;

/// This machine's memory, where the system tells it: `MemTotal:       24690312 kB`.
fn machine() -> Option<usize> {
    let told = fs::read_to_string("/proc/meminfo").ok()?;
    let total = told.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix(" kB")?.parse::<usize>().ok()?.checked_mul(1 << 10)
}

/// A block cache of `bytes`, which are set by `name`. RocksDB ends the process if it cannot reserve its table.
fn cache_of(bytes: usize, name: &str) -> Result<Cache> {
    let most = machine().unwrap_or(1 << 40);
    if !(LEAST..=most).contains(&bytes) {
        return Err(Error::invalid(format!("RocksDB cannot have a cache of {bytes} bytes"))
            .about(name)
            .advise(format!("set {name} to between {LEAST} and {most} bytes, what this machine has")));
    }
    // 0: the table of the cache grows by itself.
    Ok(Cache::new_hyper_clock_cache(bytes, 0))
}

impl Memory {
    /// At most half of `bytes` holds memtables; the cache has what they leave.
    fn new(bytes: usize) -> Result<Self> {
        let cache = cache_of(bytes, "`engine` of [memory]")?;
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(bytes / 2, false, cache.clone());
        Ok(Self { bytes, cache, buffers })
    }

    /// The process's, or one of the store's own where the descriptor asks for it.
    pub(crate) fn of(resources: &Resources, own_cache: Option<usize>) -> Result<Arc<Self>> {
        match own_cache {
            None => resources.shared(|resources| Self::new(resources.memory)),
            Some(bytes) => {
                let cache = cache_of(bytes, "the option `block_cache`")?;
                // Memtables stay in the process's budget.
                let buffers = Self::of(resources, None)?.buffers.clone();
                Ok(Arc::new(Self { bytes: resources.memory, cache, buffers }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statehold_core::ErrorKind;

    #[test]
    fn a_cache_that_would_end_the_process_is_refused() {
        for bytes in [0, LEAST - 1, 1 << 50, usize::MAX] {
            let refused = cache_of(bytes, "`engine`").err().unwrap();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{bytes}");
            assert!(refused.advice().is_some_and(|advice| advice.contains("`engine`")), "{refused}");
        }
        for bytes in [LEAST, 64 << 10, 1 << 20, machine().unwrap()] {
            cache_of(bytes, "`engine`").unwrap();
        }
    }
}
