//! [`Descriptor`]: which engine holds which state, as plain data.

use std::{collections::BTreeMap, fmt};

use statehold_core::{Durability, Limits, Model, Options, Ownership};

use super::origin::Origin;
use crate::archive::{CheckpointForm, Retention};

/// Everything a manager needs to open a namespace: from code, or from a TOML file
/// ([`Descriptor::from_file`]).
///
/// ```
/// use statehold::{Descriptor, Model, StateDescriptor, StoreDescriptor};
/// let descriptor = Descriptor::new("orders")
///     .store("local", StoreDescriptor::new("memory"))
///     .state("counts", StateDescriptor::new(Model::Kv));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Descriptor {
    /// Whose data this is.
    pub namespace: String,
    /// How many key groups the namespace has, for ever; 128 unless set.
    pub key_groups: u16,
    /// Where checkpoints go; without it there are none.
    pub archive: Option<ArchiveDescriptor>,
    /// How much memory is used.
    pub memory: MemoryDescriptor,
    /// The stores, by name.
    pub stores: BTreeMap<String, StoreDescriptor>,
    /// The states, by name.
    pub states: BTreeMap<String, StateDescriptor>,
    /// The file it was read from, for errors; no part of equality.
    pub(super) origin: Origin,
}

/// Where checkpoints go.
#[derive(Clone, PartialEq, Eq)]
pub struct ArchiveDescriptor {
    /// `file:///path` or `memory://name`.
    pub url: String,
    /// What checkpoints are kept as.
    pub form: CheckpointForm,
    /// Which checkpoints stay; the others are pruned after each one that is taken. `None` keeps all.
    pub retention: Option<Retention>,
}

/// Shows the scheme only: other URLs may carry credentials (contract OWN-4).
impl fmt::Debug for ArchiveDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.split_once(':').map_or("", |(scheme, _)| scheme);
        f.debug_struct("ArchiveDescriptor")
            .field("url", &format_args!("{scheme}:…"))
            .field("form", &self.form)
            .field("retention", &self.retention)
            .finish()
    }
}

/// Memory of one manager, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryDescriptor {
    /// What the engines of the process may use together: caches and write buffers of their own.
    pub engine: usize,
    /// Staged rows of each store. 0 writes every change through at once.
    pub write_buffer: usize,
    /// Hot values of each state. 0 keeps none.
    pub cache: usize,
}

impl Default for MemoryDescriptor {
    fn default() -> Self {
        Self { engine: 256 << 20, write_buffer: 16 << 20, cache: 16 << 20 }
    }
}

/// One store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreDescriptor {
    /// The engine: `memory`, `rocksdb`, or one that was registered.
    pub kind: String,
    /// What `finish` promises; `None` takes the strongest of process and visible that the engine gives.
    pub durability: Option<Durability>,
    /// Who may write.
    pub ownership: Ownership,
    /// What sizes are accepted.
    pub limits: Limits,
    /// Staged rows in bytes, instead of the manager's.
    pub write_buffer: Option<usize>,
    /// The engine's own settings.
    pub options: Options,
}

/// One state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDescriptor {
    /// KV, list or map.
    pub model: Model,
    /// The store that holds it; may be left out where there is only one.
    pub store: Option<String>,
    /// Entries expire this many milliseconds after they were written.
    pub ttl: Option<u64>,
    /// Records carry revisions, for conditions on them. Writes then go through at once.
    pub revisions: bool,
    /// How values are encoded: `postcard`, `json`, `bytes`, or the name of a codec of your own.
    pub codec: String,
    /// Hot values in bytes, instead of the manager's.
    pub cache: Option<usize>,
}

impl Descriptor {
    /// The key groups of a namespace unless set.
    pub const DEFAULT_KEY_GROUPS: u16 = 128;

    /// An empty descriptor.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            key_groups: Self::DEFAULT_KEY_GROUPS,
            archive: None,
            memory: MemoryDescriptor::default(),
            stores: BTreeMap::new(),
            states: BTreeMap::new(),
            origin: Origin::default(),
        }
    }

    /// The store that holds a state: the one it names, else the only one.
    #[must_use]
    pub fn store_of(&self, state: &str) -> Option<&str> {
        match &self.states.get(state)?.store {
            Some(name) => Some(name),
            None if self.stores.len() == 1 => self.stores.keys().next().map(String::as_str),
            None => None,
        }
    }

    /// The same with a store.
    #[must_use]
    pub fn store(mut self, name: &str, store: StoreDescriptor) -> Self {
        self.stores.insert(name.to_owned(), store);
        self
    }

    /// The same with a state.
    #[must_use]
    pub fn state(mut self, name: &str, state: StateDescriptor) -> Self {
        self.states.insert(name.to_owned(), state);
        self
    }

    /// The same with checkpoints at `url`.
    #[must_use]
    pub fn archive(mut self, url: &str) -> Self {
        let (form, retention) = self.archive.map_or_else(Default::default, |a| (a.form, a.retention));
        self.archive = Some(ArchiveDescriptor { url: url.to_owned(), form, retention });
        self
    }

    /// The same with an archive, if there is one, whose checkpoints have this form.
    #[must_use]
    pub fn checkpoint_form(mut self, form: CheckpointForm) -> Self {
        if let Some(archive) = &mut self.archive {
            archive.form = form;
        }
        self
    }

    /// The same with an archive, if there is one, that keeps only some checkpoints.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        if let Some(archive) = &mut self.archive {
            archive.retention = Some(retention);
        }
        self
    }

    /// The same with other memory sizes.
    #[must_use]
    pub fn memory(mut self, memory: MemoryDescriptor) -> Self {
        self.memory = memory;
        self
    }
}

impl StoreDescriptor {
    /// A store of `kind` with everything else as it is by default.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            durability: None,
            ownership: Ownership::Exclusive,
            limits: Limits::default(),
            write_buffer: None,
            options: Options::new(),
        }
    }

    /// The same with an option of the engine's.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<statehold_core::OptionValue>) -> Self {
        self.options.set(name, value);
        self
    }

    /// The same with a durability level.
    #[must_use]
    pub fn durability(mut self, level: Durability) -> Self {
        self.durability = Some(level);
        self
    }

    /// The same with another write buffer, in bytes; 0 writes through.
    #[must_use]
    pub fn write_buffer(mut self, bytes: usize) -> Self {
        self.write_buffer = Some(bytes);
        self
    }
}

impl StateDescriptor {
    /// A state of `model` in the only store.
    #[must_use]
    pub fn new(model: Model) -> Self {
        Self { model, store: None, ttl: None, revisions: false, codec: "postcard".into(), cache: None }
    }

    /// The same in the store `name`.
    #[must_use]
    pub fn in_store(mut self, name: &str) -> Self {
        self.store = Some(name.to_owned());
        self
    }

    /// The same with a time to live, in milliseconds.
    #[must_use]
    pub fn ttl(mut self, millis: u64) -> Self {
        self.ttl = Some(millis);
        self
    }

    /// The same with revisions.
    #[must_use]
    pub fn revisions(mut self) -> Self {
        self.revisions = true;
        self
    }

    /// The same with another value codec.
    #[must_use]
    pub fn codec(mut self, name: &str) -> Self {
        self.codec = name.to_owned();
        self
    }

    /// The same with another cache, in bytes; 0 keeps none.
    #[must_use]
    pub fn cache(mut self, bytes: usize) -> Self {
        self.cache = Some(bytes);
        self
    }
}
