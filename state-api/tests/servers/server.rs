//! [`Server`]: either engine's server, for tests that hold on both.

use std::sync::Arc;

use statehold::{
    core::{Backend, OpenRequest, Options, Result, Store},
    testing::servers::{PostgresServer, RedisServer},
};
use statehold_postgres::PostgresBackend;
use statehold_redis::RedisBackend;

use crate::{frames::Protocol, support::open_on};

/// Runs each test on a server of each engine, as `test::engine`.
macro_rules! on_both {
    ($(async fn $name:ident($server:ident: Server) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "some tests need nothing of it")]
            use super::*;
            async fn run($server: crate::server::Server) $body
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run(crate::server::Server::postgres()).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                run(crate::server::Server::redis()).await;
            }
        }
    )*};
}
pub(crate) use on_both;

#[derive(Debug)]
pub(crate) enum Server {
    Postgres(PostgresServer),
    Redis(RedisServer),
}

/// Calls a method that both have.
macro_rules! either {
    ($server:expr, $method:ident) => {
        match $server {
            Server::Postgres(server) => server.$method(),
            Server::Redis(server) => server.$method(),
        }
    };
}

impl Server {
    pub(crate) fn postgres() -> Self {
        Self::Postgres(PostgresServer::start().unwrap())
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(RedisServer::start().unwrap())
    }

    pub(crate) fn protocol(&self) -> Protocol {
        match self {
            Self::Postgres(_) => Protocol::Postgres,
            Self::Redis(_) => Protocol::Resp,
        }
    }

    /// The engine, as descriptors call it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Redis(_) => "redis",
        }
    }

    pub(crate) fn url(&self) -> String {
        either!(self, url)
    }

    pub(crate) fn port(&self) -> u16 {
        either!(self, port)
    }

    pub(crate) fn kill(&mut self) {
        either!(self, kill).unwrap();
    }

    pub(crate) fn stop(&mut self) {
        either!(self, stop).unwrap();
    }

    pub(crate) fn restart(&mut self) {
        either!(self, restart).unwrap();
    }

    pub(crate) fn pause(&self) {
        either!(self, pause);
    }

    pub(crate) fn resume(&self) {
        either!(self, resume);
    }

    /// Options of a store on it, by way of `port`.
    pub(crate) fn options_at(&self, port: u16) -> Options {
        self.protocol().options(&self.url().replace(&format!(":{}", self.port()), &format!(":{port}")))
    }

    pub(crate) fn options(&self) -> Options {
        self.options_at(self.port())
    }

    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>> {
        self.open_with(self.options(), |_| {}).await
    }

    pub(crate) async fn open_with(
        &self,
        options: Options,
        change: impl FnOnce(&mut OpenRequest),
    ) -> Result<Arc<dyn Store>> {
        open_on(&*self.protocol().backend(), options, change).await
    }
}

impl Protocol {
    pub(crate) fn options(self, url: &str) -> Options {
        let options = Options::new().with("url", url).with("timeout_ms", 10_000);
        if self == Self::Postgres { options.with("tls", "disable") } else { options }
    }

    pub(crate) fn backend(self) -> Box<dyn Backend> {
        match self {
            Self::Postgres => Box::new(PostgresBackend::new()),
            Self::Resp => Box::new(RedisBackend::new()),
        }
    }
}
