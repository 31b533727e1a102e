//! [`MemoryBackend`]: what a process keeps, by namespace and key groups.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use statehold_core::{
    Backend, Capabilities, Durability, Error, ErrorKind, KeyGroups, Name, OpenRequest, OptionReader, Options,
    Ownership, Result, Store, ordered::OrderedStore,
};

use crate::{
    content::Content,
    engine::{Held, MemoryEngine},
};

/// Stores in the memory of this process.
///
/// A clone is the same backend. Content lives as long as the backend: a store that is closed and opened
/// again finds what it had. A range of key groups is open for writing once at a time; `ReadOnly` looks at what
/// was there when it was opened.
///
/// ```
/// use statehold_core::{Backend, Options};
/// use statehold_memory::MemoryBackend;
///
/// let capabilities = MemoryBackend::new().capabilities(&Options::new())?;
/// assert!(capabilities.revisions && capabilities.ttl);
/// # Ok::<(), statehold_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryBackend {
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// One store's content, and whether it is open.
#[derive(Debug)]
struct Kept {
    store: String,
    namespace: Name,
    groups: KeyGroups,
    content: Arc<RwLock<Content>>,
    open: Weak<()>,
}

impl MemoryBackend {
    /// The name of this kind in descriptors.
    pub const KIND: &'static str = "memory";

    /// A backend that keeps nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn engine(&self, request: &OpenRequest) -> Result<MemoryEngine> {
        let mut kept = self.kept.lock();
        let of_store = |k: &Kept| k.namespace == request.namespace && k.store == request.store;
        let range = request.groups.range();
        if let Some(other) =
            kept.iter_mut().find(|k| of_store(k) && k.groups.overlaps(&request.groups) && k.groups.range() != range)
        {
            return Err(Error::invalid(format!("key groups {} overlap those kept, {}", request.groups, other.groups))
                .about("groups")
                .advise("open the ranges that are kept; rescale by archive and recover"));
        }
        // The number of key groups is checked against what the content itself says.
        let found = kept.iter_mut().find(|k| of_store(k) && k.groups.range() == range);
        if request.ownership == Ownership::ReadOnly {
            let content = found.map(|k| k.content.read().clone()).unwrap_or_default();
            return Ok(MemoryEngine::new(Arc::new(RwLock::new(content)), None));
        }
        let lock = Arc::new(());
        let content = match found {
            Some(k) if k.open.strong_count() > 0 => {
                return Err(Error::new(ErrorKind::Conflict, format!("key groups {} are open already", k.groups))
                    .advise("close the other store first; one owner holds a range"));
            }
            Some(k) => {
                k.open = Arc::downgrade(&lock);
                Arc::clone(&k.content)
            }
            None => {
                let content = Arc::<RwLock<Content>>::default();
                kept.push(Kept {
                    store: request.store.clone(),
                    namespace: request.namespace.clone(),
                    groups: request.groups,
                    content: Arc::clone(&content),
                    open: Arc::downgrade(&lock),
                });
                content
            }
        };
        Ok(MemoryEngine::new(content, Some(Held(lock))))
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        OptionReader::new(Self::KIND, options).done()?;
        Ok(Capabilities { durability: vec![Durability::Visible], ..Capabilities::in_process() })
    }

    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let named = |e: Error| e.in_store(&request.store).during("open");
        let capabilities = self.capabilities(&request.options).map_err(named)?;
        request.check(&capabilities)?;
        let engine = self.engine(&request).map_err(named)?;
        Ok(OrderedStore::open(engine, &request, capabilities)?)
    }
}
