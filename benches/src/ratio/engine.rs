//! [`Engine`]: where both sides work: a folder, or a private server.

use statehold::{
    Descriptor, Durability, Error, MemoryDescriptor, Result, StoreDescriptor,
    testing::servers::{PostgresServer, RedisServer},
};
use tempfile::TempDir;

use super::{
    Input, Times, Wanted, measure, raw_postgres::RawPostgres, raw_redis::RawRedis, raw_rocksdb::RawRocks, typed::Typed,
};
use crate::{scratch, streaming};

const MEMORY: usize = 512 << 20;

/// One engine, empty for each measurement.
pub(super) enum Engine {
    RocksDb(TempDir),
    /// Syncs each commit at `process`; its settings say which level it is.
    Redis(RedisServer),
    Postgres(PostgresServer),
}

fn fresh<'a>(folder: &'a mut TempDir) -> Result<&'a TempDir> {
    *folder = scratch()?;
    Ok(folder)
}

impl Engine {
    pub(super) fn start(kind: &str) -> Result<Self> {
        match kind {
            "rocksdb" => Ok(Self::RocksDb(scratch()?)),
            "redis" => Ok(Self::Redis(RedisServer::start()?)),
            "postgres" => Ok(Self::Postgres(PostgresServer::builder().fsync(true).start()?)),
            other => Err(Error::invalid(format!("there is no raw driver for `{other}`"))
                .advise("name rocksdb, redis or postgres")),
        }
    }

    pub(super) fn durabilities(&self) -> [Durability; 2] {
        [Durability::Process, Durability::Visible]
    }

    pub(super) fn wanted(&self) -> Wanted {
        match self {
            Self::RocksDb(_) => Wanted { write: 0.85, read: 0.85, write_many: 0.95, read_many: 0.95 },
            Self::Redis(_) => Wanted { write: 0.85, read: 0.9, write_many: 0.9, read_many: 0.9 },
            Self::Postgres(_) => Wanted { write: 0.85, read: 0.85, write_many: 0.9, read_many: 0.9 },
        }
    }

    /// Typed states on an empty store.
    pub(super) async fn typed(&mut self, durability: Durability) -> Result<Typed> {
        let memory = MemoryDescriptor { engine: MEMORY, write_buffer: 0, cache: 0 };
        let descriptor = match self {
            Self::RocksDb(folder) => streaming::descriptor("rocksdb", fresh(folder)?.path(), memory),
            Self::Redis(server) => {
                begin(server, durability)?;
                with_store(memory, StoreDescriptor::new("redis").option("url", server.url()))?
            }
            Self::Postgres(server) => {
                let store = StoreDescriptor::new("postgres").option("url", server.url()).option("tls", "disable");
                RawPostgres::connect(&server.url(), durability).await?.drop_all().await?;
                with_store(memory, store)?
            }
        };
        Typed::open(at(descriptor, durability)).await
    }

    /// All rows by the raw driver, on an empty store.
    pub(super) async fn measure_raw(&mut self, durability: Durability, input: &Input) -> Result<Times> {
        match self {
            Self::RocksDb(folder) => {
                let logged = durability != Durability::Visible;
                measure(&mut RawRocks::open(fresh(folder)?.path(), MEMORY, logged)?, input).await
            }
            Self::Redis(server) => {
                begin(server, durability)?;
                measure(&mut RawRedis::connect(&server.url()).await?, input).await
            }
            Self::Postgres(server) => {
                let mut raw = RawPostgres::connect(&server.url(), durability).await?;
                raw.drop_all().await?;
                raw.create().await?;
                measure(&mut raw, input).await
            }
        }
    }
}

/// An empty server whose settings give `durability`.
fn begin(server: &RedisServer, durability: Durability) -> Result<()> {
    let sync = if durability == Durability::Visible { "everysec" } else { "always" };
    server.command("FLUSHALL SYNC")?;
    server.command(&format!("CONFIG SET appendfsync {sync}")).map(drop)
}

fn with_store(memory: MemoryDescriptor, store: StoreDescriptor) -> Result<Descriptor> {
    let folder = scratch()?;
    let mut descriptor = streaming::descriptor("memory", folder.path(), memory);
    descriptor.archive = None;
    descriptor.stores.insert("store".to_owned(), store);
    Ok(descriptor)
}

fn at(mut descriptor: Descriptor, durability: Durability) -> Descriptor {
    for store in descriptor.stores.values_mut() {
        store.durability = Some(durability);
    }
    descriptor
}
