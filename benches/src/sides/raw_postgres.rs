//! [`RawPostgres`]: one table with our columns, one prepared statement for each operation, each committed by itself.

use bytes::Bytes;
use futures::TryStreamExt;
use sqlx::{Connection as _, Executor, PgConnection, error::Error as SqlError, query, query_as, query_scalar};
use statehold::{Error, ErrorKind, Result};
use statehold_bench_kit::{
    Access, Client, Op,
    case::Open,
    op::{head, modified},
};

use super::{State, count_of, group_of, payload, raw_value};

const CREATE: &str = "CREATE TABLE raw (
    revision int8, expires_at int8, state int4 NOT NULL, grp int2 NOT NULL,
    key bytea NOT NULL, sub bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (key, state, sub)
) WITH (fillfactor = 90)";

const PUT: &str = "INSERT INTO raw (state, grp, key, sub, value) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (key, state, sub) DO UPDATE SET value = excluded.value";

const PUT_MANY: &str = "INSERT INTO raw (revision, expires_at, state, grp, key, sub, value)
    SELECT * FROM unnest($1::int8[], $2::int8[], $3::int4[], $4::int2[], $5::bytea[], $6::bytea[], $7::bytea[])
    ON CONFLICT (key, state, sub) DO UPDATE
    SET revision = excluded.revision, expires_at = excluded.expires_at, value = excluded.value";

const GET: &str = "SELECT value, revision, expires_at FROM raw WHERE state = $1 AND key = $2 AND sub = $3";

const GET_MANY: &str = "SELECT key, value, revision, expires_at FROM raw
    WHERE state = 1 AND key = any($1) AND sub = ''";

const PAGE: &str = "SELECT sub, value, revision, expires_at FROM raw
    WHERE state = $1 AND key = $2 AND sub >= $3 ORDER BY sub LIMIT $4";

const KEYS: &str = "SELECT key FROM raw WHERE state = 1 ORDER BY key";

const CLEAR: &str = "DELETE FROM raw WHERE state = $1 AND key = $2";

/// What a list's next ordinal is.
const LAST: &str = "SELECT sub FROM raw WHERE state = $1 AND key = $2 ORDER BY sub DESC LIMIT 1";

/// Key or subkey, value, revision, expiry: what each column is selected for.
type Found = (Vec<u8>, Vec<u8>, Option<i64>, Option<i64>);

/// One server, and our schema there.
pub(super) struct RawPostgres {
    url: String,
    schema: String,
    waits: &'static str,
    durability: String,
    engine: Option<String>,
}

fn failed(e: SqlError) -> Error {
    let kind = if matches!(e, SqlError::Io(_)) { ErrorKind::Unavailable } else { ErrorKind::Internal };
    Error::new(kind, "raw Postgres failed").because(e)
}

impl RawPostgres {
    pub(super) async fn open(open: &Open) -> Result<Self> {
        let url = open.place.url.clone().ok_or_else(|| Error::invalid("there is no server"))?;
        let durability = open.durability.clone().unwrap_or_else(|| "visible".to_owned());
        let waits = if durability == "visible" { "off" } else { "on" };
        let mut raw = Self { url, schema: format!("{}_raw", open.place.name), waits, durability, engine: None };
        let mut connection = PgConnection::connect(&raw.url).await.map_err(failed)?;
        let create = format!("CREATE SCHEMA {}", raw.schema);
        connection.execute(sqlx::AssertSqlSafe(create)).await.map_err(failed)?;
        let version: String = query_scalar("SHOW server_version").fetch_one(&mut connection).await.map_err(failed)?;
        raw.engine = Some(format!("PostgreSQL {version}"));
        raw.connect().await?.0.execute(CREATE).await.map_err(failed)?;
        Ok(raw)
    }

    async fn connect(&self) -> Result<Connection> {
        let mut connection = PgConnection::connect(&self.url).await.map_err(failed)?;
        // As ours: no statistics are known of a table that has just been filled.
        let settings = query(
            "SELECT set_config('synchronous_commit', $1, false), set_config('enable_seqscan', 'off', false),
                set_config('search_path', $2, false)",
        );
        settings.bind(self.waits).bind(&self.schema).execute(&mut connection).await.map_err(failed)?;
        Ok(Connection(connection))
    }
}

impl Access for RawPostgres {
    type Client = Connection;

    async fn client(&mut self) -> Result<Connection> {
        self.connect().await
    }

    fn durability(&self) -> String {
        self.durability.clone()
    }

    fn engine(&self) -> Option<String> {
        self.engine.clone()
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}

/// One connection: a task's own.
pub(super) struct Connection(PgConnection);

impl Connection {
    async fn put(&mut self, state: State, key: u64, sub: &[u8], value: &[u8]) -> Result<u64> {
        let key_bytes = key.to_be_bytes();
        let put = query(PUT).bind(state as i32).bind(i16::from(group_of(key))).bind(&key_bytes[..]).bind(sub);
        put.bind(raw_value(value)).execute(&mut self.0).await.map(|_| 0).map_err(failed)
    }

    async fn find(&mut self, state: State, key: u64, sub: &[u8]) -> Result<Option<Vec<u8>>> {
        let key_bytes = key.to_be_bytes();
        let get = query_as(GET).bind(state as i32).bind(&key_bytes[..]).bind(sub);
        let row: Option<(Vec<u8>, Option<i64>, Option<i64>)> = get.fetch_optional(&mut self.0).await.map_err(failed)?;
        Ok(row.map(|(value, _, _)| value))
    }

    /// Rows of one state: key, subkey, value.
    async fn put_many(&mut self, state: State, rows: &[(u64, Vec<u8>, Bytes)]) -> Result<u64> {
        let none = vec![None::<i64>; rows.len()];
        let put = query(PUT_MANY).bind(&none).bind(&none).bind(vec![state as i32; rows.len()]);
        let put = put.bind(rows.iter().map(|(key, _, _)| i16::from(group_of(*key))).collect::<Vec<_>>());
        let put = put.bind(rows.iter().map(|(key, _, _)| key.to_be_bytes().to_vec()).collect::<Vec<_>>());
        let put = put.bind(rows.iter().map(|(_, sub, _)| sub.clone()).collect::<Vec<_>>());
        let put = put.bind(rows.iter().map(|(_, _, value)| raw_value(value)).collect::<Vec<_>>());
        put.execute(&mut self.0).await.map(|_| 0).map_err(failed)
    }

    /// Subkeys and values.
    async fn page(&mut self, state: State, key: u64, from: u64, limit: i64) -> Result<Vec<Found>> {
        let page = query_as(PAGE).bind(state as i32).bind(key.to_be_bytes().to_vec());
        page.bind(from.to_be_bytes().to_vec()).bind(limit).fetch_all(&mut self.0).await.map_err(failed)
    }

    async fn get_many(&mut self, keys: &[u64]) -> Result<u64> {
        let rows = query_as(GET_MANY).bind(keys.iter().map(|key| key.to_be_bytes().to_vec()).collect::<Vec<_>>());
        let rows: Vec<Found> = rows.fetch_all(&mut self.0).await.map_err(failed)?;
        // The server answers each row once, the caller wants one for each key.
        let found: std::collections::HashMap<&[u8], &[u8]> =
            rows.iter().map(|(key, value, _, _)| (&key[..], &value[..])).collect();
        keys.iter().try_fold(0_u64, |sum, key| Ok(sum.wrapping_add(head(payload(found.get(&key.to_be_bytes()[..]))?))))
    }

    async fn count_keys(&mut self) -> Result<u64> {
        let mut keys = query_scalar::<_, Vec<u8>>(KEYS).fetch(&mut self.0);
        let mut count = 0;
        while keys.try_next().await.map_err(failed)?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Puts `values` behind the last element, in one transaction.
    async fn append(&mut self, key: u64, values: &[Bytes], clear: bool) -> Result<u64> {
        let key_bytes = key.to_be_bytes();
        self.0.execute("BEGIN").await.map_err(failed)?;
        let mut next = 0;
        if clear {
            query(CLEAR).bind(State::Lists as i32).bind(&key_bytes[..]).execute(&mut self.0).await.map_err(failed)?;
        } else {
            let last = query_scalar::<_, Vec<u8>>(LAST).bind(State::Lists as i32).bind(&key_bytes[..]);
            let last = last.fetch_optional(&mut self.0).await.map_err(failed)?;
            next = last.and_then(|sub| sub.first_chunk().map(|sub| u64::from_be_bytes(*sub) + 1)).unwrap_or(0);
        }
        let ordinals = (next..).map(|ordinal| ordinal.to_be_bytes().to_vec());
        let rows: Vec<_> = ordinals.zip(values).map(|(sub, value)| (key, sub, value.clone())).collect();
        self.put_many(State::Lists, &rows).await?;
        self.0.execute("COMMIT").await.map(|_| 0).map_err(failed)
    }
}

fn sum(rows: &[Found], subs: bool) -> Result<u64> {
    rows.iter().try_fold(0_u64, |sum, (sub, value, _, _)| {
        let sub = sub.first_chunk().map_or(0, |sub| u64::from_be_bytes(*sub));
        Ok(sum.wrapping_add(head(payload(Some(value))?)).wrapping_add(if subs { sub } else { 0 }))
    })
}

impl Client for Connection {
    async fn apply(&mut self, op: &mut Op) -> Result<u64> {
        use State::{Counts, Lists, Maps, Values};
        match op.take() {
            Op::Put(key, value) => self.put(Values, key, &[], &value).await,
            Op::Get(key) => Ok(head(payload(self.find(Values, key, &[]).await?.as_ref())?)),
            Op::GetAbsent(key) => Ok(u64::from(self.find(Values, key, &[]).await?.is_none())),
            Op::Modify(key) => {
                let old = self.find(Values, key, &[]).await?;
                let old = payload(old.as_ref())?;
                self.put(Values, key, &[], &modified(old)).await?;
                Ok(head(old))
            }
            Op::Increment(key) => {
                let count = count_of(self.find(Counts, key, &[]).await?.as_deref()) + 1;
                self.put(Counts, key, &[], &count.to_le_bytes()).await?;
                Ok(count)
            }
            Op::PutMany(mut rows) => {
                rows.sort_unstable_by_key(|(key, _)| *key);
                let rows: Vec<_> = rows.into_iter().map(|(key, value)| (key, Vec::new(), value)).collect();
                self.put_many(Values, &rows).await
            }
            Op::GetMany(keys) => self.get_many(&keys).await,
            Op::CountKeys => self.count_keys().await,
            Op::PutEntry(key, sub, value) => self.put(Maps, key, &sub.to_be_bytes(), &value).await,
            Op::GetEntry(key, sub) => Ok(head(payload(self.find(Maps, key, &sub.to_be_bytes()).await?.as_ref())?)),
            Op::EntryAbsent(key, sub) => Ok(u64::from(self.find(Maps, key, &sub.to_be_bytes()).await?.is_none())),
            Op::Entries(key) => sum(&self.page(Maps, key, 0, i64::MAX).await?, true),
            Op::Page(key, from, limit) => sum(&self.page(Maps, key, from, limit as i64).await?, false),
            Op::Append(key, value) => self.append(key, &[value], false).await,
            Op::Replace(key, values) => self.append(key, &values, true).await,
            Op::Elements(key) => sum(&self.page(Lists, key, 0, i64::MAX).await?, false),
        }
    }
}
