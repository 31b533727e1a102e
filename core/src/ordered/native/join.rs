//! [`Joined`]: parts made one, beside the live data.

use std::{cmp::Reverse, ops::ControlFlow, path::PathBuf, sync::Arc};

use super::part::{Given, Part};
use crate::{
    Error, ErrorKind, KeyGroup, KeyGroups, Result, StateId, StateSpec,
    ordered::{
        Access, FileEngine, PutRow, WriteLevel,
        catalog::State,
        erase,
        layout::{Form, PREFIX, Table, table_start},
        meta::Head,
        publish::newer,
    },
};

/// The rows of all parts in the files of the largest one. Head, catalog and markers are still that part's.
pub(super) struct Joined<E> {
    pub(super) engine: E,
    pub(super) path: PathBuf,
    /// By table: what the new catalog shall hold.
    pub(super) states: Vec<(Table, Arc<StateSpec>)>,
    /// The greatest of each counter in all parts.
    pub(super) above: Head,
    /// Tables end below this number.
    pub(super) next: u32,
}

/// A state of one part and the table that its rows get.
type Moved = (Form, Table);

/// Makes one engine of `given`, of which there is at least one. `live` lends its settings.
pub(super) fn join<E: FileEngine>(live: &E, mut given: Vec<Given>) -> Result<Joined<E>> {
    let mut weighed = Vec::with_capacity(given.len());
    for part in given.drain(..) {
        weighed.push((Reverse(part.weight()?), part));
    }
    weighed.sort_by_key(|(weight, part)| (*weight, part.groups.range().start));
    let mut parts = weighed.into_iter().map(|(_, part)| part);
    let base = parts.next().ok_or_else(|| Error::internal("there is no part to join"))?;
    let base = Part::open(live, base, Access::Write)?;
    let mut others = parts.map(|part| Part::open(live, part, Access::Read)).collect::<Result<Vec<_>>>()?;
    others.sort_by_key(|part| part.given.groups.range().start);

    let mut states: Vec<(Table, Arc<StateSpec>)> =
        base.catalog.iter().map(|s| (s.form.table, Arc::clone(&s.spec))).collect();
    let mut next = others.iter().map(Part::next).fold(base.next(), u32::max);
    let mut moved = Vec::with_capacity(others.len());
    for part in &others {
        moved.push(place(part, &mut states, &mut next)?);
    }
    clean(&base)?;
    if !others.is_empty() {
        base.engine.ingest(&mut |put| {
            for (part, moved) in others.iter().zip(&moved) {
                copy(part, moved, put)?;
            }
            Ok(())
        })?;
    }
    let above = others.iter().fold(base.head, |above, part| Head {
        incarnation: above.incarnation.max(part.head.incarnation),
        floor: above.floor.max(part.head.floor),
        session: above.session.max(part.head.session),
        ..above
    });
    Ok(Joined { engine: base.engine, path: base.given.path, states, above, next })
}

/// Finds a table for each state of `part`: that of the state with its name, or a new one.
fn place<E: FileEngine>(
    part: &Part<E>,
    states: &mut Vec<(Table, Arc<StateSpec>)>,
    next: &mut u32,
) -> Result<Vec<Moved>> {
    let mut moved = Vec::new();
    for state in part.catalog.iter() {
        let table = match states.iter_mut().find(|(_, spec)| spec.name == state.spec.name) {
            Some((table, spec)) => {
                let newer = newer(spec, &state.spec).map_err(|e| disagree(&state.spec.name, e))?.clone();
                *spec = Arc::new(newer);
                *table
            }
            None => {
                let table = Table(*next);
                *next += 1;
                states.push((table, Arc::clone(&state.spec)));
                table
            }
        };
        moved.push((state.form, table));
    }
    moved.sort_by_key(|(_, table)| *table);
    Ok(moved)
}

fn disagree(name: &str, e: Error) -> Error {
    Error::new(ErrorKind::Conflict, "the state is something else in another part")
        .in_state(name)
        .advise("recover parts of one checkpoint; drop the state in the store where it is wrong")
        .because(e)
}

/// Removes what is not wanted of the part that is kept as files.
fn clean<E: FileEngine>(base: &Part<E>) -> Result<()> {
    if !base.given.is_whole() {
        let rows = base.given.keep.iter().map(|groups| {
            let range = groups.range();
            (range.start.to_be_bytes().to_vec(), range.end.to_be_bytes().to_vec())
        });
        base.engine.retain(&rows.collect::<Vec<_>>())?;
    }
    if base.head.loading > 0 {
        let mut batch = base.engine.batch();
        for groups in &base.given.keep {
            erase::tables_except(&mut batch, *groups, Table(base.head.loading), &base.catalog.tables());
        }
        base.engine.write(&mut batch, WriteLevel::Unlogged)?;
    }
    Ok(())
}

/// Puts all wanted rows of `part`, ascending.
fn copy<E: FileEngine>(part: &Part<E>, moved: &[Moved], put: PutRow<'_>) -> Result<()> {
    let mut row = Vec::new();
    for group in part.given.keep.iter().flat_map(KeyGroups::iter) {
        for (form, table) in moved {
            copy_table(part, (*form, *table), group, &mut row, put)?;
        }
    }
    Ok(())
}

fn copy_table<E: FileEngine>(
    part: &Part<E>,
    (form, table): Moved,
    group: KeyGroup,
    row: &mut Vec<u8>,
    put: PutRow<'_>,
) -> Result<()> {
    let (from, to) = form.whole(group);
    let prefix = table_start(group, table);
    let mut outcome = Ok(());
    part.engine.scan(&from, &to, &mut |key, value| {
        row.clear();
        row.extend_from_slice(&prefix);
        row.extend_from_slice(key.get(PREFIX..).unwrap_or_default());
        outcome = put(row, value);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}

impl<E> Joined<E> {
    /// The states under fresh numbers, from `first` on; and the first number behind them.
    pub(super) fn numbered(&self, first: u32) -> (Vec<State>, u32) {
        let first = first.max(self.next);
        let states =
            (first..).zip(&self.states).map(|(id, (table, spec))| State::at(StateId(id), *table, (**spec).clone()));
        let states: Vec<_> = states.collect();
        let behind = first + states.len() as u32;
        (states, behind)
    }
}
