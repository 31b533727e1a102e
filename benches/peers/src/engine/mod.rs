//! [`Engine`]: what is behind OpenDAL, and how what was made there is removed.

mod postgres;
mod redis;
mod rocksdb;

use opendal::Operator;
use statehold_bench_kit::case::Open;
use statehold_core::{Error, Result};

/// The engine.
pub(crate) enum Engine {
    /// RocksDB, whose folder is the bench's.
    RocksDb,
    /// Redis, with what removes the keys.
    Redis(Box<redis::Keys>),
    /// PostgreSQL, with what drops the schema.
    Postgres(postgres::Schema),
}

/// An engine that was opened.
pub(crate) struct Opened {
    /// OpenDAL's access to it.
    pub(crate) operator: Operator,
    /// Itself.
    pub(crate) engine: Engine,
    /// The level that writes have.
    pub(crate) durability: String,
    /// Its name and version.
    pub(crate) version: String,
}

impl Engine {
    /// Opens it.
    ///
    /// # Errors
    /// `Unsupported` for another kind; what connecting fails with.
    pub(crate) async fn open(open: &Open) -> Result<Opened> {
        match open.kind.as_str() {
            "rocksdb" => rocksdb::open(open),
            "redis" => redis::open(open).await,
            "postgres" => postgres::open(open).await,
            kind => Err(Error::unsupported(format!("OpenDAL is not compared on `{kind}`"))),
        }
    }

    /// Removes what was made outside the bench's folder.
    ///
    /// # Errors
    /// What the engine fails with.
    pub(crate) async fn close(self) -> Result<()> {
        match self {
            Self::RocksDb => Ok(()),
            Self::Redis(keys) => keys.remove().await,
            Self::Postgres(schema) => schema.drop().await,
        }
    }
}

/// The server's address.
fn url(open: &Open) -> Result<&str> {
    let none = || Error::invalid(format!("no server for `{}`", open.kind)).advise("give its address as `url`");
    open.place.url.as_deref().ok_or_else(none)
}

/// The level that was asked for: of a server, it is the server's settings that give it.
fn asked(open: &Open) -> String {
    open.durability.clone().unwrap_or_else(|| "process".to_owned())
}
