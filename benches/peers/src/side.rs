//! [`Side`]: a store that is open through OpenDAL.

use opendal::Operator;
use statehold_bench_kit::{Access, case::Open, op::Step};
use statehold_core::{Error, Result};

use crate::{
    client::{Client, failed, path},
    engine::Engine,
};

/// The side `opendal`.
pub(crate) struct Side {
    operator: Operator,
    engine: Engine,
    durability: String,
    version: String,
}

impl Side {
    /// Opens what `open` asks for.
    ///
    /// # Errors
    /// `Unsupported` for a side or a kind of engine that is not here; what connecting fails with.
    pub(crate) async fn open(open: &Open) -> Result<Self> {
        if open.side != "opendal" {
            return Err(Error::unsupported(format!("there is no side `{}` here", open.side)));
        }
        let opened = Engine::open(open).await?;
        let version = format!("OpenDAL {} on {}", opendal::raw::VERSION, opened.version);
        Ok(Self { operator: opened.operator, engine: opened.engine, durability: opened.durability, version })
    }
}

impl Access for Side {
    type Client = Client;

    async fn client(&mut self) -> Result<Client> {
        // OpenDAL connects when it is first asked for something, which is not to be measured.
        self.operator.exists(&path(0)).await.map_err(failed)?;
        Ok(Client::new(self.operator.clone()))
    }

    async fn step(&mut self, _: Step) -> Result<()> {
        Err(Error::unsupported("OpenDAL has no checkpoints"))
    }

    fn durability(&self) -> String {
        self.durability.clone()
    }

    fn engine(&self) -> Option<String> {
        Some(self.version.clone())
    }

    async fn close(self) -> Result<()> {
        drop(self.operator);
        self.engine.close().await
    }
}
