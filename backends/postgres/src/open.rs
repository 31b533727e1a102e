//! Opening: the server is checked, the schema made, the store claimed.

use std::sync::{Arc, atomic::AtomicBool};

use sqlx::{PgConnection, Row as _, error::Error as SqlError, postgres::PgRow, query, query_as};
use statehold_core::{
    Capabilities, Durability, Error, ErrorKind, KeyGroups, Millis, OpenRequest, Ownership, Result, StoreClock, Unclean,
};
use tokio::runtime::Handle;

use crate::{
    bits::flop,
    catalog::Catalog,
    config::Config,
    connect::{Connector, Purpose},
    error::{self, Fate},
    migrate,
    pool::Pool,
    store::{Inner, PostgresStore},
};

/// What `open` found or made.
struct Opened {
    store: i32,
    epoch: i64,
    session: i64,
    floor: i64,
    suspect: bool,
}

/// Opens the store. Dropped in the middle it stops there, with the connection, so that no claim comes late.
pub(crate) async fn open(config: Config, request: OpenRequest, capabilities: Capabilities) -> Result<PostgresStore> {
    request.check(&capabilities)?;
    let runtime = Handle::try_current().map_err(|e| {
        Error::invalid("kind `postgres` is opened outside of a tokio runtime").because(e).advise("open it within one")
    })?;
    let read_only = request.ownership == Ownership::ReadOnly;
    let connector = Connector::new(&config, request.durability, read_only);
    let mut connection = connector.connect(Purpose::Lifecycle).await?;
    migrate::check_server(&connection)?;
    check_settings(&mut connection, &connector, request.durability, read_only).await?;
    let opened = if read_only {
        look(&mut connection, connector.schema(), &request).await?
    } else {
        migrate::prepare(&mut connection, connector.schema(), config.auto_migrate).await?;
        take(&mut connection, &request).await?
    };
    let counted = !read_only && request.durability == Durability::Visible && !opened.suspect;
    let inner = Arc::new(Inner {
        name: request.store,
        store: opened.store,
        epoch: opened.epoch,
        session: opened.session,
        groups: request.groups,
        limits: request.limits,
        durability: request.durability,
        read_only,
        suspect: AtomicBool::new(opened.suspect),
        counted: AtomicBool::new(counted),
        capabilities,
        clock: StoreClock::new(request.resources.clock.clone(), Millis(flop(opened.floor))),
        catalog: Catalog::default(),
        pool: Pool::new(connector, config.pool, config.timeout),
        sessions: parking_lot::Mutex::default(),
        loads: std::sync::atomic::AtomicU64::new(0),
        last_load: tokio::sync::Mutex::new(0),
        runtime,
        closing: tokio::sync::Mutex::new(()),
    });
    if request.ownership == Ownership::Exclusive {
        inner.clone().purge_beside();
    }
    Ok(PostgresStore(inner))
}

/// Refuses a server that does not do what the level needs, or a pooler that drops the connection's settings.
async fn check_settings(
    connection: &mut PgConnection,
    connector: &Connector,
    durability: Durability,
    read_only: bool,
) -> Result<()> {
    let sql = "SELECT current_setting('search_path'), current_setting('synchronous_commit'), current_setting('fsync'),
        current_setting('full_page_writes'), pg_is_in_recovery()";
    let (path, synchronous, fsync, pages, standby): (String, String, String, String, bool) =
        query_as(sql).fetch_one(connection).await.map_err(error::of)?;
    let wanted = if durability == Durability::Visible { "off" } else { "on" };
    if path.trim_matches('"') != connector.schema() || synchronous != wanted {
        return Err(Error::invalid("the connection's settings did not reach the server: a pooler drops them")
            .about("url")
            .advise("connect to the server itself, or through a pooler that keeps `options` and sessions"));
    }
    if standby && !read_only {
        return Err(Error::unsupported("the server is a standby and takes no writes")
            .about("url")
            .advise("connect to the primary, or open the store with ownership `read-only`"));
    }
    for (setting, value) in [("fsync", fsync), ("full_page_writes", pages)] {
        if durability == Durability::Power && value != "on" {
            return Err(Error::unsupported(format!(
                "durability `power` cannot be given: the server has {setting} = {value}"
            ))
            .about("durability")
            .advise(format!("set {setting} = on in postgresql.conf, or choose durability `process`")));
        }
    }
    Ok(())
}

fn bounds(groups: KeyGroups) -> (i32, i32, i32) {
    (i32::from(groups.total()), i32::from(groups.range().start), i32::from(groups.range().end))
}

/// Finds a store without touching it.
async fn look(connection: &mut PgConnection, schema: &str, request: &OpenRequest) -> Result<Opened> {
    let none = || {
        Error::new(ErrorKind::NotFound, "there is no store to look at")
            .advise("open it with exclusive or shared ownership once, or look elsewhere")
    };
    match migrate::version(connection).await? {
        0 => return Err(none()),
        _ => migrate::prepare(connection, schema, false).await?,
    }
    let (total, first, end) = bounds(request.groups);
    let sql = "SELECT id, epoch, session, floor, key_groups, first_group, end_group FROM stores
        WHERE namespace = $1 AND (key_groups <> $2 OR first_group < $4 AND $3 < end_group)
        ORDER BY (first_group, end_group) = ($3, $4) DESC LIMIT 1";
    let found: Option<(i32, i64, i64, i64, i32, i32, i32)> = query_as(sql)
        .bind(request.namespace.as_str())
        .bind(total)
        .bind(first)
        .bind(end)
        .fetch_optional(connection)
        .await
        .map_err(error::of)?;
    let (store, epoch, session, floor, groups, start, stop) = found.ok_or_else(none)?;
    if groups != total {
        return Err(other_groups(groups, total));
    }
    if (start, stop) != (first, end) {
        return Err(overlap(start, stop, request.groups));
    }
    Ok(Opened { store, epoch, session, floor, suspect: false })
}

/// Claims the store, making it where there is none.
async fn take(connection: &mut PgConnection, request: &OpenRequest) -> Result<Opened> {
    let row = loop {
        match call(connection, request).await {
            Err(e) if error::fate(&e) == Fate::Again => {}
            answer => break answer.map_err(error::of)?,
        }
    };
    let number = |name: &str| row.try_get::<Option<i32>, _>(name).map(Option::unwrap_or_default).map_err(error::of);
    let (total, ..) = bounds(request.groups);
    let outcome: String = row.try_get("outcome").map_err(error::of)?;
    match outcome.as_str() {
        "opened" | "suspect" => {
            let long = |name: &str| row.try_get::<i64, _>(name).map_err(error::of);
            let (epoch, session, floor) = (long("epoch")?, long("session")?, long("floor")?);
            Ok(Opened { store: number("store")?, epoch, session, floor, suspect: outcome == "suspect" })
        }
        "groups" => Err(other_groups(number("other_groups")?, total)),
        "overlap" => Err(overlap(number("other_first")?, number("other_end")?, request.groups)),
        "unclean" => Err(unclean()),
        other => Err(error::answer(other)),
    }
}

async fn call(connection: &mut PgConnection, request: &OpenRequest) -> Result<PgRow, SqlError> {
    let (total, first, end) = bounds(request.groups);
    let unclean = match request.unclean {
        Unclean::Refuse => "refuse",
        Unclean::Recover => "recover",
        Unclean::Discard => "discard",
    };
    query("SELECT * FROM statehold_open($1, $2, $3, $4, $5, $6, $7)")
        .bind(request.namespace.as_str())
        .bind(total)
        .bind(first)
        .bind(end)
        .bind(request.ownership.as_str())
        .bind(request.durability == Durability::Visible)
        .bind(unclean)
        .fetch_one(connection)
        .await
}

fn other_groups(stored: i32, asked: i32) -> Error {
    Error::invalid(format!("the store was written with key_groups = {stored}, and is opened with {asked}"))
        .about("key_groups")
        .advise(format!("set key_groups = {stored}; it is fixed for the life of a namespace"))
}

fn overlap(start: i32, end: i32, asked: KeyGroups) -> Error {
    Error::invalid(format!("the store holds the key groups {start}..{end}, and is opened for {asked}"))
        .about("groups")
        .advise("open it for its own range; rescale by archive, then open with `discard` and recover")
}

fn unclean() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the store has durability `visible` and was not closed cleanly: its last writes may be lost",
    )
    .about("unclean")
    .advise("recover it from a checkpoint, or open it with `discard` to begin empty")
}
