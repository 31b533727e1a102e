//! [`MapCursor`]: a place in a map.

use std::marker::PhantomData;

use bytes::Bytes;
use statehold_core::key::{AsKey, Key};

/// Where the next page of one key's entries begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapCursor<S> {
    /// The last subkey before it, encoded.
    pub(super) sub: Bytes,
    of: PhantomData<S>,
}

impl<S> MapCursor<S> {
    pub(super) fn new(sub: Bytes) -> Self {
        Self { sub, of: PhantomData }
    }
}

impl<S: Key> MapCursor<S> {
    /// The page behind `sub`, whether there is such an entry or not: a range of a map begins there.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> statehold::Result<()> {
    /// use statehold::{MapCursor, Model, testing};
    /// let manager = testing::memory_manager(&[("readings", Model::Map)]).await?;
    /// let readings = manager.key_map::<String, u64, f64>("readings").await?;
    /// for minute in [0, 10, 20, 30] {
    ///     readings.put("boiler", &minute, 60.5).await?;
    /// }
    /// let (page, _) = readings.page("boiler", Some(&MapCursor::after(&14)), 2).await?;
    /// assert_eq!(page, [(20, 60.5), (30, 60.5)]);
    /// # manager.close().await }
    /// ```
    #[must_use]
    pub fn after<R: AsKey<S> + ?Sized>(sub: &R) -> Self {
        let mut bytes = Vec::new();
        sub.encode(&mut bytes);
        Self::new(bytes.into())
    }
}
