//! What the runtime owes its callers, piece by piece.

mod barrier;
mod buffer;
mod flush;
mod gate;

use std::sync::Arc;

use bytes::Bytes;
use statehold_core::{
    Address, Backend, Cell, Durability, KeyGroup, KeyGroups, Limits, Model, OpenRequest, Options, Ownership, Resources,
    StateId, StateSpec, Unclean, WriterId,
};

use super::StoreRuntime;
use crate::{
    TokioPool,
    state::core::StateCore,
    testing::{FaultBackend, FaultSwitch},
};

fn cell(value: &'static str) -> Cell {
    Cell::new(value)
}

fn at(state: StateId, key: &str) -> Address {
    Address { group: KeyGroup(0), state, key: Bytes::copy_from_slice(key.as_bytes()), sub: Bytes::new() }
}

/// A memory store that fails when told, under a runtime with a buffer of `bytes`.
async fn runtime(bytes: usize) -> (Arc<StoreRuntime>, FaultSwitch) {
    let (backend, switch) = FaultBackend::new(Arc::new(statehold_memory::MemoryBackend::new()));
    (runtime_on(&backend, bytes).await, switch)
}

/// The backend's store under a runtime with a buffer of `bytes`.
async fn runtime_on(backend: &dyn Backend, bytes: usize) -> Arc<StoreRuntime> {
    let request = OpenRequest {
        store: "s".into(),
        namespace: "n".parse().unwrap(),
        groups: KeyGroups::all(1).unwrap(),
        ownership: Ownership::Exclusive,
        durability: Durability::Visible,
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options: Options::new(),
        resources: Resources::new(TokioPool::current(2)),
    };
    let resources = request.resources.clone();
    let store = backend.open(request).await.unwrap();
    StoreRuntime::new("s", store, resources, bytes, WriterId(1))
}

/// A state of byte strings.
async fn state(runtime: &Arc<StoreRuntime>, name: &str) -> StateCore {
    cached_state(runtime, name, 0).await
}

/// A state of byte strings with a cache.
async fn cached_state(runtime: &Arc<StoreRuntime>, name: &str, cache: usize) -> StateCore {
    let spec = StateSpec::bytes(name, Model::Kv).unwrap();
    let id = runtime.store.register(&spec).await.unwrap();
    StateCore::new(spec, id, runtime.clone(), None, cache)
}
