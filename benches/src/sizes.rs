//! What an entry of 8 + 100 bytes costs on a server: memory of Redis, disk of Postgres.

use bytes::Bytes;
use comfy_table::{Table, presets::NOTHING};
use sqlx::{Connection as _, PgConnection, query_scalar};
use statehold::{
    Durability, Error, Result, StateManager, StoreDescriptor, ValueType,
    testing::servers::{PostgresServer, RedisServer},
};
use statehold_bench_kit::input::Values;

use crate::{scratch, store};

/// Entries of a map, and elements of a list.
const SUBS: u64 = 100;
const ELEMENTS: u64 = 10;

enum Server {
    Redis(RedisServer),
    Postgres(PostgresServer),
}

impl Server {
    fn store(&self) -> StoreDescriptor {
        match self {
            Self::Redis(server) => StoreDescriptor::new("redis").option("url", server.url()),
            Self::Postgres(server) => {
                StoreDescriptor::new("postgres").option("url", server.url()).option("tls", "disable")
            }
        }
    }

    /// Bytes in use.
    async fn size(&self) -> Result<u64> {
        let unknown = |e: sqlx::Error| Error::internal("Postgres did not tell its sizes").because(e);
        match self {
            Self::Redis(server) => {
                let unknown = |e: redis::RedisError| Error::internal("Redis did not tell its memory").because(e);
                let client = redis::Client::open(server.url()).map_err(unknown)?;
                let mut on = client.get_multiplexed_async_connection().await.map_err(unknown)?;
                let mut info = redis::cmd("INFO");
                let info: redis::InfoDict = info.arg("memory").query_async(&mut on).await.map_err(unknown)?;
                info.get("used_memory").ok_or_else(|| Error::internal("Redis did not tell its memory"))
            }
            Self::Postgres(server) => {
                let mut on =
                    PgConnection::connect(&format!("{}?sslmode=disable", server.url())).await.map_err(unknown)?;
                let size = query_scalar::<_, i64>("SELECT pg_total_relation_size('statehold.entries')");
                Ok(size.fetch_one(&mut on).await.map_err(unknown)? as u64)
            }
        }
    }
}

/// Fills a store of `kind` on a private server with `n` entries of each model, and prints what one costs.
pub(crate) async fn run(kind: &str, n: u64) -> Result<()> {
    let server = match kind {
        "redis" => Server::Redis(RedisServer::start()?),
        "postgres" => Server::Postgres(PostgresServer::start()?),
        other => {
            return Err(Error::invalid(format!("`{other}` is no server")).advise("name redis or postgres"));
        }
    };
    let folder = scratch()?;
    let mut descriptor = store::descriptor("memory", folder.path(), statehold::MemoryDescriptor::default());
    descriptor.archive = None;
    descriptor.stores.insert("store".to_owned(), server.store().durability(Durability::Process));
    let manager = StateManager::builder(descriptor).open().await?;
    let values = Values::new(100);
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["entries of 8 + 100 bytes", "count", "bytes each"]);

    let mut before = server.size().await?;
    let mut row = async |name: &str| -> Result<()> {
        manager.finish().await?;
        let now = server.size().await?;
        let each = now.saturating_sub(before) as f64 / n as f64;
        table.add_row([name.to_owned(), n.to_string(), format!("{each:.0}")]);
        before = now;
        Ok(())
    };
    let state = manager.key_value_of::<u64, Bytes>("values", ValueType::bytes()).await?;
    state.put_many((0..n).map(|key| (key, values.of(key, 0)))).await?;
    row("key-value").await?;
    let state = manager.key_map_of::<u64, u64, Bytes>("maps", ValueType::bytes()).await?;
    state.put_many((0..n).map(|at| (at / SUBS, at % SUBS, values.of(at, 0)))).await?;
    row("maps of 100 entries").await?;
    let state = manager.key_list_of::<u64, Bytes>("lists", ValueType::bytes()).await?;
    for key in 0..n / ELEMENTS {
        state.append_all(&key, (0..ELEMENTS).map(|at| values.of(key * ELEMENTS + at, 0))).await?;
    }
    row("lists of 10 elements").await?;
    println!("{kind}\n{table}");
    manager.close().await
}
