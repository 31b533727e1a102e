//! Redis below OpenDAL.

use opendal::{Operator, services};
use redis::{Client, IntoConnectionInfo, RedisError, aio::MultiplexedConnection};
use statehold_bench_kit::case::Open;
use statehold_core::{Error, ErrorKind, Result};

use super::{Engine, Opened, asked, url};
use crate::client::failed;

/// Keys that one `SCAN` looks at.
const PAGE: usize = 1_000;

/// Every key that begins with a prefix.
pub(crate) struct Keys {
    client: Client,
    prefix: String,
}

fn refused(e: RedisError) -> Error {
    Error::new(ErrorKind::Unavailable, "Redis does not do what it is asked").because(e)
}

/// Connects to the server. How it syncs is its own setting.
pub(super) async fn open(open: &Open) -> Result<Opened> {
    let address = url(open)?;
    if address.contains(',') {
        return Err(Error::unsupported("OpenDAL is measured on a single Redis server"));
    }
    let info = address.into_connection_info().map_err(refused)?;
    // OpenDAL takes from an address only host and port.
    let settings = info.redis_settings();
    let mut service = services::Redis::default().endpoint(address).db(settings.db()).root(&open.place.name);
    if let Some(user) = settings.username() {
        service = service.username(user);
    }
    if let Some(password) = settings.password() {
        service = service.password(password);
    }
    let operator = Operator::new(service).map_err(failed)?;
    let client = Client::open(info).map_err(refused)?;
    let version = version(&mut connect(&client).await?).await?;
    let engine = Engine::Redis(Box::new(Keys { client, prefix: format!("{}/", open.place.name) }));
    Ok(Opened { operator, engine, durability: asked(open), version })
}

async fn connect(client: &Client) -> Result<MultiplexedConnection> {
    client.get_multiplexed_async_connection().await.map_err(refused)
}

async fn version(connection: &mut MultiplexedConnection) -> Result<String> {
    let text: String = redis::cmd("INFO").arg("server").query_async(connection).await.map_err(refused)?;
    let version = text.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
    Ok(format!("Redis {version}").trim_end().to_owned())
}

impl Keys {
    /// Removes them: OpenDAL cannot list keys on Redis.
    pub(super) async fn remove(self) -> Result<()> {
        let mut connection = connect(&self.client).await?;
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{}*", self.prefix)).arg("COUNT").arg(PAGE);
            let (next, keys): (u64, Vec<String>) = scan.query_async(&mut connection).await.map_err(refused)?;
            if !keys.is_empty() {
                redis::cmd("UNLINK").arg(keys).exec_async(&mut connection).await.map_err(refused)?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}
