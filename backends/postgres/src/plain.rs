//! Commits that only put whole records: one plain statement, at about a third of the commit function's price.
//!
//! It locks the stripes' rows as the function does, so it waits for commits with conditions and for a new owner. The
//! same rows say whether states are gone since the handle looked: then the function looks closer.

use sqlx::{
    Arguments, PgConnection, error::BoxDynError, error::Error as SqlError, postgres::PgArguments, query, query_with,
};

use crate::batch::{Statement, slices};

const SQL: &str = "WITH held AS MATERIALIZED (
        SELECT 1 FROM stripes g WHERE g.store = $1 AND g.stripe = ANY ($4) AND g.epoch = $2 AND g.incarnation = $3
        ORDER BY g.stripe FOR NO KEY UPDATE
    )
    INSERT INTO entries (key, sub, value, expires_at)
    SELECT p.* FROM (SELECT count(*) AS stripes FROM held) h, unnest($5::bytea[], $6::bytea[], $7::bytea[], $8::int8[]) p
    WHERE h.stripes = cardinality($4)
    ON CONFLICT (key, sub) DO UPDATE SET revision = NULL, expires_at = excluded.expires_at, value = excluded.value";

/// The same for one record, which needs no arrays: half their price.
const ONE: &str = "INSERT INTO entries (key, sub, value, expires_at)
    SELECT $5, $6, $7, $8 FROM (
        SELECT FROM stripes g WHERE g.store = $1 AND g.stripe = $4 AND g.epoch = $2 AND g.incarnation = $3
        FOR NO KEY UPDATE
    ) held
    ON CONFLICT (key, sub) DO UPDATE SET revision = NULL, expires_at = excluded.expires_at, value = excluded.value";

fn arguments(statement: &Statement) -> Result<PgArguments, BoxDynError> {
    let mut to = PgArguments::default();
    to.add(statement.store)?;
    to.add(statement.epoch)?;
    to.add(statement.incarnation)?;
    to.add(&statement.stripes[..])?;
    let puts = &statement.puts;
    to.add(&puts.key[..])?;
    to.add(puts.sub.iter().map(|sub| sub.as_deref().unwrap_or_default()).collect::<Vec<_>>())?;
    to.add(slices(&puts.value))?;
    to.add(&puts.expires[..])?;
    Ok(to)
}

/// Commits `statement`, which puts whole records and nothing else; `false` if it did nothing.
pub(crate) async fn is_put(statement: &Statement, on: &mut PgConnection) -> Result<bool, SqlError> {
    let done = if let ([stripe], Some((key, sub, value, expires))) = (&statement.stripes[..], statement.puts.only()) {
        let query = query(ONE).bind(statement.store).bind(statement.epoch).bind(statement.incarnation).bind(stripe);
        query.bind(key).bind(sub).bind(value).bind(expires).execute(on).await?
    } else {
        query_with(SQL, arguments(statement).map_err(SqlError::Encode)?).execute(on).await?
    };
    Ok(done.rows_affected() > 0)
}
