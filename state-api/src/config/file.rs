//! [`Descriptor`] from a TOML file.

use std::{env, fs, io, path::Path, time::Duration};

use statehold_core::{Durability, Error, ErrorKind, Limits, Model, Ownership, Result};
use toml::de::DeTable;

use super::{
    descriptor::{ArchiveDescriptor, Descriptor, MemoryDescriptor, StateDescriptor, StoreDescriptor},
    origin::Origin,
    source::Source,
    table::{Context, Table},
    variables::Environment,
};
use crate::archive::{CheckpointForm, Retention};

impl Descriptor {
    /// Reads a descriptor file; see [`Descriptor::from_toml`].
    ///
    /// # Errors
    /// `NotFound` or `InvalidInput` if it cannot be read; `InvalidInput` for the first mistake in it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|error| {
            let (kind, advice) = match error.kind() {
                io::ErrorKind::NotFound => (ErrorKind::NotFound, "check the path"),
                io::ErrorKind::InvalidData => (ErrorKind::InvalidInput, "a descriptor is TOML in UTF-8"),
                io::ErrorKind::IsADirectory => (ErrorKind::InvalidInput, "name the file, not its folder"),
                _ => (ErrorKind::InvalidInput, "make it readable for this user"),
            };
            Error::new(kind, format!("cannot read the descriptor `{shown}`")).advise(advice).because(error)
        })?;
        Self::from_toml(&text, &shown.to_string())
    }

    /// Reads a descriptor from TOML text; `origin` is the file name in errors.
    ///
    /// ```toml
    /// namespace = "orders"                  # required: whose data
    /// key_groups = 128                      # for ever; 1 to 32768
    ///
    /// [memory]                              # sizes: bytes, or text with B, KiB, MiB, GiB, kB, MB, GB
    /// engine = "256 MiB"                    # caches and write buffers of the engines, together
    /// write_buffer = "16 MiB"               # staged rows of each store; 0 writes through
    /// cache = "16 MiB"                      # hot values of each state; 0 keeps none
    ///
    /// [archive]
    /// url = "file:///var/lib/orders"        # where checkpoints go; without it there are none
    ///
    /// [stores.local]
    /// kind = "rocksdb"                      # required
    /// durability = "process"                # visible, process, power
    /// ownership = "exclusive"               # exclusive, shared, read-only
    /// write_buffer = "32 MiB"               # instead of [memory]'s
    /// limits = { key = 1024, sub = 1024, label = 255, value = "16 MiB", batch = "64 MiB" }
    /// options = { path = "${HOME}/data" }   # the engine's own; a relative path is to the working directory
    ///
    /// [states.counts]
    /// model = "kv"                          # required: kv, list, map
    /// store = "local"                       # may be left out where there is only one
    /// ttl = "7d"                            # ms, s, m, h, d
    /// revisions = false
    /// codec = "postcard"                    # postcard, json, bytes, or one of your own
    /// cache = "64 MiB"                      # instead of [memory]'s
    /// ```
    ///
    /// `${NAME}` in a string is the environment's variable, `$${` is a literal `${`.
    ///
    /// # Errors
    /// `InvalidInput` for the first mistake, with file, line, key path, and the allowed names.
    /// What came from the environment is never shown.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        read(text, origin, &|name| env::var(name))
    }
}

pub(super) fn read(text: &str, origin: &str, environment: Environment<'_>) -> Result<Descriptor> {
    let source = Source { origin, text };
    // Neither the parser's excerpt nor the error itself is kept: a line may hold a secret.
    let document = DeTable::parse(text).map_err(|e| {
        source
            .mistake(e.span().map_or(0, |s| s.start), "", format!("not TOML: {}", e.message()))
            .advise("see https://toml.io for the syntax")
    })?;
    let mut descriptor = namespace(Table::root(Context { source: &source, environment }, document.get_ref()))?;
    descriptor.origin = Origin::of(&source, document.get_ref());
    descriptor.validate()?;
    Ok(descriptor)
}

// In each table the unknown keys come first: a mistyped key is not a missing one.

fn namespace(mut root: Table<'_>) -> Result<Descriptor> {
    let name = root.text("namespace");
    let name = name.and_then(|n| root.required("namespace", n));
    let key_groups = root.integer("key_groups", "from 1 to 32768");
    let memory = root.table("memory");
    let archive = root.table("archive");
    let stores = root.table("stores");
    let states = root.table("states");
    root.done()?;
    let mut descriptor = Descriptor::new(&name?);
    descriptor.key_groups = key_groups?.unwrap_or(Descriptor::DEFAULT_KEY_GROUPS);
    descriptor.memory = memory?.map(self::memory).transpose()?.unwrap_or_default();
    descriptor.archive = archive?.map(self::archive).transpose()?;
    if let Some(stores) = stores? {
        for (name, table) in stores.named()? {
            descriptor.stores.insert(name.to_owned(), store(table)?);
        }
    }
    if let Some(states) = states? {
        for (name, table) in states.named()? {
            descriptor.states.insert(name.to_owned(), state(table)?);
        }
    }
    Ok(descriptor)
}

fn memory(mut table: Table<'_>) -> Result<MemoryDescriptor> {
    let (engine, write_buffer, cache) = (table.size("engine"), table.size("write_buffer"), table.size("cache"));
    table.done()?;
    let default = MemoryDescriptor::default();
    Ok(MemoryDescriptor {
        engine: engine?.unwrap_or(default.engine),
        write_buffer: write_buffer?.unwrap_or(default.write_buffer),
        cache: cache?.unwrap_or(default.cache),
    })
}

fn archive(mut table: Table<'_>) -> Result<ArchiveDescriptor> {
    let url = table.text("url");
    let url = url.and_then(|u| table.required("url", u));
    let form = table.choice("form", &CheckpointForm::ALL.map(|f| (f.as_str(), f)));
    let keep_last = table.integer::<u32>("keep_last", "1 or more");
    let keep_for = table.duration("keep_for");
    table.done()?;
    let (keep_last, keep_for) = (keep_last?, keep_for?);
    let retention = (keep_last.is_some() || keep_for.is_some()).then(|| Retention {
        keep_last: keep_last.unwrap_or(1) as usize,
        keep_for: keep_for.map(Duration::from_millis),
    });
    Ok(ArchiveDescriptor { url: url?, form: form?.unwrap_or_default(), retention })
}

fn store(mut table: Table<'_>) -> Result<StoreDescriptor> {
    let kind = table.text("kind");
    let kind = kind.and_then(|k| table.required("kind", k));
    let durability = table.choice("durability", &Durability::ALL.map(|d| (d.as_str(), d)));
    let ownership = table.choice("ownership", &Ownership::ALL.map(|o| (o.as_str(), o)));
    let write_buffer = table.size("write_buffer");
    let limits = table.table("limits");
    let options = table.table("options");
    table.done()?;
    let mut store = StoreDescriptor::new(&kind?);
    store.durability = durability?;
    store.ownership = ownership?.unwrap_or(store.ownership);
    store.write_buffer = write_buffer?;
    store.limits = limits?.map(self::limits).transpose()?.unwrap_or_default();
    store.options = options?.map(|t| t.options()).transpose()?.unwrap_or_default();
    Ok(store)
}

fn limits(mut table: Table<'_>) -> Result<Limits> {
    let (key, sub, label) = (table.size("key"), table.size("sub"), table.size("label"));
    let (value, batch) = (table.size("value"), table.size("batch"));
    table.done()?;
    let default = Limits::default();
    Ok(Limits {
        key: key?.unwrap_or(default.key),
        sub: sub?.unwrap_or(default.sub),
        label: label?.unwrap_or(default.label),
        value: value?.unwrap_or(default.value),
        batch: batch?.unwrap_or(default.batch),
    })
}

fn state(mut table: Table<'_>) -> Result<StateDescriptor> {
    let model = table.choice("model", &Model::ALL.map(|m| (m.as_str(), m)));
    let model = model.and_then(|m| table.required("model", m));
    let store = table.text("store");
    let ttl = table.duration("ttl");
    let revisions = table.boolean("revisions");
    let codec = table.text("codec");
    let cache = table.size("cache");
    table.done()?;
    let mut state = StateDescriptor::new(model?);
    state.store = store?;
    state.ttl = ttl?;
    state.revisions = revisions?.unwrap_or(state.revisions);
    state.codec = codec?.unwrap_or(state.codec);
    state.cache = cache?;
    Ok(state)
}
