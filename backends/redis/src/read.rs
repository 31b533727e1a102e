//! Point reads: plain commands, and behind them a look at each unit's incarnation.

use redis::{Cmd, Pipeline, Value};
use statehold_core::{Address, Cell, Form, KeyGroup, Millis, Model, Result};

use crate::{
    catalog::Catalog,
    encode::model,
    inner::{Inner, answered},
    layout::{Layout, push_place},
    link::Lane,
    names::Unit,
    reply,
    script::{Call, GET},
};

/// The records that one command reads.
struct Run<'a> {
    form: Form,
    group: KeyGroup,
    /// A map's key.
    key: Option<&'a [u8]>,
    /// Where the records are asked for, and their fields.
    records: Vec<(usize, &'a [u8])>,
}

impl Inner {
    pub(crate) async fn get_many(&self, at: &[Address]) -> Result<Vec<Option<Cell>>> {
        self.look_up(at).await.map_err(|e| self.named(e))
    }

    async fn look_up(&self, at: &[Address]) -> Result<Vec<Option<Cell>>> {
        self.check_open()?;
        at.iter().try_for_each(|at| self.check_address(at))?;
        let catalog = self.known(at.iter().map(|at| at.state)).await?;
        for at in at {
            catalog.form(at.state)?.check(&at.key, &at.sub)?;
        }
        let mut found = vec![None; at.len()];
        // One unit at a time is one point in time; units are read side by side.
        let mut units: Vec<(KeyGroup, Vec<usize>)> = Vec::new();
        for (index, at) in at.iter().enumerate() {
            match units.iter_mut().find(|(first, _)| self.names.together(*first, at.group)) {
                Some((_, indices)) => indices.push(index),
                None => units.push((at.group, vec![index])),
            }
        }
        let reads = units.iter().map(|(first, indices)| self.read_unit(self.names.unit(*first), &catalog, at, indices));
        for cells in futures::future::try_join_all(reads).await? {
            for (index, cell) in cells {
                found[index] = cell;
            }
        }
        let now = self.clock.now();
        found.iter_mut().for_each(|cell| *cell = cell.take_if(|cell| cell.is_live(now)));
        Ok(found)
    }

    /// The catalog, read anew where it lacks one of the states and others may have registered it.
    pub(crate) async fn known(
        &self,
        mut states: impl Iterator<Item = statehold_core::StateId>,
    ) -> Result<std::sync::Arc<Catalog>> {
        let catalog = self.catalog();
        if self.exclusive || states.all(|state| catalog.form(state).is_ok()) {
            return Ok(catalog);
        }
        self.refresh().await
    }

    async fn read_unit(
        &self,
        unit: Unit,
        catalog: &Catalog,
        at: &[Address],
        indices: &[usize],
    ) -> Result<Vec<(usize, Option<Cell>)>> {
        let lists = indices.iter().any(|&i| catalog.form(at[i].state).is_ok_and(|form| form.model == Model::List));
        if lists {
            let asked: Vec<&Address> = indices.iter().map(|&i| &at[i]).collect();
            let (cells, incarnation) = self.get_by_script(&unit, catalog, &asked, 0).await?;
            self.confirm(catalog, incarnation, asked.iter().map(|at| at.state)).await?;
            return Ok(indices.iter().copied().zip(cells).collect());
        }
        let runs = runs(catalog, at, indices)?;
        let pipeline = pipeline(&unit, &runs);
        let mut answers = reply::array(self.link()?.ask_all(Lane::Read, &pipeline).await?)?.into_iter();
        let mut cells = Vec::with_capacity(indices.len());
        for run in &runs {
            let rows = reply::array(reply::next(&mut answers)?)?;
            for ((index, _), row) in run.records.iter().zip(rows) {
                cells.push((*index, reply::maybe_bytes(row)?.map(|row| run.form.cell(row)).transpose()?));
            }
        }
        let mut meta = reply::array(reply::next(&mut answers)?)?.into_iter();
        let incarnation = self.meta(reply::next(&mut meta)?, reply::next(&mut meta)?)?;
        self.confirm(catalog, incarnation, runs.iter().map(|run| run.form.id)).await?;
        Ok(cells)
    }

    /// A unit's incarnation; takes its floor of time over.
    pub(crate) fn meta(&self, incarnation: Value, floor: Value) -> Result<u32> {
        if incarnation == Value::Nil {
            return Err(crate::error::lost());
        }
        self.clock.raise(reply::millis(floor)?);
        reply::number(incarnation)
    }

    /// What was read counts only if these states are still there. A unit is raised before states vanish from
    /// the catalog, and rows only afterwards.
    pub(crate) async fn confirm(
        &self,
        catalog: &Catalog,
        incarnation: u32,
        mut states: impl Iterator<Item = statehold_core::StateId>,
    ) -> Result<()> {
        if incarnation <= catalog.incarnation && self.catalog().incarnation == catalog.incarnation {
            return Ok(());
        }
        let fresh = self.refresh().await?;
        states.try_for_each(|state| fresh.form(state).map(drop))
    }

    /// Records of one unit by a script: of a cut, or of lists.
    pub(crate) async fn get_by_script(
        &self,
        unit: &Unit,
        catalog: &Catalog,
        at: &[&Address],
        cut: u64,
    ) -> Result<(Vec<Option<Cell>>, u32)> {
        let mut call: Call = GET.on(&unit.meta).arg(unit.base.clone()).arg(cut);
        for at in at {
            let form = catalog.form(at.state)?;
            call.push(model(form));
            call.push(form.place(at.group));
            call.push(form.ttl);
            call.push(&at.key);
            call.push(&at.sub);
        }
        let lane = if cut > 0 { Lane::Life } else { Lane::Read };
        let mut parts = answered(self.link()?.call(lane, &call).await?)?;
        let incarnation = reply::next(&mut parts)?;
        let floor = reply::next(&mut parts)?;
        let incarnation = self.meta(incarnation, floor)?;
        let mut rows = reply::array(reply::next(&mut parts)?)?.into_iter();
        let now = self.clock.now();
        let mut cells = Vec::with_capacity(at.len());
        for at in at {
            let form = catalog.form(at.state)?;
            let raw = reply::maybe_bytes(reply::next(&mut rows)?)?;
            let head = reply::bytes(reply::next(&mut rows)?)?;
            cells.push(match raw {
                None => None,
                Some(raw) if form.model != Model::List => Some(form.cell(raw)?),
                Some(raw) => list_cell(form, &head, raw, now)?,
            });
        }
        Ok((cells, incarnation))
    }
}

fn list_cell(form: Form, head: &[u8], value: bytes::Bytes, now: Millis) -> Result<Option<Cell>> {
    let lives = !form.has_heads() || form.head(head)?.is_some_and(|at| at.is_none_or(|at| now < at));
    Ok(lives.then(|| Cell::new(value)))
}

/// One command for all records of a hash.
fn runs<'a>(catalog: &Catalog, at: &'a [Address], indices: &[usize]) -> Result<Vec<Run<'a>>> {
    let mut sorted = Vec::with_capacity(indices.len());
    for &index in indices {
        let at = &at[index];
        let form = catalog.form(at.state)?;
        let (key, field) =
            if form.model == Model::Map { (Some(&at.key[..]), &at.sub[..]) } else { (None, &at.key[..]) };
        sorted.push(((at.state, at.group, key), index, form, field));
    }
    sorted.sort_unstable_by_key(|(place, index, ..)| (*place, *index));
    let mut runs: Vec<Run<'a>> = Vec::new();
    for ((_, group, key), index, form, field) in sorted {
        let same = |run: &Run<'_>| run.form.id == form.id && run.group == group && run.key == key;
        match runs.last_mut().filter(|run| same(run)) {
            Some(run) => run.records.push((index, field)),
            None => runs.push(Run { form, group, key, records: vec![(index, field)] }),
        }
    }
    Ok(runs)
}

fn pipeline(unit: &Unit, runs: &[Run<'_>]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(runs.len() + 1);
    if runs.len() > 1 {
        // Several commands are one point in time only together.
        pipeline.atomic();
    }
    let mut name = String::new();
    for run in runs {
        name.clear();
        name.push_str(&unit.base);
        name.push(if run.key.is_some() { 'k' } else { 'h' });
        push_place(&mut name, run.group, run.form.id);
        let size = run.records.iter().map(|(_, field)| field.len()).sum::<usize>();
        let mut read =
            Cmd::with_capacity(2 + run.records.len(), 6 + name.len() + run.key.map_or(0, <[u8]>::len) + size);
        read.arg("HMGET");
        match run.key {
            None => read.arg(&name),
            Some(key) => read.arg([name.as_bytes(), b":", key].concat()),
        };
        for (_, field) in &run.records {
            read.arg(*field);
        }
        pipeline.add_command(read);
    }
    pipeline.cmd("HMGET").arg(&unit.meta).arg("i").arg("f");
    pipeline
}
