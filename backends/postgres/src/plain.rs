//! Commits that only put whole records: one plain statement, at about a third of the commit function's price.
//!
//! It locks the groups' rows as the function does, so it waits for commits with conditions and for a new owner. Its
//! view of the states is that of its beginning: one that waited for a drop may still write into the dropped state,
//! as if it had come first. [`purge`](crate::store::Inner::purge) waits for those before it erases.

use sqlx::{
    Arguments, PgConnection, error::BoxDynError, error::Error as SqlError, postgres::PgArguments, query_as,
    query_as_with,
};

use crate::batch::{Answer, Statement, slices};

const SQL: &str = "WITH held AS MATERIALIZED (
        SELECT 1 FROM key_groups g WHERE g.store = $1 AND g.grp = ANY ($3) AND g.epoch = $2
        ORDER BY g.grp FOR NO KEY UPDATE
    ), found AS MATERIALIZED (
        SELECT (SELECT count(*) FROM held) = cardinality($3) AS held, (
            SELECT count(*) FROM states t WHERE t.id = ANY ($4) AND t.store = $1 AND t.phase = 'live'
        ) = cardinality($4) AS live
    ), put AS (
        INSERT INTO entries (state, grp, key, sub, value, expires_at)
        SELECT p.* FROM found, unnest($5::int4[], $6::int2[], $7::bytea[], $8::bytea[], $9::bytea[], $10::int8[]) p
        WHERE found.held AND found.live
        ON CONFLICT (state, grp, key, sub) DO UPDATE
        SET revision = NULL, expires_at = excluded.expires_at, value = excluded.value
    )
    SELECT f.held, f.live, (SELECT s.floor FROM stores s WHERE s.id = $1) FROM found f";

/// The same for one record, which needs no arrays: half their price. It answers nothing where it may not write.
const ONE: &str = "INSERT INTO entries (state, grp, key, sub, value, expires_at)
    SELECT t.id, held.grp, $5, $6, $7, $8
    FROM (
        SELECT g.grp FROM key_groups g WHERE g.store = $1 AND g.grp = $3 AND g.epoch = $2 FOR NO KEY UPDATE
    ) held, states t
    WHERE t.id = $4 AND t.store = $1 AND t.phase = 'live'
    ON CONFLICT (state, grp, key, sub) DO UPDATE
    SET revision = NULL, expires_at = excluded.expires_at, value = excluded.value
    RETURNING (SELECT s.floor FROM stores s WHERE s.id = $1)";

/// Whether the one record of `statement` is written, and the floor of time; `None` also if there are more.
async fn run_one(statement: &Statement, on: &mut PgConnection) -> Result<Option<Answer>, SqlError> {
    let ([group], [state], Some((key, sub, value, expires))) =
        (&statement.groups[..], &statement.states[..], statement.puts.only())
    else {
        return Ok(None);
    };
    let query = query_as(ONE).bind(statement.store).bind(statement.epoch).bind(group).bind(state);
    let written: Option<(Option<i64>,)> =
        query.bind(key).bind(sub).bind(value).bind(expires).fetch_optional(on).await?;
    Ok(written.map(|(floor,)| Answer { outcome: "committed".to_owned(), floor, ..Answer::default() }))
}

fn arguments(statement: &Statement) -> Result<PgArguments, BoxDynError> {
    let mut to = PgArguments::default();
    to.add(statement.store)?;
    to.add(statement.epoch)?;
    to.add(&statement.groups[..])?;
    to.add(&statement.states[..])?;
    let puts = &statement.puts;
    puts.at.add(&mut to)?;
    to.add(puts.sub.iter().map(|sub| sub.as_deref().unwrap_or_default()).collect::<Vec<_>>())?;
    to.add(slices(&puts.value))?;
    to.add(&puts.expires[..])?;
    Ok(to)
}

/// Commits `statement`, which puts whole records and nothing else.
pub(crate) async fn run(statement: &Statement, on: &mut PgConnection) -> Result<Answer, SqlError> {
    if let Some(answer) = run_one(statement, on).await? {
        return Ok(answer);
    }
    let arguments = arguments(statement).map_err(SqlError::Encode)?;
    let (held, live, floor) = query_as_with(SQL, arguments).fetch_one(on).await?;
    let outcome = match (held, live) {
        (true, true) => "committed",
        (false, _) => "fenced",
        (true, false) => "gone",
    };
    Ok(Answer { outcome: outcome.to_owned(), floor, ..Answer::default() })
}
