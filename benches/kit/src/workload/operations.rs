//! Each single operation and batches of 100, on one state each: what a framework costs beside its raw driver.

use super::{Row, over};
use crate::{
    Op,
    case::Case,
    input::{Values, permutation, uniform},
};

/// Entries of one map.
const SUBS: u64 = 100;
/// Records in one call.
const BATCH: usize = 100;

pub(super) fn rows(case: &Case) -> Vec<Row> {
    let n = case.n;
    let values = Values::new(case.value);
    let put = {
        let values = values.clone();
        move || {
            let values = values.clone();
            over(permutation(n), move |key| Op::Put(key, values.of(key, 0)))
        }
    };
    let put_entry = {
        let values = values.clone();
        move || {
            let values = values.clone();
            over(permutation(n), move |key| Op::PutEntry(key / SUBS, key % SUBS, values.of(key, 0)))
        }
    };
    let some = move || uniform(n, n as usize, 1);
    vec![
        Row::new("put", n, put),
        Row::keys("get", n, move || over(some(), Op::Get)),
        Row::keys("get_absent", n, move || over(some(), move |key| Op::GetAbsent(n + key))),
        Row::new("map_put", n, put_entry),
        Row::keys("map_get", n, move || over(some(), |key| Op::GetEntry(key / SUBS, key % SUBS))),
        super::batches::put_many(n, BATCH, values),
        super::batches::get_many(n, BATCH),
    ]
}
