//! Batches of 1, 10, 100 and 1,000 records.

use super::{Row, load};
use crate::{
    Op,
    case::Case,
    input::{Values, permutation, uniform},
};

/// Writes `n` records anew, `size` in a call.
pub(super) fn put_many(n: u64, size: usize, values: Values) -> Row {
    let row = Row::new(&format!("put_many_{size}"), n / size as u64, move || {
        let (order, values) = (permutation(n), values.clone());
        Box::new(move |at| {
            let keys = order.get(at * size..(at + 1) * size).unwrap_or_default();
            Op::PutMany(keys.iter().map(|key| (*key, values.of(*key, 1))).collect())
        })
    });
    row.counting(n / size as u64 * size as u64)
}

/// Reads `n` records, `size` in a call.
pub(super) fn get_many(n: u64, size: usize) -> Row {
    let row = Row::new(&format!("get_many_{size}"), n / size as u64, move || {
        let some = uniform(n, n as usize, 1);
        Box::new(move |at| Op::GetMany(some.get(at * size..(at + 1) * size).unwrap_or_default().to_vec()))
    });
    row.counting(n / size as u64 * size as u64)
}

pub(super) fn rows(case: &Case) -> Vec<Row> {
    let mut rows = vec![load(case)];
    for size in [1, 10, 100, 1_000] {
        rows.push(put_many(case.n, size, Values::new(case.value)));
        rows.push(get_many(case.n, size));
    }
    rows
}
