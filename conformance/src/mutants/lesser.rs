//! [`lesser`]: an honest backend that can do little, so that the refusals are tested too.

use std::sync::Arc;

use async_trait::async_trait;
use statehold_core::{
    ArchiveSink, ArchiveSource, AtomicScope, Backend, Batch, Capabilities, Committed, Error, KeyGroups, Loader, Op,
    Ownership, Result, Snapshot, StateId, StateSpec, Store, WriterId,
};

use super::fault::{Fault, with};

/// `backend` without revisions, TTL, markers, snapshots, loading, native archives and read-only owners, whose
/// batches are atomic within one key group. It is no mutant: it passes what it declares and refuses
/// the rest.
#[must_use]
pub fn lesser(backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
    with(backend, Lesser)
}

struct Lesser;

fn undeclared<T>(what: &str) -> Result<T> {
    Err(Error::unsupported(format!("{what} are not declared")).advise("choose another engine"))
}

#[async_trait]
impl Fault for Lesser {
    fn declare(&self, honest: Capabilities) -> Capabilities {
        Capabilities {
            scope: AtomicScope::KeyGroup,
            ownership: vec![Ownership::Exclusive],
            revisions: false,
            ttl: false,
            markers: false,
            snapshots: false,
            loading: false,
            native_archive: false,
            durability: honest.durability.into_iter().take(1).collect(),
            ..honest
        }
    }

    async fn register(&self, store: &dyn Store, spec: &StateSpec) -> Result<StateId> {
        if spec.revisions || spec.ttl {
            return undeclared("revisions and ttl");
        }
        store.register(spec).await
    }

    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        if batch.marker.is_some() {
            return Op::Ready(undeclared("markers"));
        }
        if batch.groups().len() > 1 {
            return Op::Ready(undeclared("batches over several key groups"));
        }
        store.commit(batch)
    }

    async fn last_marker(&self, _: &dyn Store, _: WriterId) -> Result<Option<(u64, Option<bytes::Bytes>)>> {
        undeclared("markers")
    }

    async fn snapshot(&self, _: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        undeclared("snapshots")
    }

    async fn archive(&self, _: &Arc<dyn Store>, _: KeyGroups, _: &mut dyn ArchiveSink) -> Result<()> {
        undeclared("snapshots")
    }

    async fn loader(&self, _: &dyn Store, _: KeyGroups) -> Result<Box<dyn Loader>> {
        undeclared("loading")
    }

    async fn recover(&self, _: &dyn Store, _: KeyGroups, _: &mut dyn ArchiveSource) -> Result<()> {
        undeclared("loading")
    }
}
