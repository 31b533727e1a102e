//! [`RedbBackend`]: finds the file and opens it.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use redb::Database;
use statehold_core::{
    Backend, Capabilities, Error, OpenRequest, OptionReader, Options, Ownership, Result, Store,
    ordered::{OrderedStore, place},
};

use crate::{engine::RedbEngine, error::unopened};

const DEFAULT_CACHE: usize = 64 << 20;

/// Stores in redb files.
///
/// | option | default | what |
/// |---|---|---|
/// | `path` | required | where; a relative path counts from the working directory |
/// | `cache` | `64 MiB`, or the engines' memory budget if that is less | bytes of pages that redb keeps in memory |
///
/// ```
/// use statehold_core::{Backend, Options};
/// use statehold_redb::RedbBackend;
///
/// let options = Options::new().with("path", "data").with("cache", "16 MiB");
/// assert!(RedbBackend.capabilities(&options)?.persistent);
/// assert!(RedbBackend.capabilities(&Options::new()).is_err()); // `path` is required
/// # Ok::<(), statehold_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RedbBackend;

struct Config {
    path: PathBuf,
    cache: Option<usize>,
}

impl RedbBackend {
    /// The name of this kind in descriptors.
    pub const KIND: &'static str = "redb";
}

impl Config {
    /// Reads and checks the options; touches no disk.
    fn read(options: &Options) -> Result<Self> {
        let mut reader = OptionReader::new(RedbBackend::KIND, options);
        let path = reader.text("path")?;
        let cache = reader.bytes("cache")?;
        reader.done()?;
        let path = path.ok_or_else(|| {
            Error::invalid("kind `redb` needs the option `path`")
                .about("path")
                .advise("give e.g. path = \"/var/lib/app/state\"")
        })?;
        Ok(Self { path: path.into(), cache })
    }
}

/// All that [`OrderedStore`] gives, but for looking at a file that somebody else writes, which redb refuses.
fn declared() -> Capabilities {
    Capabilities { ownership: vec![Ownership::Exclusive], ..Capabilities::in_process() }
}

fn open(config: &Config, request: &OpenRequest) -> Result<Arc<dyn Store>> {
    let capabilities = declared();
    request.check(&capabilities)?;
    let place = place::of(&config.path, request)?;
    place::make(&place)?;
    let file = place.join("data.redb");
    let cache = config.cache.unwrap_or_else(|| DEFAULT_CACHE.min(request.resources.memory));
    let database = Database::builder().set_cache_size(cache).create(&file).map_err(|e| unopened(&file, e))?;
    Ok(OrderedStore::open(RedbEngine::new(database)?, request, capabilities)?)
}

#[async_trait]
impl Backend for RedbBackend {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        Config::read(options)?;
        Ok(declared())
    }

    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let (store, resources) = (request.store.clone(), request.resources.clone());
        let named = |e: Error| e.in_store(&store).during("open");
        let config = Config::read(&request.options).map_err(named)?;
        resources.blocking(move || open(&config, &request)).await.map_err(named)
    }
}
