//! A cut: a frozen image of the engine with the catalog of that instant.

use std::{
    slice,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use parking_lot::RwLock;

use super::{
    Engine,
    catalog::Catalog,
    inner::{Inner, session_of},
    read::Wanted,
    scan,
};
use crate::{Address, Cell, Error, Millis, Op, Page, Reads, Result, ScanRequest, Snapshot, StateId, StateSpec};

/// An engine's image, taken away when the store closes.
pub(super) struct Image<E: Engine>(RwLock<Option<E::Image>>);

impl<E: Engine> Image<E> {
    /// Releases what the image holds; waits for a read that is under way.
    pub(super) fn release(&self) {
        drop(self.0.write().take());
    }
}

/// Of lists with TTL its scans show the head rows too: see [`Snapshot`].
struct Cut<E: Engine> {
    inner: Arc<Inner<E>>,
    image: Arc<Image<E>>,
    catalog: Catalog,
    now: Millis,
    incarnation: u32,
}

pub(super) struct OrderedSnapshot<E: Engine>(Arc<Cut<E>>);

impl<E: Engine> Inner<E> {
    /// One instant over all states: no commit comes between the floor of time, catalog and image.
    pub(super) fn cut(self: &Arc<Self>) -> Result<OrderedSnapshot<E>> {
        let mut writer = self.lock();
        let now = self.clock.now();
        if self.read_only {
            self.clock.raise(now);
        } else {
            self.raise_floor(&mut writer, now)?;
        }
        let image = Arc::new(Image(RwLock::new(Some(self.engine()?.image()?))));
        let mut images = self.images.lock();
        images.retain(|image| image.strong_count() > 0);
        images.push(Arc::downgrade(&image));
        drop(images);
        // Who loads this cut must go on above its revisions and its ordinals.
        let session = session_of(self.ordinals.load(Ordering::Acquire));
        let cut = Cut {
            inner: Arc::clone(self),
            image,
            catalog: self.catalog.read().clone(),
            now,
            incarnation: writer.head.incarnation.max(session),
        };
        // A `close` that came in between did not see the image.
        self.check_open().inspect_err(|_| cut.image.release())?;
        Ok(OrderedSnapshot(Arc::new(cut)))
    }
}

impl<E: Engine> Cut<E> {
    fn run<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self, &E::Image) -> Result<T> + Send + 'static,
    ) -> Op<'static, T> {
        let cut = Arc::clone(self);
        self.inner.run(move |_| {
            let image = cut.image.0.read_recursive();
            read(&cut, image.as_ref().ok_or_else(|| cut.gone())?)
        })
    }

    #[cold]
    fn gone(&self) -> Error {
        match self.inner.check_open() {
            Err(closed) => closed,
            Ok(()) => Error::fenced("the snapshot ended when the store was recovered").advise("take a new one"),
        }
    }

    fn wanted(&self, at: &[Address]) -> Result<Wanted> {
        at.iter().try_for_each(|at| self.inner.check_address(at))?;
        Wanted::new(at, |state| self.catalog.form(state))
    }

    fn get_many(self: &Arc<Self>, at: &[Address]) -> Op<'static, Vec<Option<Cell>>> {
        match self.wanted(at) {
            Err(e) => Op::Ready(Err(self.inner.named(e))),
            Ok(wanted) => self.run(move |cut, image| wanted.read(image, cut.now)),
        }
    }
}

impl<E: Engine> Reads for OrderedSnapshot<E> {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        match self.0.get_many(slice::from_ref(at)) {
            Op::Ready(found) => Op::Ready(found.map(|mut cells| cells.pop().flatten())),
            waiting => Op::boxed(async move { Ok(waiting.finish().await?.pop().flatten()) }),
        }
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        self.0.get_many(at)
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        let form = match self.0.inner.check_group(request.group).and_then(|()| self.0.catalog.form(request.state)) {
            Ok(form) => form,
            Err(e) => return Op::Ready(Err(self.0.inner.named(e))),
        };
        let request = request.clone();
        self.0.run(move |cut, image| scan::page(image, form, &request, cut.now, true))
    }
}

#[async_trait]
impl<E: Engine> Snapshot for OrderedSnapshot<E> {
    fn now(&self) -> Millis {
        self.0.now
    }

    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        self.0.inner.check_open().map_err(|e| self.0.inner.named(e))?;
        Ok(self.0.catalog.list())
    }

    fn incarnation(&self) -> u32 {
        self.0.incarnation
    }
}
