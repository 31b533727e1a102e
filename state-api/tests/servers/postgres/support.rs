//! Words that the tests are written in.

use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use statehold::{
    core::{OpenRequest, Options, Result, Store},
    testing::servers::PostgresServer,
};
use statehold_postgres::PostgresBackend;

use crate::{frames::Protocol, support::open_on};

pub(crate) fn options(url: &str) -> Options {
    Protocol::Postgres.options(url)
}

pub(crate) async fn open(options: Options) -> Result<Arc<dyn Store>> {
    open_with(options, |_| {}).await
}

pub(crate) async fn open_with(options: Options, change: impl FnOnce(&mut OpenRequest)) -> Result<Arc<dyn Store>> {
    open_on(&PostgresBackend::new(), options, change).await
}

/// A connection past the backend.
pub(crate) async fn admin(server: &PostgresServer) -> PgConnection {
    PgConnection::connect(&server.url()).await.unwrap()
}
