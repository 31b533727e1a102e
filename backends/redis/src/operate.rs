//! What is done to a whole store.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use statehold_core::{
    Compacted, Durability, Error, ErrorKind, KeyGroups, Loader, Millis, Result, Snapshot, StateId, StateOperator,
};

use crate::{erase, inner::Inner, snapshot::RedisSnapshot, store::RedisStore};

impl RedisStore {
    /// Work of several requests, which goes on to its end if the caller drops the future.
    async fn whole<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let done = tokio::spawn(work(Arc::clone(&self.inner))).await;
        let done = done.map_err(|e| Error::internal("an operation ended without an answer").because(e))?;
        done.map_err(|e| self.inner.named(e))
    }
}

#[async_trait]
impl StateOperator for RedisStore {
    /// Every commit was as durable as the server's settings say before it was acknowledged.
    async fn finish(&self) -> Result<Durability> {
        self.inner.check_open().map_err(|e| self.inner.named(e))?;
        Ok(self.inner.durability)
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let cut = self.whole(|inner| async move { inner.open_cut().await }).await?;
        Ok(Box::new(RedisSnapshot(cut)))
    }

    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn Loader>> {
        let loader = self.whole(move |inner| async move { inner.begin_load(groups).await }).await?;
        Ok(Box::new(loader))
    }

    async fn compact(&self) -> Result<Compacted> {
        self.whole(|inner| async move { inner.compact().await }).await
    }

    async fn drop_state(&self, state: StateId) -> Result<()> {
        self.whole(move |inner| async move { inner.drop_state(state).await }).await
    }

    async fn close(&self) -> Result<()> {
        self.whole(|inner| async move { inner.close().await }).await
    }
}

impl Inner {
    async fn drop_state(&self, id: StateId) -> Result<()> {
        self.check_writable()?;
        let dropped = self
            .change(|catalog| {
                if catalog.remove(id).is_none() {
                    return Err(Error::new(ErrorKind::NotFound, format!("there is no state number {}", id.0))
                        .advise("`states` lists those there are"));
                }
                catalog.incarnation = Self::next_incarnation(catalog)?;
                Ok(Some(catalog.incarnation))
            })
            .await?;
        self.raise(dropped.unwrap_or_default(), Millis(0), 0).await?;
        erase::leftovers(self).await
    }

    /// A second close does nothing.
    async fn close(&self) -> Result<()> {
        if !self.begin_close() {
            return Ok(());
        }
        let Some(link) = self.take_link() else { return Ok(()) };
        if !self.exclusive {
            return Ok(());
        }
        let key = self.names.catalog();
        let mut known = self.catalog();
        loop {
            if known.epoch != self.epoch {
                return Ok(());
            }
            let mut next = (*known).clone();
            next.clean = known.clean || !self.suspect.load(Ordering::Acquire);
            match known.replace(&link, &key, next).await? {
                Some(_) => return Ok(()),
                None => known = Arc::new(crate::catalog::Catalog::read(&link, &key).await?),
            }
        }
    }
}
