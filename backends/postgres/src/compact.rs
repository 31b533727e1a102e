//! Removing what is dead or expired, in steps that let commits through.

use std::sync::Arc;

use sqlx::{PgConnection, error::Error as SqlError, query, query_as, query_scalar};
use statehold_core::{Compacted, KeyGroup, Millis, Model, Result, StateId};

use crate::{
    bits::flip,
    catalog::number,
    place::{RowKey, stripe},
    pool::Work,
    store::Inner,
};

impl Inner {
    pub(crate) async fn compact(&self) -> Result<Compacted> {
        self.check_writable()?;
        // What is removed now must not be there again for a clock that goes back.
        let now = self.raise_floor(self.clock.now()).await?;
        let mut expired = 0;
        for (id, spec) in self.states().await?.into_iter().filter(|(_, spec)| spec.ttl) {
            if spec.model != Model::List {
                expired += self.compact_state(id, now).await?;
                continue;
            }
            for group in self.groups.iter() {
                expired += self.compact_lists(id, group, now).await?;
            }
        }
        self.purge().await?;
        Ok(Compacted { expired })
    }

    async fn compact_state(&self, state: StateId, now: Millis) -> Result<u64> {
        let mut step = Step { state, now, after: None };
        let mut expired = 0;
        while let Some((gone, key, sub)) = self.lasting(self.pool.write(&step).await)? {
            expired += gone as u64;
            step.after = Some((key, sub));
        }
        Ok(expired)
    }

    async fn compact_lists(&self, state: StateId, group: KeyGroup, now: Millis) -> Result<u64> {
        let mut step = ListStep { store: self.store, epoch: self.epoch, state, group, now, from: None };
        let mut expired = 0;
        loop {
            let (gone, next) = self.lasting(self.pool.write(&step).await)?;
            expired += gone as u64;
            if next.is_none() {
                return Ok(expired);
            }
            step.from = next;
        }
    }

    /// Removes the entries of states that were dropped or replaced.
    pub(crate) async fn purge(&self) -> Result<()> {
        let dead = self.pool.read(&Dead { store: self.store }).await?;
        for state in dead {
            let number = number(state)?;
            while self.lasting(self.pool.write(&Erase { state: number }).await)? {}
            self.lasting(self.pool.write(&Forget { state }).await)?;
        }
        Ok(())
    }

    /// The content is switched already: what stays is found by the next open.
    pub(crate) async fn purge_or_warn(&self) {
        if let Err(e) = self.purge().await
            && self.pool.check_open().is_ok()
        {
            tracing::warn!(store = %self.name, error = %e, "entries of dropped states stay until the next open or compact");
        }
    }

    /// Removes what a crash left, beside everything else.
    pub(crate) fn purge_beside(self: Arc<Self>) {
        let runtime = self.runtime.clone();
        runtime.spawn(async move { self.purge_or_warn().await });
    }
}

/// Looks at the next rows and removes those that have expired; `None` behind the last row.
struct Step {
    state: StateId,
    now: Millis,
    after: Option<(Vec<u8>, Vec<u8>)>,
}

impl Work for Step {
    type Out = Option<(i64, Vec<u8>, Vec<u8>)>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let sql = "WITH page AS (
                SELECT e.ctid AS place, e.key, e.sub, e.expires_at FROM entries e
                WHERE (e.key, e.sub) > (coalesce($1, $2), coalesce($3, '')) AND e.key < $4 ORDER BY e.key, e.sub LIMIT 4096
            ), gone AS (
                DELETE FROM entries e USING page p
                WHERE e.ctid = p.place AND p.expires_at <= $5 AND e.expires_at <= $5 RETURNING 1
            )
            SELECT (SELECT count(*) FROM gone), p.key, p.sub FROM page p ORDER BY p.key DESC, p.sub DESC LIMIT 1";
        query_as(sql)
            .bind(self.after.as_ref().map(|(key, _)| key))
            .bind(RowKey::start(self.state, 0))
            .bind(self.after.as_ref().map(|(_, sub)| sub))
            .bind(RowKey::end(self.state))
            .bind(flip(self.now.0))
            .fetch_optional(on)
            .await
    }
}

struct ListStep {
    store: i32,
    epoch: i64,
    state: StateId,
    group: KeyGroup,
    now: Millis,
    /// Where the last step ended.
    from: Option<Vec<u8>>,
}

impl Work for ListStep {
    type Out = (i64, Option<Vec<u8>>);

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        query_as("SELECT expired, next FROM statehold_compact_lists($1, $2, $3, coalesce($4, $5), $6, $7)")
            .bind(self.store)
            .bind(self.epoch)
            .bind(stripe(self.group))
            .bind(&self.from)
            .bind(RowKey::start(self.state, self.group.0))
            .bind(RowKey::start(self.state, self.group.0 + 1))
            .bind(flip(self.now.0))
            .fetch_one(on)
            .await
    }
}

/// The numbers of dead states.
struct Dead {
    store: i32,
}

impl Work for Dead {
    type Out = Vec<i32>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        query_scalar("SELECT id FROM states WHERE store = $1 AND phase = 'dead'").bind(self.store).fetch_all(on).await
    }
}

/// Removes some entries of a dead state; whether there were any.
struct Erase {
    state: StateId,
}

impl Work for Erase {
    type Out = bool;

    async fn run(&self, on: &mut PgConnection) -> Result<bool, SqlError> {
        let sql = "DELETE FROM entries WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM entries WHERE key >= $1 AND key < $2 LIMIT 10000
            ))";
        let query = query(sql).bind(RowKey::start(self.state, 0)).bind(RowKey::end(self.state));
        Ok(query.execute(on).await?.rows_affected() > 0)
    }
}

/// Takes a dead state out of the catalog.
struct Forget {
    state: i32,
}

impl Work for Forget {
    type Out = ();

    async fn run(&self, on: &mut PgConnection) -> Result<(), SqlError> {
        query("DELETE FROM states WHERE id = $1 AND phase = 'dead'").bind(self.state).execute(on).await.map(drop)
    }
}
