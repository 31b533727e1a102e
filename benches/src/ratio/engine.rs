//! [`Engine`]: where both sides work: a folder, or a private server.

use statehold::{
    Descriptor, Durability, Error, MemoryDescriptor, Result, StoreDescriptor,
    testing::servers::{PostgresServer, RedisServer},
};
use tempfile::TempDir;

use super::{
    Input, Times, Wanted, driver::Driver, measure, raw_postgres::RawPostgres, raw_redis::RawRedis, typed::Typed,
};
use crate::{raw_rocksdb::RawRocks, scratch, streaming};

const MEMORY: usize = 512 << 20;

/// One engine, empty for each measurement.
pub(super) enum Engine {
    RocksDb(TempDir),
    /// Syncs each commit at `process`; its settings say which level it is.
    Redis(RedisServer),
    Postgres(PostgresServer),
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

    /// All rows by both sides, each on an empty store of its own.
    pub(super) async fn measure(
        &mut self,
        durability: Durability,
        input: &Input,
        times: &mut (Times, Times),
    ) -> Result<()> {
        let memory = MemoryDescriptor { engine: MEMORY, write_buffer: 0, cache: 0 };
        match self {
            Self::RocksDb(folder) => {
                *folder = scratch()?;
                let descriptor = streaming::descriptor("rocksdb", &folder.path().join("typed"), memory);
                let logged = durability != Durability::Visible;
                let mut raw = RawRocks::open(&folder.path().join("raw"), MEMORY, logged)?;
                side_by_side(at(descriptor, durability), &mut raw, input, times).await
            }
            Self::Redis(server) => {
                let sync = if durability == Durability::Visible { "everysec" } else { "always" };
                server.command("FLUSHALL SYNC")?;
                server.command(&format!("CONFIG SET appendfsync {sync}"))?;
                let descriptor = with_store(memory, StoreDescriptor::new("redis").option("url", server.url()))?;
                let mut raw = RawRedis::connect(&server.url()).await?;
                side_by_side(at(descriptor, durability), &mut raw, input, times).await
            }
            Self::Postgres(server) => {
                let store = StoreDescriptor::new("postgres").option("url", server.url()).option("tls", "disable");
                let mut raw = RawPostgres::connect(&server.url(), durability).await?;
                raw.drop_all().await?;
                raw.create().await?;
                side_by_side(at(with_store(memory, store)?, durability), &mut raw, input, times).await
            }
        }
    }
}

async fn side_by_side(
    descriptor: Descriptor,
    raw: &mut impl Driver,
    input: &Input,
    times: &mut (Times, Times),
) -> Result<()> {
    let mut typed = Typed::open(descriptor).await?;
    measure(&mut typed, raw, input, times).await?;
    typed.close().await
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
