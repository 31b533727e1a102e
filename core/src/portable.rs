//! Ready bodies of `archive` and `recover`, over snapshot and loader: any engine's
//! content as rows, which any other engine takes (contract LIFE-7).

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{
    ArchiveSink, ArchiveSource, ArchiveStep, Error, KeyGroup, KeyGroups, Loader, Millis, Result, Row, ScanRequest,
    Snapshot, StateId, StateSpec,
};

/// Writes the cut's rows into `sink`, group by group and within a group state by state.
///
/// # Errors
/// What the snapshot or the sink fails with.
pub async fn archive(snapshot: &dyn Snapshot, groups: KeyGroups, sink: &mut dyn ArchiveSink) -> Result<()> {
    let states = snapshot.states().await?;
    for (id, spec) in &states {
        sink.state(*id, spec).await?;
    }
    for group in groups.iter() {
        for (id, _) in &states {
            let mut request = ScanRequest::all(*id, group);
            loop {
                let page = snapshot.scan(&request).finish().await?;
                if !page.rows.is_empty() {
                    sink.rows(*id, group, page.rows).await?;
                }
                match page.next {
                    Some(next) => request.after = Some(next),
                    None => break,
                }
            }
        }
    }
    sink.floor(snapshot.now(), snapshot.incarnation()).await
}

/// A sink that loads what it takes: the content of one store into another.
pub struct LoadSink {
    loader: Box<dyn Loader>,
    ids: BTreeMap<StateId, StateId>,
}

impl std::fmt::Debug for LoadSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadSink").field("states", &self.ids.len()).finish_non_exhaustive()
    }
}

impl LoadSink {
    /// A sink for one cut. Nothing is seen of it before [`LoadSink::publish`].
    #[must_use]
    pub fn new(loader: Box<dyn Loader>) -> Self {
        Self { loader, ids: BTreeMap::new() }
    }

    /// Makes what was taken the store's content.
    ///
    /// # Errors
    /// What the loader fails with.
    pub async fn publish(self) -> Result<()> {
        self.loader.publish().await
    }
}

#[async_trait]
impl ArchiveSink for LoadSink {
    async fn state(&mut self, id: StateId, spec: &StateSpec) -> Result<()> {
        let loaded = self.loader.state(spec).await?;
        self.ids.insert(id, loaded);
        Ok(())
    }

    async fn rows(&mut self, id: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        let id = self.ids.get(&id).ok_or_else(|| Error::invalid("rows of a state that was not named before"))?;
        self.loader.load(*id, group, rows).await
    }

    async fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()> {
        self.loader.floor(now, incarnation)
    }
}

/// Loads everything `source` yields and publishes it.
///
/// # Errors
/// What the source or the loader fails with; nothing was published.
pub async fn recover(mut loader: Box<dyn Loader>, source: &mut dyn ArchiveSource) -> Result<()> {
    let mut ids: BTreeMap<u32, StateId> = BTreeMap::new();
    while let Some(step) = source.next().await? {
        match step {
            ArchiveStep::State(index, spec) => {
                ids.insert(index, loader.state(&spec).await?);
            }
            ArchiveStep::Rows(index, group, rows) => {
                let id = ids.get(&index).ok_or_else(|| {
                    Error::corrupt(format!("the archive has rows of state number {index}, which it never names"))
                })?;
                loader.load(*id, group, rows).await?;
            }
            ArchiveStep::Floor(now, incarnation) => loader.floor(now, incarnation)?,
        }
    }
    loader.publish().await
}
