//! Native archives of an [`OrderedStore`](super::OrderedStore) whose engine keeps files.

mod cut;
mod folder;
mod join;
mod loader;
mod part;
mod switch;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;

use super::{FileEngine, inner::Inner};
use crate::{KeyGroups, NativeArchive, NativeCut, NativeLoader, Result};

/// The door to a store's native archives.
pub(super) struct Native<E: FileEngine> {
    inner: Arc<Inner<E>>,
    /// Cuts and loads so far: their folders have their numbers.
    folders: AtomicU64,
}

impl<E: FileEngine> Native<E> {
    pub(super) fn new(inner: Arc<Inner<E>>) -> Self {
        Self { inner, folders: AtomicU64::new(0) }
    }

    fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.folders.fetch_add(1, Ordering::AcqRel))
    }
}

#[async_trait]
impl<E: FileEngine> NativeArchive for Native<E> {
    fn format(&self) -> &'static str {
        E::FORMAT
    }

    async fn ready(&self) -> Result<()> {
        self.inner.hop(|inner| inner.check_writable().and_then(|()| inner.engine()?.flush())).finish().await
    }

    async fn cut(&self) -> Result<Box<dyn NativeCut>> {
        let name = self.name("cut");
        let cut = self.inner.hop(move |inner| cut::take(inner, &name)).finish().await?;
        Ok(Box::new(cut))
    }

    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn NativeLoader>> {
        let number = self.inner.loads.fetch_add(1, Ordering::AcqRel) + 1;
        let name = self.name("load");
        let loader = self.inner.hop(move |inner| loader::begin(inner, groups, number, &name)).finish().await?;
        Ok(Box::new(loader))
    }
}
