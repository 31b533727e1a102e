//! [`Seen`]: what a store answered, without what may differ from engine to engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as _,
};

use bytes::Bytes;
use statehold_core::{
    ArchiveStep, Cell, Committed, ConditionsFailed, ErrorKind, KeyGroup, Millis, Model, Result, Row, StateSpec,
};

use crate::tape::Tape;

/// Value as stored, envelope included, and expiry. Revisions are each engine's own.
type Stored = (Bytes, Option<Millis>);

fn stored(cell: &Cell) -> Stored {
    (cell.value.clone(), cell.expires_at)
}

/// Key, subkey and what is stored.
type StoredRow = (Bytes, Option<Bytes>, Stored);

/// The names of list elements are each engine's own, and so is what it notes of their expiry: the list's head tells.
fn archived(row: &Row, model: Model) -> StoredRow {
    if model == Model::List && !row.sub.is_empty() {
        return (row.key.clone(), None, (row.cell.value.clone(), None));
    }
    (row.key.clone(), Some(row.sub.clone()), stored(&row.cell))
}

/// A head without elements is an empty list, which is no list; engines keep it until the next compaction.
fn drop_empty_lists(rows: &mut Vec<StoredRow>) {
    let is_head = |row: &StoredRow| row.1.is_some();
    let followed: Vec<bool> = (1..=rows.len()).map(|i| rows.get(i).is_some_and(|next| !is_head(next))).collect();
    let mut followed = followed.into_iter();
    rows.retain(|row| followed.next() == Some(true) || !is_head(row));
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Applied { duplicate: bool, revisions: usize },
    Refused(ErrorKind, Vec<usize>),
    Cells(Vec<Option<Stored>>),
    Rows(Vec<(Bytes, Bytes, Stored)>),
    Archive(Vec<StateSpec>, BTreeMap<(String, KeyGroup), Vec<StoredRow>>, Option<Millis>),
}

/// The answers to one step, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Seen(Vec<Answer>);

impl Seen {
    pub(super) fn commit(&mut self, answer: &Result<Committed>) {
        self.0.push(match answer {
            Ok(committed) => Answer::Applied { duplicate: committed.duplicate, revisions: committed.revisions.len() },
            Err(error) => {
                let failed = error.source().and_then(|source| source.downcast_ref::<ConditionsFailed>());
                Answer::Refused(error.kind(), failed.map(|f| f.failed.clone()).unwrap_or_default())
            }
        });
    }

    pub(super) fn cells(&mut self, cells: &[Option<Cell>]) {
        self.0.push(Answer::Cells(cells.iter().map(|cell| cell.as_ref().map(stored)).collect()));
    }

    pub(super) fn rows(&mut self, rows: &[Row]) {
        let row = |row: &Row| (row.key.clone(), row.sub.clone(), stored(&row.cell));
        self.0.push(Answer::Rows(rows.iter().map(row).collect()));
    }

    pub(super) fn tape(&mut self, tape: &Tape) {
        let (mut specs, mut rows) = (BTreeMap::new(), BTreeMap::<_, Vec<StoredRow>>::new());
        let (mut lists, mut now) = (BTreeSet::new(), None);
        for step in &tape.steps {
            match step {
                ArchiveStep::State(id, spec) => drop(specs.insert(*id, spec.clone())),
                ArchiveStep::Rows(id, group, more) => {
                    let Some(spec) = specs.get(id) else { continue };
                    let of_group = rows.entry((spec.name.to_string(), *group)).or_default();
                    of_group.extend(more.iter().map(|row| archived(row, spec.model)));
                    lists.extend((spec.model == Model::List).then(|| (spec.name.to_string(), *group)));
                }
                ArchiveStep::Floor(floor, _) => now = Some(*floor),
            }
        }
        for list in lists {
            rows.entry(list).and_modify(drop_empty_lists);
        }
        rows.retain(|_, rows| !rows.is_empty());
        let mut specs: Vec<StateSpec> = specs.into_values().collect();
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        self.0.push(Answer::Archive(specs, rows, now));
    }
}
