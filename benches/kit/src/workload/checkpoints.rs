//! The checkpoint, restore and rescale rows of the streaming-state workload.

use super::{Row, load, over};
use crate::{
    Op,
    case::Case,
    input::{Values, uniform},
    op::Step,
};

/// Every so manieth key is looked at in what was restored.
const CHECKED: u64 = 97;

/// Writes `version` of the first `count` of the keys that change.
fn update(case: &Case, count: u64, version: u64) -> Row {
    let (n, values) = (case.n, Values::new(case.value));
    let row = Row::new("update", count, move || {
        let values = values.clone();
        over(uniform(n, count as usize, 21), move |key| Op::Put(key, values.of(key, version)))
    });
    row.unmeasured()
}

/// What was restored: its number of keys, and some of its values.
fn look(name: &str, n: u64) -> [Row; 2] {
    let count = Row::new(&format!("{name}_scan"), 1, || Box::new(|_| Op::CountKeys)).counting(n);
    let check = Row::new(&format!("{name}_check"), n / CHECKED, || Box::new(|at| Op::Get(at as u64 * CHECKED)));
    [count, check.unmeasured()]
}

pub(super) fn rows(case: &Case) -> Vec<Row> {
    let n = case.n;
    let first = |name: &str| Row::new(name, 1, || Box::new(|_| Op::Get(0)));
    let mut rows = vec![
        load(case),
        Row::step("ckpt1_base", Step::Checkpoint(1)),
        update(case, n / 10, 3),
        Row::step("ckpt2_after_10pct_updates", Step::Checkpoint(2)),
        update(case, n / 100, 4),
        Row::step("ckpt3_after_1pct_updates", Step::Checkpoint(3)),
        Row::step("savepoint_canonical", Step::Savepoint(4)),
        // The later one first: going back to an earlier one supersedes it.
        Row::step("restore_savepoint", Step::Restore(4)),
        first("restore_savepoint_first_read"),
    ];
    rows.extend(look("restore_savepoint", n));
    rows.push(Row::step("restore_ckpt3", Step::Restore(3)));
    rows.push(first("restore_ckpt3_first_read"));
    rows.extend(look("restore_ckpt3", n));
    rows.push(Row::step("rescale_out_1to2", Step::Split(3)));
    rows.push(Row::step("ckpt_after_rescale_out", Step::CheckpointHalves(5)));
    rows.push(Row::step("rescale_in_2to1", Step::Join(5)));
    rows.extend(look("rescale_in_2to1", n));
    rows
}
