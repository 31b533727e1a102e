//! [`Site`]: where a store's sides work. Folders and private servers of the bench's own, or names of its own on the
//! descriptor's server; all of it is removed at the end, and nothing else is touched.

use std::{any::Any, path::Path};

use sqlx::{Connection as _, Executor, PgConnection};
use statehold::{
    Error, ErrorKind, Result, StoreDescriptor,
    core::OptionReader,
    testing::servers::{PostgresServer, RedisCluster, RedisServer},
};
use statehold_bench_kit::case::Place;
use tempfile::TempDir;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Where one store of the run works.
pub(crate) struct Site {
    kind: String,
    /// Keeps a private server running.
    _server: Option<Box<dyn Any + Send>>,
    url: Option<String>,
    /// Told in the report.
    pub(crate) described: &'static str,
}

/// One side's place for one repetition.
pub(crate) struct Spot {
    pub(crate) place: Place,
    _dir: TempDir,
}

fn no_folder(e: std::io::Error) -> Error {
    Error::new(ErrorKind::ResourceExhausted, "the bench cannot make a folder")
        .advise("set TMPDIR to a folder on a disk with room")
        .because(e)
}

impl Site {
    /// Starts a private server if the store's kind has servers and the descriptor names none.
    ///
    /// # Errors
    /// `NotFound` naming the package that is missing; what starting fails with.
    pub(crate) fn open(store: &StoreDescriptor, durability: &str) -> Result<Self> {
        let kind = store.kind.clone();
        let mut options = OptionReader::new(&kind, &store.options);
        let site = |server: Option<Box<dyn Any + Send>>, url: Option<String>, described| Self {
            kind: kind.clone(),
            _server: server,
            url,
            described,
        };
        if !matches!(&*store.kind, "redis" | "postgres") {
            let folder = if kind == "memory" { "memory" } else { "a folder" };
            return Ok(site(None, None, folder));
        }
        if let Some(url) = options.text("url")?.or(options.text("urls")?) {
            return Ok(site(None, Some(url.to_owned()), "the descriptor's server"));
        }
        let sync = if durability == "visible" { "everysec" } else { "always" };
        let (server, url): (Box<dyn Any + Send>, String) = if kind == "postgres" {
            let server = PostgresServer::builder().fsync(true).start()?;
            let url = server.url();
            (Box::new(server), url)
        } else if options.boolean("cluster")?.unwrap_or(false) {
            let cluster = RedisCluster::start_with(&RedisServer::builder().setting("appendfsync", sync))?;
            let urls = cluster.urls();
            (Box::new(cluster), urls)
        } else {
            let server = RedisServer::builder().setting("appendfsync", sync).start()?;
            let url = server.url();
            (Box::new(server), url)
        };
        Ok(site(Some(server), Some(url), "a private server"))
    }

    /// An empty place below `root`, with a name that nobody has.
    pub(crate) fn spot(&self, root: &Path) -> Result<Spot> {
        let dir = TempDir::new_in(root).map_err(no_folder)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| Error::internal("no random name").because(e))?;
        let name = format!("statehold_bench_{:016x}", u64::from_le_bytes(random));
        let place = Place { dir: dir.path().to_owned(), name, url: self.url.clone() };
        Ok(Spot { place, _dir: dir })
    }

    /// Removes what a side may have left on a server that goes on, whether the side could still do it or not.
    ///
    /// # Errors
    /// `Unavailable` if the server cannot be reached: then it says what is left there.
    pub(crate) async fn erase(&self, spot: Spot) -> Result<()> {
        let (Some(url), None) = (&self.url, &self._server) else { return Ok(()) };
        let name = spot.place.name;
        let erased: std::result::Result<(), Cause> = if self.kind == "postgres" {
            erase_schemas(url, &name).await.map_err(Into::into)
        } else {
            erase_keys(url, &name).await.map_err(Into::into)
        };
        let left = format!("what the bench wrote to the descriptor's server could not be removed: names with `{name}`");
        erased.map_err(|e| Error::new(ErrorKind::Unavailable, left).advise("remove them by hand").because(e))
    }
}

async fn erase_schemas(url: &str, name: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let find = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname, $1)");
    let schemas: Vec<String> = find.bind(name).fetch_all(&mut connection).await?;
    for schema in schemas {
        connection.execute(sqlx::AssertSqlSafe(format!("DROP SCHEMA \"{schema}\" CASCADE"))).await?;
    }
    Ok(())
}

/// Of a Cluster, on each of its nodes that is named.
async fn erase_keys(urls: &str, name: &str) -> Result<(), redis::RedisError> {
    for url in urls.split(',') {
        let mut connection = redis::Client::open(url.trim())?.get_multiplexed_async_connection().await?;
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("*{name}*")).arg("COUNT").arg(1000);
            let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut connection).await?;
            for key in keys {
                redis::cmd("UNLINK").arg(key).exec_async(&mut connection).await?;
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
    }
    Ok(())
}
