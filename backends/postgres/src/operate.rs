//! What is done to a whole store.

use std::sync::{Arc, Weak, atomic::Ordering};

use async_trait::async_trait;
use sqlx::{Connection, PgConnection, query, query_as, raw_sql};
use statehold_core::{
    Compacted, Durability, Error, ErrorKind, KeyGroups, Loader, Result, Snapshot, StateId, StateOperator,
};

use crate::{
    catalog,
    connect::Purpose,
    error, publish,
    store::{Inner, PostgresStore},
};

#[async_trait]
impl StateOperator for PostgresStore {
    /// Every commit was at the store's level before it was acknowledged: there is nothing left to do.
    async fn finish(&self) -> Result<Durability> {
        self.0.pool.check_open().map_err(|e| self.0.named(e))?;
        Ok(self.0.durability)
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let inner = Arc::clone(&self.0);
        let snapshot = self.0.task(async move { inner.cut().await }).finish().await?;
        Ok(Box::new(snapshot))
    }

    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn Loader>> {
        let ticket = self.0.ticket();
        let inner = Arc::clone(&self.0);
        let loader = self.0.task(async move { inner.begin_load(groups, ticket).await }).finish().await?;
        Ok(Box::new(loader))
    }

    async fn compact(&self) -> Result<Compacted> {
        let inner = Arc::clone(&self.0);
        self.0.task(async move { inner.compact().await }).finish().await
    }

    async fn drop_state(&self, state: StateId) -> Result<()> {
        let inner = Arc::clone(&self.0);
        self.0.task(async move { inner.drop_state(state).await }).finish().await
    }

    async fn close(&self) -> Result<()> {
        let inner = Arc::clone(&self.0);
        self.0.task(async move { inner.close().await }).finish().await
    }
}

impl Inner {
    async fn drop_state(&self, state: StateId) -> Result<()> {
        self.check_writable()?;
        let mut connection = self.pool.connector().connect(Purpose::Lifecycle).await?;
        let dropped = self.drop_on(&mut connection, state).await;
        // The server ends the session either way.
        let _ = connection.close().await;
        dropped?;
        self.catalog.remove(state);
        self.purge_or_warn().await;
        Ok(())
    }

    async fn drop_on(&self, connection: &mut PgConnection, state: StateId) -> Result<()> {
        let mut transaction = connection.begin().await.map_err(error::of)?;
        publish::lock(&mut transaction, self).await?;
        let end = "UPDATE states SET phase = 'dead' WHERE id = $1 AND store = $2 AND phase = 'live'";
        let ended = query(end).bind(catalog::id(state)).bind(self.store).execute(&mut *transaction).await;
        if ended.map_err(error::of)?.rows_affected() == 0 {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no state number {}", state.0))
                .advise("`states` lists those there are"));
        }
        let sql = "SELECT incarnation FROM stores WHERE id = $1";
        let (incarnation,): (i32,) =
            query_as(sql).bind(self.store).fetch_one(&mut *transaction).await.map_err(error::of)?;
        let next = publish::above(u32::try_from(incarnation).unwrap_or_default())?;
        let raise = "UPDATE stores SET incarnation = $2 WHERE id = $1";
        query(raise).bind(self.store).bind(next).execute(&mut *transaction).await.map_err(error::of)?;
        let tell = "UPDATE stripes SET incarnation = $2 WHERE store = $1";
        query(tell).bind(self.store).bind(next).execute(&mut *transaction).await.map_err(error::of)?;
        transaction.commit().await.map_err(error::of)
    }

    /// Waits for what is under way; every connection is closed when this returns.
    async fn close(&self) -> Result<()> {
        let _one_at_a_time = self.closing.lock().await;
        self.pool.begin_close();
        let marked = if self.counted.swap(false, Ordering::AcqRel) { self.mark_clean().await } else { Ok(()) };
        self.end().await;
        marked
    }

    /// Leaves a store behind that is known to be whole: the mark is flushed, and with it every commit before.
    async fn mark_clean(&self) -> Result<()> {
        let mut connection = self.pool.connector().connect(Purpose::Lifecycle).await?;
        raw_sql("SET synchronous_commit = on").execute(&mut connection).await.map_err(error::of)?;
        let sql = "UPDATE stores SET unclean = greatest(unclean - 1, 0) WHERE id = $1 AND epoch = $2";
        query(sql).bind(self.store).bind(self.epoch).execute(&mut connection).await.map_err(error::of)?;
        // The server ends the session either way.
        let _ = connection.close().await;
        Ok(())
    }

    /// Closes the connections of snapshots, then those of the pool.
    pub(crate) async fn end(&self) {
        let sessions: Vec<_> = self.sessions.lock().drain(..).collect();
        for session in sessions.iter().filter_map(Weak::upgrade) {
            session.end().await;
        }
        self.pool.close().await;
    }
}
