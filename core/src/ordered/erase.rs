//! Removing many rows at once.

use std::ops::ControlFlow;

use super::{
    Engine, EngineBatch,
    layout::{Table, group_end, table_end, table_start},
};
use crate::{KeyGroups, Result};

/// Up to so many rows are removed one by one: a range removal slows later reads of the
/// neighbourhood down until it is compacted.
const SINGLES: usize = 64;

/// So many rows are looked at on a thread that must not wait.
const QUICK_ROWS: usize = 4 * SINGLES;

/// Adds to `batch` the removal of the first `most` rows of `from..to`, those left out that `gone` says are
/// removed already. `false` if that would have to wait, or takes long, and `patient` is false.
pub(super) fn first_rows<E: Engine>(
    engine: &E,
    batch: &mut E::Batch,
    (from, to): (&[u8], &[u8]),
    (most, patient): (u64, bool),
    gone: impl Fn(&[u8]) -> bool,
) -> Result<bool> {
    if most == 0 || from >= to {
        return Ok(true);
    }
    let everything = most == u64::MAX;
    if everything && E::IN_MEMORY {
        batch.delete_range(from, to);
        return Ok(true);
    }
    let mut singles: Vec<Vec<u8>> = Vec::new();
    let mut seen = 0;
    let mut looked = 0;
    let mut end = None;
    let mut visit = |row: &[u8], _: &[u8]| {
        looked += 1;
        if !patient && looked > QUICK_ROWS {
            return ControlFlow::Break(());
        }
        if gone(row) {
            return ControlFlow::Continue(());
        }
        if seen == most {
            end = Some(row.to_vec());
            return ControlFlow::Break(());
        }
        seen += 1;
        if singles.len() <= SINGLES {
            singles.push(row.to_vec());
        }
        if everything && singles.len() > SINGLES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let done = if patient {
        engine.scan(from, to, &mut visit).map(|()| true)?
    } else {
        engine.scan_cached(from, to, &mut visit)? && looked <= QUICK_ROWS
    };
    if !done {
        return Ok(false);
    }
    if singles.len() > SINGLES {
        batch.delete_range(from, end.as_deref().unwrap_or(to));
    } else {
        for row in &singles {
            batch.delete(row);
        }
    }
    Ok(true)
}

/// Adds to `batch` the removal of every table from number `from` on, except `keep` (ascending):
/// one range a group where the kept ones are neighbours.
pub(super) fn tables_except<B: EngineBatch>(batch: &mut B, groups: KeyGroups, from: Table, keep: &[Table]) {
    for group in groups.iter() {
        let mut first = table_start(group, from).to_vec();
        for kept in keep.iter().filter(|k| k.0 >= from.0) {
            let kept_from = table_start(group, *kept);
            if first[..] < kept_from[..] {
                batch.delete_range(&first, &kept_from);
            }
            first = table_end(group, *kept);
        }
        let end = group_end(group);
        if first < end {
            batch.delete_range(&first, &end);
        }
    }
}

/// Adds to `batch` the removal of one table.
pub(super) fn table<B: EngineBatch>(batch: &mut B, groups: KeyGroups, table: Table) {
    for group in groups.iter() {
        batch.delete_range(&table_start(group, table), &table_end(group, table));
    }
}
