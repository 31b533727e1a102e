//! [`Double`]: a store that can only be cut and loaded, as the test says.

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    Address, Batch, Capabilities, Cell, Committed, Compacted, Durability, Error, KeyGroups, Limits, Loader, Millis, Op,
    Page, Reads, Result, ScanRequest, Snapshot, StateId, StateOperator, StateSpec, Store, WriterId,
};

type Take = dyn Fn() -> Box<dyn Snapshot> + Send + Sync;
type Load = dyn Fn(KeyGroups) -> Box<dyn Loader> + Send + Sync;

pub(crate) struct Double {
    groups: KeyGroups,
    capabilities: Capabilities,
    cut: Box<Take>,
    load: Box<Load>,
}

impl Double {
    pub(crate) fn new(
        groups: KeyGroups,
        cut: impl Fn() -> Box<dyn Snapshot> + Send + Sync + 'static,
        load: impl Fn(KeyGroups) -> Box<dyn Loader> + Send + Sync + 'static,
    ) -> Self {
        Self { groups, capabilities: Capabilities::in_process(), cut: Box::new(cut), load: Box::new(load) }
    }
}

fn not_here<T>() -> Result<T> {
    Err(Error::unsupported("this store is only cut and loaded"))
}

impl Reads for Double {
    fn get<'a>(&'a self, _: &'a Address) -> Op<'a, Option<Cell>> {
        Op::Ready(not_here())
    }

    fn get_many<'a>(&'a self, _: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::Ready(not_here())
    }

    fn scan<'a>(&'a self, _: &'a ScanRequest) -> Op<'a, Page> {
        Op::Ready(not_here())
    }
}

#[async_trait]
impl Store for Double {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn groups(&self) -> KeyGroups {
        self.groups
    }

    fn now(&self) -> Millis {
        Millis(0)
    }

    fn limits(&self) -> Limits {
        Limits::default()
    }

    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        not_here()
    }

    async fn register(&self, _: &StateSpec) -> Result<StateId> {
        not_here()
    }

    fn commit(&self, _: Batch) -> Op<'_, Committed> {
        Op::Ready(not_here())
    }

    async fn last_marker(&self, _: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        not_here()
    }

    fn reserve_ordinals(&self, _: u64) -> Option<u64> {
        None
    }
}

#[async_trait]
impl StateOperator for Double {
    async fn finish(&self) -> Result<Durability> {
        not_here()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        Ok((self.cut)())
    }

    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn Loader>> {
        Ok((self.load)(groups))
    }

    async fn compact(&self) -> Result<Compacted> {
        not_here()
    }

    async fn drop_state(&self, _: StateId) -> Result<()> {
        not_here()
    }

    async fn close(&self) -> Result<()> {
        not_here()
    }
}
