//! The store that a bench of one engine works on.

use std::path::Path;

use statehold::{Descriptor, Durability, MemoryDescriptor, Model, StateDescriptor, StoreDescriptor};

/// A store of `kind` in `folder` with states for all rows.
pub(crate) fn descriptor(kind: &str, folder: &Path, memory: MemoryDescriptor) -> Descriptor {
    let mut store = StoreDescriptor::new(kind).durability(Durability::Visible);
    if kind == "rocksdb" {
        store = store.option("path", folder.join("store").to_string_lossy().into_owned());
    }
    let bytes = |model| StateDescriptor::new(model).codec("bytes");
    Descriptor::new("bench")
        .archive(&format!("file://{}", folder.join("archive").display()))
        .memory(memory)
        .store("store", store)
        .state("values", bytes(Model::Kv))
        .state("maps", bytes(Model::Map))
        .state("lists", bytes(Model::List))
}
