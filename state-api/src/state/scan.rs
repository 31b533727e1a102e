//! Scans of a whole state as streams, in bounded memory (contract KV-4).

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use futures::{
    FutureExt, Stream, StreamExt, TryStreamExt,
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use statehold_core::{Error, KeyGroup, PageLimit, Position, Reads as _, Result, Row, ScanRequest};

use tokio::{runtime::Handle, task::JoinHandle};

use super::core::StateCore;

/// The order of a state's scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScanOrder {
    /// Group by group, in key order within each: the cheapest.
    #[default]
    Group,
    /// By key over all groups, holding one page a group.
    Key,
}

/// Rows of a page where every group holds one.
const MERGE_ROWS: usize = 64;

/// What is wanted of each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Rows,
    /// Values may be missing.
    Keys,
}

/// All live rows of a state, each page one point in time. Boxed, so that callers need not pin it.
pub(super) fn rows(core: Arc<StateCore>, order: ScanOrder, want: Want) -> BoxStream<'static, Result<Row>> {
    match order {
        ScanOrder::Group => by_group(core, want).boxed(),
        ScanOrder::Key => by_key(core, want).boxed(),
    }
}

/// Where a page begins.
type Place = (KeyGroup, Option<Position>);

/// Rows, and behind which the next page of the group begins.
type Found = (Vec<Row>, Option<Position>);

async fn page(core: &StateCore, (group, after): Place, limit: PageLimit, want: Want) -> Result<Found> {
    core.check()?;
    let keys_only = want == Want::Keys;
    let request = ScanRequest { after, limit, keys_only, ..ScanRequest::all(core.id, group) };
    let page = core.runtime.reader().scan(&request).finish().await?;
    Ok((page.rows, page.next))
}

/// Rows of the first page, and of those behind it: who wants a few shall not wait for many, and a page is a hop to
/// the pool or the server.
const FIRST_ROWS: usize = 256;
const MORE_ROWS: usize = 4096;

/// A page that is being read; nobody wants it any more when it is dropped.
struct Task(JoinHandle<Result<Found>>);

impl Task {
    async fn found(mut self) -> Result<Found> {
        (&mut self.0).await.map_err(|e| Error::internal("a page was not read to its end").because(e))?
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A page of a group, begun.
type Ahead = (KeyGroup, BoxFuture<'static, Result<Found>>);

/// Reads pages while the rows of the one before are used: the next of a group, and the first of the group behind it.
struct Pages<G> {
    core: Arc<StateCore>,
    want: Want,
    groups: G,
    limit: PageLimit,
    next: Option<Ahead>,
    behind: Option<Ahead>,
}

impl<G: Iterator<Item = KeyGroup>> Pages<G> {
    fn begin_group(&mut self) -> Option<Ahead> {
        let group = self.groups.next()?;
        Some(self.begin((group, None)))
    }

    fn begin(&self, place: Place) -> Ahead {
        let (core, group, limit, want) = (Arc::clone(&self.core), place.0, self.limit, self.want);
        let mut page = async move { page(&core, place, limit, want).await }.boxed();
        // What has to be waited for goes on by itself: whoever holds the stream must hold no connection.
        match (&mut page).now_or_never() {
            Some(found) => page = future::ready(found).boxed(),
            None if Handle::try_current().is_ok() => page = Task(tokio::spawn(page)).found().boxed(),
            None => {}
        }
        (group, page)
    }

    async fn next(&mut self) -> Result<Option<Vec<Row>>> {
        let Some((group, page)) = self.next.take() else { return Ok(None) };
        let (rows, next) = page.await?;
        // It may have been read long ago.
        self.core.check()?;
        let is_first = self.limit.rows < MORE_ROWS;
        self.limit.rows = MORE_ROWS;
        self.next = match next {
            Some(after) => Some(self.begin((group, Some(after)))),
            None => self.behind.take().or_else(|| self.begin_group()),
        };
        // Who wants no more than the first page shall not pay for two.
        if !is_first && self.behind.is_none() {
            self.behind = self.begin_group();
        }
        Ok(Some(rows))
    }
}

fn by_group(core: Arc<StateCore>, want: Want) -> impl Stream<Item = Result<Row>> + Send {
    let groups = core.runtime.store.groups().iter();
    let limit = PageLimit { rows: FIRST_ROWS, ..PageLimit::default() };
    let mut pages = Pages { core, want, groups, limit, next: None, behind: None };
    stream::once(async move {
        pages.next = pages.begin_group();
        stream::try_unfold(pages, |mut pages| async move {
            let rows = pages.next().await?;
            Ok::<_, Error>(rows.map(|rows| (stream::iter(rows.into_iter().map(Ok)), pages)))
        })
        .try_flatten()
    })
    .flatten()
}

/// The page that one group holds while its rows are merged.
struct Lane {
    group: KeyGroup,
    rows: VecDeque<Row>,
    next: Option<Position>,
}

impl Lane {
    async fn fill(&mut self, core: &StateCore, want: Want) -> Result<()> {
        let limit = PageLimit { rows: MERGE_ROWS, ..PageLimit::default() };
        while self.rows.is_empty() {
            let Some(after) = self.next.take() else { break };
            let (rows, next) = page(core, (self.group, Some(after)), limit, want).await?;
            (self.rows, self.next) = (rows.into(), next);
        }
        Ok(())
    }
}

struct Merge {
    core: Arc<StateCore>,
    want: Want,
    lanes: Vec<Lane>,
    /// The first row of each lane that has one.
    heads: BinaryHeap<Reverse<(Bytes, Bytes, usize)>>,
}

impl Merge {
    async fn begin(core: Arc<StateCore>, want: Want) -> Result<Self> {
        let mut merge = Self { lanes: Vec::new(), heads: BinaryHeap::new(), core, want };
        let limit = PageLimit { rows: MERGE_ROWS, ..PageLimit::default() };
        for group in merge.core.runtime.store.groups().iter() {
            let (rows, next) = page(&merge.core, (group, None), limit, want).await?;
            merge.lanes.push(Lane { group, rows: rows.into(), next });
            merge.offer(merge.lanes.len() - 1).await?;
        }
        Ok(merge)
    }

    async fn offer(&mut self, lane: usize) -> Result<()> {
        let Some(of) = self.lanes.get_mut(lane) else { return Ok(()) };
        of.fill(&self.core, self.want).await?;
        if let Some(row) = of.rows.front() {
            self.heads.push(Reverse((row.key.clone(), row.sub.clone(), lane)));
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Row>> {
        let Some(Reverse((_, _, lane))) = self.heads.pop() else { return Ok(None) };
        let row = self.lanes.get_mut(lane).and_then(|l| l.rows.pop_front());
        self.offer(lane).await?;
        Ok(row)
    }
}

fn by_key(core: Arc<StateCore>, want: Want) -> impl Stream<Item = Result<Row>> + Send {
    stream::once(Merge::begin(core, want))
        .map_ok(|merge| {
            stream::try_unfold(
                merge,
                |mut merge| async move { Ok::<_, Error>(merge.next().await?.map(|row| (row, merge))) },
            )
        })
        .try_flatten()
}
