//! What is done to a whole store.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;

use super::{
    Engine, EngineBatch, OrderedStore, WriteLevel, erase,
    inner::Inner,
    meta::{self, Head},
};
use crate::{Compacted, Durability, Error, ErrorKind, KeyGroups, Loader, Result, Snapshot, StateId, StateOperator};

#[async_trait]
impl<E: Engine> StateOperator for OrderedStore<E> {
    /// Every commit was written at the store's level before it was acknowledged: there is nothing left to do.
    async fn finish(&self) -> Result<Durability> {
        self.inner.check_open().map_err(|e| self.inner.named(e))?;
        Ok(self.inner.durability)
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let snapshot = self.inner.run(Inner::cut).finish().await?;
        Ok(Box::new(snapshot))
    }

    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn Loader>> {
        let number = self.inner.loads.fetch_add(1, Ordering::AcqRel) + 1;
        let loader = self.inner.run(move |inner| inner.begin_load(groups, number)).finish().await?;
        Ok(Box::new(loader))
    }

    async fn compact(&self) -> Result<Compacted> {
        self.inner.hop(|inner| inner.compact()).finish().await
    }

    async fn drop_state(&self, state: StateId) -> Result<()> {
        self.inner.hop(move |inner| inner.drop_state(state)).finish().await
    }

    async fn close(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        self.inner.hop(move |_| inner.close()).finish().await
    }
}

impl<E: Engine> Inner<E> {
    fn drop_state(&self, id: StateId) -> Result<()> {
        self.check_writable()?;
        let mut writer = self.lock();
        let mut removed = None;
        self.change_catalog(|catalog| removed = catalog.remove(id));
        let Some(state) = removed else {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no state number {}", id.0))
                .advise("`states` lists those there are"));
        };
        let written = Head::above(writer.head.incarnation, "incarnations").and_then(|incarnation| {
            let head = Head { incarnation, ..writer.head };
            self.write_head(&mut writer, head, self.level(), |batch| {
                batch.delete(&meta::catalog_key(id));
                erase::table(batch, self.groups, state.form.table);
                Ok(())
            })
        });
        if written.is_err() {
            self.catalog.write().put(state);
        }
        written
    }

    /// Waits for what is under way; the engine is gone, and with it its lock, when this returns.
    fn close(&self) -> Result<()> {
        let _one_at_a_time = self.closing.lock();
        self.begin_close();
        let result = self.close_writes();
        self.release_images();
        let engine = self.engine.write().take();
        drop(engine);
        result
    }

    /// Takes their images away from all snapshots; waits for reads that are under way.
    pub(super) fn release_images(&self) {
        for image in self.images.lock().drain(..).filter_map(|image| image.upgrade()) {
            image.release();
        }
    }

    fn close_writes(&self) -> Result<()> {
        let marked = if self.marks_clean() { self.mark_clean() } else { Ok(()) };
        if let Some(engine) = self.engine.read_recursive().as_ref() {
            engine.stop();
        }
        // The commit that is under way ends first.
        drop(self.lock());
        marked
    }

    /// Whether an unclean end would be told from a clean one.
    fn marks_clean(&self) -> bool {
        !self.read_only && !E::IN_MEMORY && self.durability == Durability::Visible
    }

    /// Leaves a store behind that is known to be whole.
    fn mark_clean(&self) -> Result<()> {
        let mut writer = self.lock();
        let guard = self.engine.read_recursive();
        let Some(engine) = guard.as_ref().filter(|_| !writer.suspect) else { return Ok(()) };
        engine.flush()?;
        let head = Head { clean: true, ..writer.head };
        let mut batch = engine.batch();
        batch.put(&meta::head_key(), &meta::seal(&head)?);
        engine.write(&mut batch, WriteLevel::Synced)?;
        writer.head = head;
        Ok(())
    }
}
