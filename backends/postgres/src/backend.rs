//! [`PostgresBackend`]: resolves options and opens stores.

use std::sync::Arc;

use async_trait::async_trait;
use statehold_core::{Backend, Capabilities, Claims, Limits, OpenRequest, Options, Ownership, Result, Store};

use crate::{config::Config, open};

/// Stores in PostgreSQL 13 or later, kind `postgres`.
///
/// Futures of its stores must be polled within the tokio runtime they were opened in, or while it runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct PostgresBackend(());

/// What an index row can hold: about 2,700 bytes for key and subkey together.
const MAX_KEY: usize = 1280;

impl PostgresBackend {
    /// The `kind` of such stores in descriptors.
    pub const KIND: &'static str = crate::config::KIND;

    /// The backend. It holds nothing: connections belong to stores.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        ownership: Ownership::ALL.to_vec(),
        claims: Claims::Fencing,
        max_limits: Limits { key: MAX_KEY, sub: MAX_KEY, label: 255, value: 64 << 20, batch: 256 << 20 },
        ..Capabilities::in_process()
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    fn kind(&self) -> &'static str {
        crate::config::KIND
    }

    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        Config::read(options)?;
        Ok(capabilities())
    }

    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let config = Config::read(&request.options)?;
        let store = request.store.clone();
        let opened = open::open(config, request, capabilities()).await;
        Ok(Arc::new(opened.map_err(|e| e.in_store(store).during("open"))?))
    }
}
