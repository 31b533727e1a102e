//! The list rows of the streaming-state workload: 10 elements a key, and one long list.

use super::Row;
use crate::{Op, case::Case, input::Values};

/// Elements of each key.
const ELEMENTS: u64 = 10;

pub(super) fn rows(case: &Case) -> Vec<Row> {
    let keys = case.n / ELEMENTS;
    let n = keys * ELEMENTS;
    let values = || Values::new(case.value);
    // The long list needs a key of its own.
    let hot = u64::MAX;
    let (added, replaced, long) = (values(), values(), values());
    vec![
        Row::new("list_add", n, move || {
            let values = added.clone();
            Box::new(move |at| {
                let (key, round) = (at as u64 % keys, at as u64 / keys);
                Op::Append(key, values.of(key * 1000 + round, 0))
            })
        }),
        Row::keys("list_get_iterate_elems", keys, || Box::new(|at| Op::Elements(at as u64))).counting(n),
        Row::new("list_update_replace10", keys / 2, move || {
            let values = replaced.clone();
            Box::new(move |at| {
                let key = at as u64;
                Op::Replace(key, (0..ELEMENTS).map(|round| values.of(key * 1000 + round, 1)).collect())
            })
        }),
        Row::new("list_hot_add_1key", keys, move || {
            let values = long.clone();
            Box::new(move |at| Op::Append(hot, values.of(at as u64, 2)))
        }),
        Row::new("list_hot_get_1key", 1, move || Box::new(move |_| Op::Elements(hot))).counting(keys),
    ]
}
