//! [`RedisStore`]: the handle.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    Address, Batch, Capabilities, Cell, Committed, KeyGroups, Limits, Millis, Op, Page, Reads, Result, ScanRequest,
    SpecChange, StateId, StateSpec, Store, WriterId,
};

use crate::{check, inner::Inner};

/// An opened store. Every operation but a close works on the server's own time: dropping its future stops nothing
/// that was sent.
pub(crate) struct RedisStore {
    pub(crate) inner: Arc<Inner>,
}

impl Reads for RedisStore {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        Op::boxed(async move { Ok(self.inner.get_many(std::slice::from_ref(at)).await?.pop().flatten()) })
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::boxed(self.inner.get_many(at))
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(self.inner.scan(request))
    }
}

#[async_trait]
impl Store for RedisStore {
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
        let catalog = if self.inner.exclusive {
            self.inner.check_open().map(|()| self.inner.catalog())
        } else {
            self.inner.refresh().await
        };
        Ok(catalog.map_err(|e| self.inner.named(e))?.list())
    }

    async fn register(&self, spec: &StateSpec) -> Result<StateId> {
        self.inner.register(spec).await.map_err(|e| self.inner.named(e))
    }

    fn commit(&self, batch: Batch) -> Op<'_, Committed> {
        let inner = &self.inner;
        Op::boxed(async move { inner.commit(&batch).await.map_err(|e| inner.named(e)) })
    }

    async fn last_marker(&self, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        self.inner.last_marker(writer).await.map_err(|e| self.inner.named(e))
    }

    /// `None`: the scripts number elements.
    fn reserve_ordinals(&self, _count: u64) -> Option<u64> {
        None
    }

    async fn engine_version(&self) -> Result<Option<String>> {
        let version = async { check::version(&*self.inner.link()?).await };
        version.await.map_err(|e| self.inner.named(e))
    }
}

impl Inner {
    async fn register(&self, spec: &StateSpec) -> Result<StateId> {
        self.check_open()?;
        spec.check_for(&self.capabilities, &self.limits)?;
        if !self.exclusive && self.catalog().by_name(&spec.name).is_none() {
            self.refresh().await?;
        }
        let mut id = None;
        self.change(|catalog| {
            id = catalog.by_name(&spec.name).map(|(id, _)| id);
            if let Some((found, known)) = catalog.by_name(&spec.name)
                && known.check(spec)? == SpecChange::Same
            {
                id = Some(found);
                return Ok(None);
            }
            self.check_writable().map_err(|e| e.in_state(&spec.name))?;
            let number = id.unwrap_or_else(|| catalog.number());
            id = Some(number);
            catalog.states.insert(number.0, spec.clone());
            Ok(Some(()))
        })
        .await?;
        id.ok_or_else(crate::error::unexpected)
    }
}
