//! Ready bodies of `archive` and `recover`, over snapshot and loader: any engine's
//! content as rows, which any other engine takes (contract LIFE-7).

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::future;

use crate::{
    ArchiveSink, ArchiveSource, ArchiveStep, Error, KeyGroup, KeyGroups, Loader, Millis, PageLimit, Result, Row,
    ScanRequest, Snapshot, StateId, StateSpec,
};

/// Writes the cut's rows into `sink`, group by group and within a group state by state. While the sink takes some
/// rows, the next are read.
///
/// # Errors
/// What the snapshot or the sink fails with.
pub async fn archive(snapshot: &dyn Snapshot, groups: KeyGroups, sink: &mut dyn ArchiveSink) -> Result<()> {
    let states = snapshot.states().await?;
    for (id, spec) in &states {
        sink.state(*id, spec).await?;
    }
    let states: Vec<StateId> = states.into_iter().map(|(id, _)| id).collect();
    let mut pages = Pages { snapshot, tables: tables(groups, states), request: None };
    let mut next = pages.next().await?;
    while let Some((state, group, rows)) = next {
        let (taken, read) = future::join(sink.rows(state, group, rows), pages.next()).await;
        taken?;
        next = read?;
    }
    sink.floor(snapshot.now(), snapshot.incarnation()).await
}

/// A page is a hop to a pool or a server: larger than those that people wait for.
const PAGE: PageLimit = PageLimit { rows: 4096, bytes: 1 << 20 };

/// The first pages of all states, group by group.
fn tables(groups: KeyGroups, states: Vec<StateId>) -> impl Iterator<Item = ScanRequest> + Send {
    let page = |state, group| ScanRequest { limit: PAGE, ..ScanRequest::all(state, group) };
    groups.iter().flat_map(move |group| states.clone().into_iter().map(move |state| page(state, group)))
}

/// Reads tables one after another, page by page.
struct Pages<'a, T> {
    snapshot: &'a dyn Snapshot,
    tables: T,
    /// Goes on in a table.
    request: Option<ScanRequest>,
}

impl<T: Iterator<Item = ScanRequest>> Pages<'_, T> {
    /// The next page that has rows.
    async fn next(&mut self) -> Result<Option<(StateId, KeyGroup, Vec<Row>)>> {
        while let Some(request) = self.request.take().or_else(|| self.tables.next()) {
            let page = self.snapshot.scan(&request).finish().await?;
            let (state, group) = (request.state, request.group);
            self.request = page.next.map(|next| ScanRequest { after: Some(next), ..request });
            if !page.rows.is_empty() {
                return Ok(Some((state, group, page.rows)));
            }
        }
        Ok(None)
    }
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

/// Loads everything `source` yields and publishes it. While some rows are loaded, the next are read.
///
/// # Errors
/// What the source or the loader fails with; nothing was published.
pub async fn recover(mut loader: Box<dyn Loader>, source: &mut dyn ArchiveSource) -> Result<()> {
    let mut ids: BTreeMap<u32, StateId> = BTreeMap::new();
    let mut next = source.next().await?;
    while let Some(step) = next {
        next = match step {
            ArchiveStep::State(index, spec) => {
                ids.insert(index, loader.state(&spec).await?);
                source.next().await?
            }
            ArchiveStep::Rows(index, group, rows) => {
                let id = ids.get(&index).ok_or_else(|| {
                    Error::corrupt(format!("the archive has rows of state number {index}, which it never names"))
                })?;
                let (loaded, next) = future::join(loader.load(*id, group, rows), source.next()).await;
                loaded?;
                next?
            }
            ArchiveStep::Floor(now, incarnation) => {
                loader.floor(now, incarnation)?;
                source.next().await?
            }
        };
    }
    loader.publish().await
}
