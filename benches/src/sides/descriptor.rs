//! The store of a side: the descriptor's, in a place of the bench's own.

use statehold::{
    Descriptor, Durability, Error, MemoryDescriptor, Model, Result, StateDescriptor, StoreDescriptor,
    core::OptionReader,
};
use statehold_bench_kit::case::Open;

/// The one store of a side.
pub(super) const STORE: &str = "store";

/// The level that the bench asked for.
pub(super) fn durability(open: &Open) -> Result<Durability> {
    let name = open.durability.as_deref().unwrap_or("visible");
    let known = [Durability::Visible, Durability::Process, Durability::Power];
    let found = known.into_iter().find(|level| level.as_str() == name);
    found.ok_or_else(|| Error::invalid(format!("there is no durability `{name}`")))
}

/// The descriptor that the bench was given.
fn given(open: &Open) -> Result<(Descriptor, StoreDescriptor)> {
    let given = Descriptor::from_file(&open.config)?;
    let store = given.stores.get(&open.store).cloned();
    let store = store.ok_or_else(|| Error::invalid(format!("there is no store `{}`", open.store)))?;
    Ok((given, store))
}

/// The descriptor's store in the open's place; `again` tells one store there from the next.
pub(super) fn store(open: &Open, again: usize) -> Result<StoreDescriptor> {
    let (_, mut store) = given(open)?;
    let name = format!("{}_{again}", open.place.name);
    let folder = open.place.dir.join(format!("store{again}")).display().to_string();
    let asked = store.options.clone();
    let mut options = OptionReader::new(&store.kind, &asked);
    match (&*store.kind, &open.place.url) {
        ("postgres", Some(url)) => {
            // The bench's own server has no certificate.
            if options.text("url")?.is_none() {
                store.options.set("tls", "disable");
            }
            store.options.set("url", url.as_str());
            store.options.set("schema", name);
        }
        ("redis", Some(urls)) => {
            let cluster = options.boolean("cluster")?.unwrap_or(false);
            store.options.set(if cluster { "urls" } else { "url" }, urls.as_str());
            store.options.set("prefix", format!("{name}:"));
        }
        ("rocksdb" | "redb", _) => store.options.set("path", folder),
        _ if options.text("path").is_ok_and(|path| path.is_some()) => store.options.set("path", folder),
        _ => {}
    }
    store.durability = Some(durability(open)?);
    Ok(store)
}

/// Memory as the descriptor shares it out, in the open's size; without buffer and cache all is the engine's. Lists are
/// not cached: where there is nothing else, the cache's share is the engine's.
fn memory(open: &Open, direct: bool) -> Result<MemoryDescriptor> {
    if direct {
        return Ok(MemoryDescriptor { engine: open.memory, write_buffer: 0, cache: 0 });
    }
    let MemoryDescriptor { mut engine, write_buffer, mut cache } = given(open)?.0.memory;
    if open.case.workload == "lists" {
        engine += std::mem::take(&mut cache);
    }
    let total = (engine + write_buffer + cache).max(1) as f64;
    let share = |part: usize| (part as f64 / total * open.memory as f64) as usize;
    Ok(MemoryDescriptor { engine: share(engine), write_buffer: share(write_buffer), cache: share(cache) })
}

/// Whether a buffer keeps writes back: what is acknowledged is then kept only once it is finished.
pub(super) fn stages(descriptor: &Descriptor) -> bool {
    let buffer = descriptor.memory.write_buffer;
    descriptor.stores.values().any(|store| {
        store.ownership == statehold::core::Ownership::Exclusive && store.write_buffer.unwrap_or(buffer) > 0
    })
}

/// A descriptor with states for all workloads.
pub(super) fn descriptor(open: &Open, direct: bool, again: usize) -> Result<Descriptor> {
    let mut store = store(open, again)?;
    if direct {
        store.write_buffer = None;
    }
    let bytes = |model| StateDescriptor::new(model).codec("bytes");
    Ok(Descriptor::new("bench")
        .archive(&format!("file://{}", open.place.dir.join("archive").display()))
        .memory(memory(open, direct)?)
        .store(STORE, store)
        .state("values", bytes(Model::Kv))
        .state("maps", bytes(Model::Map))
        .state("lists", bytes(Model::List))
        .state("counts", StateDescriptor::new(Model::Kv)))
}
