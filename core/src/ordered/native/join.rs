//! [`Joined`]: parts made one, beside the live data.

use std::{ops::ControlFlow, path::PathBuf, sync::Arc};

use super::{
    folder::Folder,
    part::{Given, Part},
};
use crate::{
    Error, KeyGroup, KeyGroups, Result, StateId, StateSpec,
    ordered::{
        Access, FileEngine, PutRow, Run, WriteLevel,
        catalog::State,
        erase,
        layout::{Form, PREFIX, Table, table_start},
        meta::Head,
    },
    step,
};

/// The rows of all parts, with what the largest one had as files of its own. If there was such a part, head,
/// catalog and markers are still its.
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

/// The folder of what is made of parts none of which is worth keeping.
const FRESH: &str = "fresh";

/// A part is copied in so many runs.
const RUNS: usize = 4;

/// Makes one engine of `given`. `live` lends its settings, `folder` a place.
pub(super) fn join<E: FileEngine>(live: &E, given: Vec<Given>, folder: &Folder) -> Result<Joined<E>> {
    let mut parts = given.into_iter().map(|part| Part::open(live, part, Access::Read)).collect::<Result<Vec<_>>>()?;
    let above = parts.iter().map(|part| part.head).reduce(above);
    let above = above.ok_or_else(|| Error::internal("there is no part to join"))?;
    let mut next = parts.iter().map(Part::next).fold(0, u32::max);

    let (engine, path, mut states) = match take_largest(&mut parts)? {
        Some(part) => {
            drop(part.engine);
            let base = Part::open(live, part.given, Access::Write)?;
            clean(&base)?;
            let states = base.catalog.iter().map(|s| (s.form.table, Arc::clone(&s.spec))).collect();
            (base.engine, base.given.path, states)
        }
        None => {
            let path = folder.make(FRESH)?;
            (live.open_files(&path, Access::Create)?, path, Vec::new())
        }
    };
    let moved = parts.iter().map(|part| place(part, &mut states, &mut next)).collect::<Result<Vec<_>>>()?;
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (part, moved) in parts.iter().zip(&moved) {
        let groups: Vec<KeyGroup> = part.given.keep.iter().flat_map(KeyGroups::iter).collect();
        for groups in groups.chunks(groups.len().div_ceil(RUNS)) {
            let groups = groups.to_vec();
            runs.push(Box::new(move |put| copy(part, moved, &groups, put)));
        }
    }
    if !runs.is_empty() {
        engine.ingest(runs)?;
        step("native.ingested");
    }
    Ok(Joined { engine, path, states, above, next })
}

/// The greater of each counter.
fn above(one: Head, other: Head) -> Head {
    Head {
        incarnation: one.incarnation.max(other.incarnation),
        floor: one.floor.max(other.floor),
        session: one.session.max(other.session),
        ..one
    }
}

/// The part whose files are worth keeping most, if there is one; the others stay, by their groups.
fn take_largest<E: FileEngine>(parts: &mut Vec<Part<E>>) -> Result<Option<Part<E>>> {
    parts.sort_by_key(|part| part.given.groups.range().start);
    let mut largest = None;
    for (at, part) in parts.iter().enumerate() {
        let worth = part.worth()?;
        if worth > largest.map_or(0, |(_, most)| most) {
            largest = Some((at, worth));
        }
    }
    Ok(largest.map(|(at, _)| parts.remove(at)))
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
                *spec = Arc::new(state.spec.merged(spec)?);
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

/// Removes what is not wanted of the part that is kept as files.
fn clean<E: FileEngine>(base: &Part<E>) -> Result<()> {
    if !base.given.is_whole() {
        base.engine.retain(&base.given.rows())?;
        step("native.retained");
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

/// Puts the rows of some groups of `part`, ascending.
fn copy<E: FileEngine>(part: &Part<E>, moved: &[Moved], groups: &[KeyGroup], put: PutRow<'_>) -> Result<()> {
    let mut row = Vec::new();
    for group in groups {
        for moved in moved {
            copy_table(part, *moved, *group, &mut row, put)?;
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
