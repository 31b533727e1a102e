//! [`Migrations`]: the schema's versions, up and down.
//!
//! Each direction is one transaction under one lock: of 16 processes that open at once, one migrates.

use sqlx::{AssertSqlSafe, Connection, PgConnection, query, query_scalar, raw_sql};
use statehold_core::{Durability, Error, ErrorKind, Options, Result};

use crate::{
    config::Config,
    connect::{Connector, Purpose},
    error,
};

/// The version that this build works with.
pub const SCHEMA_VERSION: u32 = 1;

/// The oldest server, as it numbers itself.
const OLDEST_SERVER: i32 = 130_000;

struct Step {
    up: &'static str,
    down: &'static str,
}

/// Step n leads from version n to n + 1.
const STEPS: [Step; SCHEMA_VERSION as usize] =
    [Step { up: include_str!("../migrations/1_layout.up.sql"), down: include_str!("../migrations/1_layout.down.sql") }];

/// Moves the schema that options name up and down: for administrators, where the application's role may not.
///
/// ```no_run
/// # async fn migrate() -> statehold_core::Result<()> {
/// use statehold_core::Options;
/// use statehold_postgres::{Migrations, SCHEMA_VERSION};
/// let options = Options::new().with("url", "postgres://admin@localhost/orders").with("tls", "disable");
/// let migrations = Migrations::new(&options)?;
/// migrations.up().await?;
/// assert_eq!(migrations.version().await?, SCHEMA_VERSION);
/// # Ok(()) }
/// ```
pub struct Migrations(Connector);

impl std::fmt::Debug for Migrations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Migrations").field("schema", &self.0.schema()).finish_non_exhaustive()
    }
}

impl Migrations {
    /// Migrations of the schema that `options` name.
    ///
    /// # Errors
    /// `InvalidInput` naming the option at fault.
    pub fn new(options: &Options) -> Result<Self> {
        Ok(Self(Connector::new(&Config::read(options)?, Durability::Power, false)))
    }

    /// The schema's version; 0 if there is nothing of ours in it.
    ///
    /// # Errors
    /// What the server fails with.
    pub async fn version(&self) -> Result<u32> {
        version(&mut self.0.connect(Purpose::Lifecycle).await?).await
    }

    /// Brings the schema to [`SCHEMA_VERSION`], making it where there is none. Answers the version it had.
    ///
    /// # Errors
    /// `InvalidInput` if the role may not, or the schema holds something else; `Unsupported` if it is newer, or the
    /// server is too old.
    pub async fn up(&self) -> Result<u32> {
        up(&mut self.0.connect(Purpose::Lifecycle).await?, self.0.schema()).await
    }

    /// Goes back to `to`. Version 0 removes all stores of the schema, with everything in them.
    ///
    /// # Errors
    /// `InvalidInput` if `to` is above the schema's version.
    pub async fn down(&self, to: u32) -> Result<u32> {
        let mut connection = self.0.connect(Purpose::Lifecycle).await?;
        let mut transaction = connection.begin().await.map_err(error::of)?;
        lock(&mut transaction, self.0.schema()).await?;
        let from = version(&mut transaction).await?;
        check_known(from)?;
        if to > from {
            return Err(Error::invalid(format!("the schema has version {from}, which is below {to}"))
                .advise("migrate up to go forward"));
        }
        for step in STEPS[to as usize..from as usize].iter().rev() {
            raw_sql(step.down).execute(&mut *transaction).await.map_err(error::of)?;
        }
        if to == 0 && from > 0 {
            raw_sql("DROP TABLE statehold_version").execute(&mut *transaction).await.map_err(error::of)?;
        } else {
            record(&mut transaction, to).await?;
        }
        transaction.commit().await.map_err(error::of)?;
        Ok(from)
    }
}

/// Refuses a server that is too old.
pub(crate) fn check_server(connection: &PgConnection) -> Result<()> {
    let version = connection.server_version_num().and_then(|v| i32::try_from(v).ok()).unwrap_or_default();
    if version >= OLDEST_SERVER {
        return Ok(());
    }
    Err(Error::unsupported(format!("the server is PostgreSQL {}", version / 10_000))
        .advise(format!("use PostgreSQL {} or later", OLDEST_SERVER / 10_000)))
}

/// Checks the schema's version, and migrates where the descriptor allows it.
pub(crate) async fn prepare(connection: &mut PgConnection, schema: &str, auto: bool) -> Result<()> {
    check_server(connection)?;
    match version(connection).await? {
        SCHEMA_VERSION => Ok(()),
        _ if auto => up(connection, schema).await.map(drop),
        newer if newer > SCHEMA_VERSION => check_known(newer),
        older => {
            Err(Error::invalid(format!("the schema `{schema}` has version {older}, this build needs {SCHEMA_VERSION}"))
                .about("auto_migrate")
                .advise("migrate it with a role that may, or set `auto_migrate = true`"))
        }
    }
}

async fn up(connection: &mut PgConnection, schema: &str) -> Result<u32> {
    check_server(connection)?;
    let mut transaction = connection.begin().await.map_err(error::of)?;
    lock(&mut transaction, schema).await?;
    let from = version(&mut transaction).await?;
    check_known(from)?;
    if from == 0 {
        make_schema(&mut transaction, schema).await?;
    }
    for step in &STEPS[from as usize..] {
        raw_sql(step.up).execute(&mut *transaction).await.map_err(error::of)?;
    }
    if from < SCHEMA_VERSION {
        record(&mut transaction, SCHEMA_VERSION).await?;
    }
    transaction.commit().await.map_err(error::of)?;
    Ok(from)
}

/// Waits until nobody else migrates the schema.
async fn lock(connection: &mut PgConnection, schema: &str) -> Result<()> {
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended('statehold migrations of ' || $1, 0))";
    query(sql).bind(schema).execute(connection).await.map_err(error::of).map(drop)
}

async fn make_schema(connection: &mut PgConnection, schema: &str) -> Result<()> {
    let there: bool = query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
        .bind(schema)
        .fetch_one(&mut *connection)
        .await
        .map_err(error::of)?;
    if there {
        let sql = "SELECT count(*) FROM pg_class c WHERE c.relnamespace = to_regnamespace($1)";
        let things: i64 = query_scalar(sql).bind(schema).fetch_one(&mut *connection).await.map_err(error::of)?;
        if things > 0 {
            return Err(Error::invalid(format!(
                "the schema `{schema}` holds {things} things that are not statehold's"
            ))
            .about("schema")
            .advise("choose a schema of the store's own"));
        }
    } else {
        // A name that `config` checked: letters, digits and `_`.
        let create = format!("CREATE SCHEMA \"{schema}\"");
        raw_sql(AssertSqlSafe(create)).execute(&mut *connection).await.map_err(error::of)?;
    }
    raw_sql("CREATE TABLE statehold_version (version int4 NOT NULL)").execute(connection).await.map_err(error::of)?;
    Ok(())
}

async fn record(connection: &mut PgConnection, version: u32) -> Result<()> {
    raw_sql("DELETE FROM statehold_version").execute(&mut *connection).await.map_err(error::of)?;
    let sql = "INSERT INTO statehold_version (version) VALUES ($1)";
    query(sql).bind(version as i32).execute(connection).await.map_err(error::of).map(drop)
}

/// The version of the schema in the search path; 0 if nothing of ours is there.
pub(crate) async fn version(connection: &mut PgConnection) -> Result<u32> {
    // The catalog's own rows: a name is looked up in a cache, which may not know what another session just made.
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = current_setting('search_path') AND c.relname = 'statehold_version')";
    let table: bool = query_scalar(sql).fetch_one(&mut *connection).await.map_err(error::of)?;
    if !table {
        return Ok(0);
    }
    let version: Option<i32> =
        query_scalar("SELECT max(version) FROM statehold_version").fetch_one(connection).await.map_err(error::of)?;
    version.and_then(|v| u32::try_from(v).ok()).ok_or_else(|| error::answer("the schema's version"))
}

fn check_known(version: u32) -> Result<()> {
    if version <= SCHEMA_VERSION {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("the schema has version {version}, written by a newer statehold; this one knows {SCHEMA_VERSION}"),
    )
    .about("schema")
    .advise("use the version of statehold that wrote it, or a newer one"))
}
