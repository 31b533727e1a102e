//! [`OrderedStore`]: the handle, and what it answers at once.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Engine, EngineBatch,
    catalog::State,
    inner::Inner,
    layout::Table,
    meta::{self, Head},
};
use crate::{
    Address, Batch, Capabilities, Cell, Committed, KeyGroups, Limits, Millis, NativeArchive, Op, Page, Reads, Result,
    ScanRequest, SpecChange, StateId, StateSpec, Store, WriterId,
};

/// A [`Store`] over any [`Engine`].
///
/// Reads that the engine can answer without waiting and small commits below level `Power` are answered at
/// once, on the caller's thread; everything else takes one hop to [`Resources::pool`](crate::Resources::pool).
/// Work on the pool goes on to its end if the caller drops the future.
pub struct OrderedStore<E: Engine> {
    pub(super) inner: Arc<Inner<E>>,
    pub(super) native: Option<Box<dyn NativeArchive>>,
}

impl<E: Engine> std::fmt::Debug for OrderedStore<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderedStore")
            .field("name", &self.inner.name)
            .field("groups", &self.inner.groups)
            .field("durability", &self.inner.durability)
            .finish_non_exhaustive()
    }
}

impl<E: Engine> Reads for OrderedStore<E> {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        self.inner.get(at)
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        self.inner.get_many(at)
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        self.inner.scan(request)
    }
}

#[async_trait]
impl<E: Engine> Store for OrderedStore<E> {
    fn capabilities(&self) -> &Capabilities {
        &self.inner.capabilities
    }

    fn groups(&self) -> KeyGroups {
        self.inner.groups
    }

    fn now(&self) -> Millis {
        self.inner.clock.now()
    }

    fn limits(&self) -> Limits {
        self.inner.limits
    }

    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        self.inner.check_open().map_err(|e| self.inner.named(e))?;
        Ok(self.inner.catalog.read().list())
    }

    async fn register(&self, spec: &StateSpec) -> Result<StateId> {
        let spec = spec.clone();
        self.inner.run(move |inner| inner.register(spec)).finish().await
    }

    fn commit(&self, batch: Batch) -> Op<'_, Committed> {
        self.inner.commit(batch)
    }

    async fn last_marker(&self, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        self.inner.run(move |inner| inner.last_marker(writer)).finish().await
    }

    fn reserve_ordinals(&self, count: u64) -> Option<u64> {
        self.inner.check_writable().ok()?;
        Some(self.inner.ordinals.fetch_add(count, std::sync::atomic::Ordering::AcqRel))
    }

    fn native(&self) -> Option<&dyn NativeArchive> {
        self.native.as_deref()
    }

    fn memory(&self) -> u64 {
        self.inner.engine().map_or(0, |engine| engine.memory())
    }

    async fn engine_version(&self) -> Result<Option<String>> {
        Ok(self.inner.engine().map_err(|e| self.inner.named(e))?.version())
    }
}

impl<E: Engine> Inner<E> {
    fn register(&self, spec: StateSpec) -> Result<StateId> {
        self.check_open()?;
        spec.check_for(&self.capabilities, &self.limits)?;
        let mut writer = self.lock();
        let found = self.catalog.read().by_name(&spec.name).cloned();
        let (id, table) = match &found {
            Some(state) => match state.spec.check(&spec)? {
                SpecChange::Same => return Ok(state.form.id),
                SpecChange::Upgrade => (state.form.id, state.form.table),
            },
            None => {
                let id = StateId(writer.head.next_state);
                (id, Table::of(id))
            }
        };
        self.check_writable().map_err(|e| e.in_state(&spec.name))?;
        let head = Head { next_state: writer.head.next_state.max(id.0 + 1), ..writer.head };
        let state = State::at(id, table, spec);
        let row = meta::seal_state(&state)?;
        self.write_head(&mut writer, head, self.level(), |batch| {
            batch.put(&meta::catalog_key(id), &row);
            Ok(())
        })?;
        self.catalog.write().put(state);
        Ok(id)
    }
}
