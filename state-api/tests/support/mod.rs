//! Engines to test on, and words that the tests are written in.
#![allow(dead_code, reason = "each test program uses its part")]

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use statehold::{
    Descriptor, Durability, Error, ErrorKind, ManagerBuilder, MemoryDescriptor, Model, Registry, Result,
    StateDescriptor, StateManager, StoreDescriptor,
    testing::{FaultBackend, FaultSwitch},
};
use tempfile::TempDir;

/// Runs each test on every engine that was compiled in, as `test::engine`.
macro_rules! on_every_engine {
    ($($(#[$doc:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "some tests need nothing of it")]
            use super::*;
            $(#[$doc])*
            async fn run($place: crate::support::Place) $body
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn memory() {
                run(crate::support::Place::new("memory")).await;
            }
            #[cfg(feature = "rocksdb")]
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn rocksdb() {
                run(crate::support::Place::new("rocksdb")).await;
            }
        }
    )*};
}
pub(crate) use on_every_engine;

/// An engine, and where its data lies as long as this lives.
pub(crate) struct Place {
    pub(crate) kind: &'static str,
    pub(crate) registry: Registry,
    pub(crate) folder: TempDir,
    /// Fails commits and reads of all stores here.
    pub(crate) faults: FaultSwitch,
}

impl Place {
    pub(crate) fn new(kind: &'static str) -> Self {
        let (backend, faults) = FaultBackend::new(Registry::default().get(kind).unwrap().clone());
        Self { kind, registry: Registry::empty().with(Arc::new(backend)), folder: tempfile::tempdir().unwrap(), faults }
    }

    /// A store of the engine, under the name `store`.
    pub(crate) fn store(&self, store: &str) -> StoreDescriptor {
        let descriptor = StoreDescriptor::new(self.kind);
        if self.kind == "memory" {
            return descriptor;
        }
        descriptor.option("path", self.folder.path().join(store).to_str().unwrap())
    }

    /// One store `local`, one state of each model, checkpoints beside.
    pub(crate) fn descriptor(&self) -> Descriptor {
        Descriptor::new("orders")
            .archive(&format!("file://{}", self.folder.path().join("archive").display()))
            .store("local", self.store("local"))
            .state("kv", StateDescriptor::new(Model::Kv))
            .state("list", StateDescriptor::new(Model::List))
            .state("map", StateDescriptor::new(Model::Map))
            .state("versioned", StateDescriptor::new(Model::Kv).revisions())
    }

    /// The same with a write buffer and a cache of these sizes.
    pub(crate) fn sized(&self, write_buffer: usize, cache: usize) -> Descriptor {
        self.descriptor().memory(MemoryDescriptor { write_buffer, cache, ..MemoryDescriptor::default() })
    }

    pub(crate) fn builder(&self, descriptor: Descriptor) -> ManagerBuilder {
        StateManager::builder(descriptor).registry(self.registry.clone())
    }

    pub(crate) async fn open(&self, descriptor: Descriptor) -> StateManager {
        self.builder(descriptor).open().await.unwrap()
    }

    /// Whether content outlives its process.
    pub(crate) fn is_persistent(&self) -> bool {
        self.kind != "memory"
    }

    /// The same descriptor with durability `visible`.
    pub(crate) fn visible(&self, mut descriptor: Descriptor) -> Descriptor {
        descriptor.stores.values_mut().for_each(|s| s.durability = Some(Durability::Visible));
        descriptor
    }
}

/// Write buffers that flush never, all the time, and that are not there.
pub(crate) const BUFFERS: [usize; 3] = [16 << 20, 2 << 10, 0];

/// Buffers with caches that hold everything, little, and nothing.
pub(crate) const SIZES: [(usize, usize); 6] =
    [(16 << 20, 16 << 20), (2 << 10, 16 << 20), (2 << 10, 4 << 10), (2 << 10, 0), (16 << 20, 0), (0, 16 << 20)];

/// The kind of an error, and that it says what to do.
#[track_caller]
pub(crate) fn refused<T>(outcome: Result<T>) -> (ErrorKind, String) {
    let error: Error = outcome.err().expect("an error");
    assert!(error.advice().is_some_and(|a| !a.is_empty()), "no advice: {error}");
    (error.kind(), error.to_string())
}

/// Polls a future once; its answer, if it has one already. The future is then dropped.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match Pin::as_mut(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
