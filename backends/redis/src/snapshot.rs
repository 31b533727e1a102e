//! [`RedisSnapshot`]: an open cut as something to read.

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    Address, Cell, Form, Millis, Op, Page, Reads, Result, ScanRange, ScanRequest, Snapshot, StateId, StateSpec,
};

use crate::{
    cuts::Cut,
    encode::exclusive,
    names::Unit,
    page::{Gather, Window},
};

pub(crate) struct RedisSnapshot(pub(crate) Cut);

impl RedisSnapshot {
    async fn look_up(&self, at: &[Address]) -> Result<Vec<Option<Cell>>> {
        let Cut { inner, catalog, number, now, .. } = &self.0;
        inner.check_open()?;
        for at in at {
            inner.check_address(at)?;
            catalog.form(at.state)?.check(&at.key, &at.sub)?;
        }
        let mut cells = Vec::with_capacity(at.len());
        // A cut does not change: its records need not be read at once.
        for run in at.chunk_by(|a, b| inner.names.together(a.group, b.group)) {
            let asked: Vec<&Address> = run.iter().collect();
            let unit = inner.names.unit(run[0].group);
            cells.extend(inner.get_by_script(&unit, catalog, &asked, *number).await?.0);
        }
        Ok(cells.into_iter().map(|cell| cell.filter(|cell: &Cell| cell.is_live(*now))).collect())
    }

    async fn page(&self, request: &ScanRequest) -> Result<Page> {
        let Cut { inner, catalog, number, now, .. } = &self.0;
        inner.check_open()?;
        inner.check_group(request.group)?;
        let form = catalog.form(request.state)?;
        let unit = inner.names.unit(request.group);
        let Some(mut window) = Window::of(form, request)? else { return Ok(Page::default()) };
        let mut gather = Gather::new(form, request, *now, true);
        loop {
            let (names, more_names) = self.names(&unit, form, request, &window).await?;
            if names.is_empty() {
                return Ok(gather.page(false).0);
            }
            let step = inner.step(form, request, &window, Some(names), *number).await?;
            let last = step.found.last().map(|found| found.name.clone());
            let more = more_names || step.more;
            for found in step.found {
                if !gather.take(found)? {
                    return Ok(gather.page(true).0);
                }
            }
            match (last, &mut window.names) {
                // Nothing of the cut under all these names: go on behind them.
                (Some(last), Some((min, _))) if more && gather.is_empty() => *min = exclusive(&last),
                _ => return Ok(gather.page(more).0),
            }
        }
    }

    async fn names(
        &self,
        unit: &Unit,
        form: Form,
        request: &ScanRequest,
        window: &Window,
    ) -> Result<(Vec<Bytes>, bool)> {
        match (&request.range, &window.names) {
            (ScanRange::Subs(key, ..), _) => Ok((vec![key.clone()], false)),
            (_, Some((min, max))) => {
                let bounds = (min.clone(), max.clone());
                let place = (form, request.group);
                self.0.inner.names_of_cut(unit, place, self.0.number, bounds, request.limit.rows).await
            }
            _ => Err(crate::error::unexpected()),
        }
    }
}

impl Reads for RedisSnapshot {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        Op::boxed(async move {
            let found = self.look_up(std::slice::from_ref(at)).await;
            Ok(found.map_err(|e| self.0.inner.named(e))?.pop().flatten())
        })
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::boxed(async move { self.look_up(at).await.map_err(|e| self.0.inner.named(e)) })
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(async move { self.page(request).await.map_err(|e| self.0.inner.named(e)) })
    }
}

#[async_trait]
impl Snapshot for RedisSnapshot {
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
