//! [`RedisBackend`]: checks the options and opens.

use std::sync::Arc;

use async_trait::async_trait;
use statehold_core::{Backend, Capabilities, Error, OpenRequest, Options, Result, Store};

use crate::{config::Config, open};

/// Stores in a Redis server or Cluster, of version 7.0 or newer.
///
/// | option | default | what |
/// |---|---|---|
/// | `url` | required, or `urls` | `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS |
/// | `urls` | | several nodes of a Cluster, with commas between them |
/// | `cluster` | `false` | whether it is a Redis Cluster: batches are then atomic within a key group |
/// | `username`, `password` | those of the address | the ACL user |
/// | `ca_certificate` | the system's | a PEM file with the authority that signed the server's certificate |
/// | `prefix` | `sh:` | what all keys begin with; the user needs no others |
/// | `timeout_ms` | `5000` | how long an answer may take; a commit is `Indeterminate` afterwards |
/// | `connect_timeout_ms` | `2000` | how long connecting may take |
/// | `assert_settings` | `false` | promises the settings that the level needs, where the server forbids `CONFIG GET` |
///
/// ```
/// use statehold_core::{AtomicScope, Backend, Options};
/// use statehold_redis::RedisBackend;
///
/// let options = Options::new().with("url", "redis://localhost:6379");
/// assert_eq!(RedisBackend::new().capabilities(&options)?.scope, AtomicScope::Store);
/// assert!(RedisBackend::new().capabilities(&Options::new()).is_err()); // an address is required
/// # Ok::<(), statehold_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RedisBackend;

impl RedisBackend {
    /// The name of this kind in descriptors.
    pub const KIND: &'static str = "redis";

    /// The backend.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Backend for RedisBackend {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        Ok(Config::read(options)?.capabilities())
    }

    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let store = request.store.clone();
        let named = |e: Error| e.in_store(&store).during("open");
        let config = Config::read(&request.options).map_err(named)?;
        Ok(open::open(config, request).await.map_err(named)?)
    }
}
