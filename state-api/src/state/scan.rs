//! Scans of a whole state as streams, in bounded memory (contract KV-4).

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use statehold_core::{KeyGroup, PageLimit, Position, Reads as _, Result, Row, ScanRange, ScanRequest};

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

/// All live rows of a state, each page one point in time. Boxed, so that callers need not pin it.
pub(super) fn rows(core: Arc<StateCore>, order: ScanOrder) -> BoxStream<'static, Result<Row>> {
    match order {
        ScanOrder::Group => by_group(core).boxed(),
        ScanOrder::Key => by_key(core).boxed(),
    }
}

async fn page(
    core: &StateCore,
    group: KeyGroup,
    after: Option<Position>,
    limit: PageLimit,
) -> Result<(Vec<Row>, Option<Position>)> {
    core.check()?;
    let request = ScanRequest { state: core.id, group, range: ScanRange::All, after, limit };
    let page = core.runtime.reader().scan(&request).finish().await?;
    Ok((page.rows, page.next))
}

fn by_group(core: Arc<StateCore>) -> impl Stream<Item = Result<Row>> + Send {
    let mut groups = core.runtime.store.groups().iter();
    let first = groups.next();
    stream::try_unfold((core, groups, first, None), |(core, mut groups, group, after)| async move {
        let Some(group) = group else { return Ok(None) };
        let (rows, next) = page(&core, group, after, PageLimit::default()).await?;
        let group = if next.is_some() { Some(group) } else { groups.next() };
        Ok::<_, statehold_core::Error>(Some((stream::iter(rows.into_iter().map(Ok)), (core, groups, group, next))))
    })
    .try_flatten()
}

/// The page that one group holds while its rows are merged.
struct Lane {
    group: KeyGroup,
    rows: VecDeque<Row>,
    next: Option<Position>,
}

impl Lane {
    async fn fill(&mut self, core: &StateCore) -> Result<()> {
        let limit = PageLimit { rows: MERGE_ROWS, ..PageLimit::default() };
        while self.rows.is_empty() {
            let Some(after) = self.next.take() else { break };
            let (rows, next) = page(core, self.group, Some(after), limit).await?;
            (self.rows, self.next) = (rows.into(), next);
        }
        Ok(())
    }
}

struct Merge {
    core: Arc<StateCore>,
    lanes: Vec<Lane>,
    /// The first row of each lane that has one.
    heads: BinaryHeap<Reverse<(Bytes, Bytes, usize)>>,
}

impl Merge {
    async fn begin(core: Arc<StateCore>) -> Result<Self> {
        let mut merge = Self { lanes: Vec::new(), heads: BinaryHeap::new(), core };
        let limit = PageLimit { rows: MERGE_ROWS, ..PageLimit::default() };
        for group in merge.core.runtime.store.groups().iter() {
            let (rows, next) = page(&merge.core, group, None, limit).await?;
            merge.lanes.push(Lane { group, rows: rows.into(), next });
            merge.offer(merge.lanes.len() - 1).await?;
        }
        Ok(merge)
    }

    async fn offer(&mut self, lane: usize) -> Result<()> {
        let Some(of) = self.lanes.get_mut(lane) else { return Ok(()) };
        of.fill(&self.core).await?;
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

fn by_key(core: Arc<StateCore>) -> impl Stream<Item = Result<Row>> + Send {
    stream::once(Merge::begin(core))
        .map_ok(|merge| {
            stream::try_unfold(merge, |mut merge| async move {
                Ok::<_, statehold_core::Error>(merge.next().await?.map(|row| (row, merge)))
            })
        })
        .try_flatten()
}
