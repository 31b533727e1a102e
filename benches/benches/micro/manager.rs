//! A manager over the memory engine: the lowest public door to write buffer, cache and many-key writes.

use bytes::Bytes;
use statehold::{
    Descriptor, KeyValueState, MemoryDescriptor, Model, StateDescriptor, StateManager, StoreDescriptor, ValueType,
    key::Key,
};
use tokio::runtime::{Builder, Runtime};

/// No generation of a bench fills it.
pub(crate) const ROOMY: usize = 1 << 30;

/// A manager with one state of `K` keys, and the runtime that drives it.
pub(crate) struct Held<K> {
    pub(crate) runtime: Runtime,
    pub(crate) manager: StateManager,
    pub(crate) state: KeyValueState<K, Bytes>,
}

impl<K: Key> Held<K> {
    /// With so many bytes of buffer and cache; 0 is none.
    pub(crate) fn with(write_buffer: usize, cache: usize) -> Self {
        // One thread: a flush happens when it is waited for, not beside what is measured.
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let memory = MemoryDescriptor { engine: 64 << 20, write_buffer, cache };
        let descriptor = Descriptor::new("micro")
            .memory(memory)
            .store("store", StoreDescriptor::new("memory"))
            .state("values", StateDescriptor::new(Model::Kv).codec("bytes"));
        let manager = runtime.block_on(StateManager::builder(descriptor).open()).unwrap();
        let state = runtime.block_on(manager.key_value_of("values", ValueType::bytes())).unwrap();
        Self { runtime, manager, state }
    }

    /// Puts all `entries`, one by one.
    pub(crate) fn put(&self, entries: &[(K, Bytes)]) {
        self.runtime.block_on(async {
            for (key, value) in entries {
                self.state.put(key, value.clone()).await.unwrap();
            }
        });
    }

    /// Commits what is staged.
    pub(crate) fn flush(&self) {
        self.runtime.block_on(self.manager.finish()).unwrap();
    }
}
