//! Raw Postgres: one table with our columns, one prepared statement for each operation, each committed by itself.

use std::hint::black_box;

use bytes::Bytes;
use sqlx::{Connection, Executor, PgConnection, Row, error::Error as SqlError, query, query_as};
use statehold::{Durability, Error, Result};

use super::driver::{Driver, group_of, raw_value};

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

/// Key, value, revision, expiry: what each column is selected for.
type Found = (Vec<u8>, Vec<u8>, Option<i64>, Option<i64>);

/// One connection.
pub(super) struct RawPostgres(PgConnection);

fn failed(e: SqlError) -> Error {
    Error::internal("raw Postgres failed").because(e)
}

impl RawPostgres {
    pub(super) async fn connect(url: &str, durability: Durability) -> Result<Self> {
        let mut connection = PgConnection::connect(&format!("{url}?sslmode=disable")).await.map_err(failed)?;
        let waits = if durability == Durability::Visible { "off" } else { "on" };
        // As ours: no statistics are known of a table that has just been filled.
        query("SELECT set_config('synchronous_commit', $1, false), set_config('enable_seqscan', 'off', false)")
            .bind(waits)
            .execute(&mut connection)
            .await
            .map_err(failed)?;
        Ok(Self(connection))
    }

    /// Removes what either side left, and its traces in the write-ahead log.
    pub(super) async fn drop_all(&mut self) -> Result<()> {
        for statement in ["DROP TABLE IF EXISTS raw", "DROP SCHEMA IF EXISTS statehold CASCADE", "CHECKPOINT"] {
            self.0.execute(statement).await.map_err(failed)?;
        }
        Ok(())
    }

    pub(super) async fn create(&mut self) -> Result<()> {
        self.0.execute(CREATE).await.map(drop).map_err(failed)
    }

    async fn write(&mut self, state: i32, key: u64, sub: &[u8], value: &Bytes) -> Result<()> {
        let key_bytes = key.to_be_bytes();
        let put = query(PUT).bind(state).bind(i16::from(group_of(key))).bind(&key_bytes[..]).bind(sub);
        put.bind(raw_value(value)).execute(&mut self.0).await.map(drop).map_err(failed)
    }

    async fn read(&mut self, state: i32, key: u64, sub: &[u8]) -> Result<()> {
        let key_bytes = key.to_be_bytes();
        let get = query(GET).bind(state).bind(&key_bytes[..]).bind(sub);
        if let Some(row) = get.fetch_optional(&mut self.0).await.map_err(failed)? {
            row.try_get::<Vec<u8>, _>(0).map_err(failed)?;
        }
        Ok(())
    }
}

impl Driver for RawPostgres {
    async fn put(&mut self, key: u64, value: Bytes) -> Result<()> {
        self.write(1, key, &[], &value).await
    }

    async fn get(&mut self, key: u64) -> Result<()> {
        self.read(1, key, &[]).await
    }

    async fn put_entry(&mut self, key: u64, sub: u64, value: Bytes) -> Result<()> {
        self.write(2, key, &sub.to_be_bytes(), &value).await
    }

    async fn get_entry(&mut self, key: u64, sub: u64) -> Result<()> {
        self.read(2, key, &sub.to_be_bytes()).await
    }

    async fn put_many(&mut self, mut rows: Vec<(u64, Bytes)>) -> Result<()> {
        rows.sort_unstable_by_key(|(key, _)| *key);
        let none = vec![None::<i64>; rows.len()];
        let put = query(PUT_MANY).bind(&none).bind(&none).bind(vec![1_i32; rows.len()]);
        let put = put.bind(rows.iter().map(|(key, _)| i16::from(group_of(*key))).collect::<Vec<_>>());
        let put = put.bind(rows.iter().map(|(key, _)| key.to_be_bytes().to_vec()).collect::<Vec<_>>());
        let put = put.bind(vec![Vec::<u8>::new(); rows.len()]);
        let put = put.bind(rows.iter().map(|(_, value)| raw_value(value)).collect::<Vec<_>>());
        put.execute(&mut self.0).await.map(drop).map_err(failed)
    }

    async fn get_many(&mut self, keys: &[u64]) -> Result<()> {
        let rows = query_as(GET_MANY).bind(keys.iter().map(|key| key.to_be_bytes().to_vec()).collect::<Vec<_>>());
        let rows: Vec<Found> = rows.fetch_all(&mut self.0).await.map_err(failed)?;
        black_box(rows);
        Ok(())
    }
}
