//! PostgreSQL below OpenDAL.

use opendal::{Operator, services};
use sqlx::{Connection, Executor, PgConnection};
use statehold_bench_kit::case::Open;
use statehold_core::{Error, ErrorKind, Result};
use url::Url;

use super::{Engine, Opened, asked, url};
use crate::client::failed;

/// The table, in a schema of its own.
const TABLE: &str = "entries";

/// A schema that was made for the bench.
pub(crate) struct Schema {
    url: String,
    name: String,
}

fn refused(e: sqlx::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "PostgreSQL does not do what it is asked").because(e)
}

/// Makes a schema with a table; OpenDAL makes none.
pub(super) async fn open(open: &Open) -> Result<Opened> {
    let (durability, name) = (asked(open), &open.place.name);
    let commit = if durability == "visible" { "off" } else { "on" };
    let url = with_settings(url(open)?, name, commit)?;
    let mut connection = PgConnection::connect(&url).await.map_err(refused)?;
    let settings = "SELECT current_setting('synchronous_commit'), current_setting('server_version')";
    let (is, version): (String, String) = sqlx::query_as(settings).fetch_one(&mut connection).await.map_err(refused)?;
    if is != commit {
        return Err(Error::invalid(format!("the server has synchronous_commit {is}, not {commit}")));
    }
    // The name is of letters, digits and `_`.
    let create = format!(
        "CREATE SCHEMA \"{name}\"; CREATE TABLE \"{name}\".{TABLE} (key text PRIMARY KEY, value bytea NOT NULL)"
    );
    connection.execute(&*create).await.map_err(refused)?;
    connection.close().await.map_err(refused)?;
    let service = services::Postgresql::default().connection_string(&url).table(TABLE).root(name);
    let operator = Operator::new(service).map_err(failed)?;
    let version = format!("PostgreSQL {}", version.split_whitespace().next().unwrap_or_default());
    Ok(Opened { operator, engine: Engine::Postgres(Schema { url, name: name.clone() }), durability, version })
}

/// The address with what every connection is to have. OpenDAL quotes a table's name as a whole, so that the schema has
/// to be found by `search_path`.
fn with_settings(address: &str, schema: &str, commit: &str) -> Result<String> {
    let mut url = Url::parse(address).map_err(|e| Error::invalid("the address of PostgreSQL is no URL").because(e))?;
    let has_mode = url.query_pairs().any(|(name, _)| name == "sslmode");
    let options = format!("-c search_path={schema} -c synchronous_commit={commit}");
    let mut pairs = url.query_pairs_mut();
    if !has_mode {
        pairs.append_pair("sslmode", "disable");
    }
    pairs.append_pair("options", &options);
    drop(pairs);
    Ok(url.into())
}

impl Schema {
    /// Drops it, with what is in it.
    pub(super) async fn drop(self) -> Result<()> {
        let mut connection = PgConnection::connect(&self.url).await.map_err(refused)?;
        let drop = format!("DROP SCHEMA \"{}\" CASCADE", self.name);
        connection.execute(&*drop).await.map_err(refused)?;
        connection.close().await.map_err(refused)
    }
}
