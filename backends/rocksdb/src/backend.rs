//! [`RocksDbBackend`]: finds the directory and opens it.

use std::sync::Arc;

use async_trait::async_trait;
use statehold_core::{Backend, Capabilities, Error, OpenRequest, Options, Result, Store, ordered::OrderedStore};

use crate::{config::Config, engine::RocksEngine};

/// Stores in RocksDB directories.
///
/// | option | default | what |
/// |---|---|---|
/// | `path` | required | where; a relative path counts from the working directory |
/// | `block_cache` | a share of the process's memory budget | a cache of this store's own, of so many bytes |
/// | `write_buffer` | `64 MiB` | bytes of one memtable; it is flushed when full |
/// | `bloom_bits` | `10` | bits a key of the filters, 0 for none; 10 let 1 % of absent keys through |
/// | `compression` | `lz4` | `none`, `lz4` or `zstd` |
/// | `max_background_jobs` | `2` | threads for flushes and compactions |
/// | `max_open_files` | all | at most so many table files stay open; at least 64 |
///
/// All stores of a process share one block cache and one limit of write buffers, both out of
/// [`Resources::memory`](statehold_core::Resources::memory).
///
/// ```
/// use statehold_core::{Backend, Options};
/// use statehold_rocksdb::RocksDbBackend;
///
/// let options = Options::new().with("path", "data").with("write_buffer", "32 MiB");
/// assert!(RocksDbBackend::new().capabilities(&options)?.persistent);
/// assert!(RocksDbBackend::new().capabilities(&Options::new()).is_err()); // `path` is required
/// # Ok::<(), statehold_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RocksDbBackend;

impl RocksDbBackend {
    /// The name of this kind in descriptors.
    pub const KIND: &'static str = "rocksdb";

    /// The backend.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Backend for RocksDbBackend {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        Config::read(options)?;
        Ok(declared())
    }

    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let named = {
            let store = request.store.clone();
            move |e: Error| e.in_store(&store).during("open")
        };
        let config = Config::read(&request.options).map_err(&named)?;
        let resources = request.resources.clone();
        let opened = resources.blocking(move || {
            let capabilities = declared();
            request.check(&capabilities)?;
            let engine = RocksEngine::open(&config, &request)?;
            OrderedStore::open_with_files(engine, &request, capabilities)
        });
        Ok(opened.await.map_err(&named)?)
    }
}

/// What every store of this kind can do.
fn declared() -> Capabilities {
    Capabilities { native_archive: true, ..Capabilities::in_process() }
}
