//! The value rows of the streaming-state workload, and what is made of the same parts.

use super::{Ops, Row, load, over};
use crate::{
    Op,
    case::Case,
    input::{Values, permutation, uniform, zipf},
};

/// Different words.
const WORDS: u64 = 50_000;

/// Writes `version` of the keys that `keys` answers.
fn put<K>(values: &Values, version: u64, keys: K) -> impl Fn() -> Ops + Send + use<K>
where
    K: Fn() -> Vec<u64> + Send + 'static,
{
    let values = values.clone();
    move || {
        let values = values.clone();
        over(keys(), move |key| Op::Put(key, values.of(key, version)))
    }
}

pub(super) fn rows(case: &Case) -> Vec<Row> {
    let n = case.n;
    let (m, half) = (n as usize, n as usize / 2);
    let values = Values::new(case.value);
    let popular = move |count: usize, seed: u64| zipf(&permutation(n), count, seed);
    vec![
        Row::new("value_insert", n, put(&values, 0, move || permutation(n))),
        Row::keys("value_get_uniform", n, move || over(uniform(n, m, 1), Op::Get)),
        Row::keys("value_get_zipf", n, move || over(popular(m, 4), Op::Get)),
        Row::keys("value_get_absent", n / 2, move || over(uniform(n, half, 1), move |key| Op::GetAbsent(n + key))),
        Row::new("value_update_uniform", n, put(&values, 1, move || uniform(n, m, 2))),
        Row::new("value_update_zipf", n, put(&values, 2, move || popular(m, 5))),
        Row::keys("value_rmw_uniform", n / 2, move || over(uniform(n, half, 3), Op::Modify)),
        Row::keys("value_rmw_zipf", n / 2, move || over(popular(half, 6), Op::Modify)),
        Row::keys("value_get_uniform_after_updates", n, move || over(uniform(n, m, 1), Op::Get)),
        Row::new("value_scan_keys", 1, || Box::new(|_| Op::CountKeys)).counting(n),
    ]
}

/// A state of so many records, read and updated.
pub(super) fn scale(case: &Case) -> Vec<Row> {
    let n = case.n;
    // A great state is not read more often than a small one: the row would take hours on a server.
    let m = n.min(1_000_000);
    let values = Values::new(case.value);
    vec![
        load(case),
        Row::keys("get_uniform", m, move || over(uniform(n, m as usize, 1), Op::Get)),
        Row::keys("get_zipf", m, move || over(zipf(&permutation(n), m as usize, 4), Op::Get)),
        Row::new("update_uniform", m, put(&values, 1, move || uniform(n, m as usize, 2))),
    ]
}

/// Counts words.
pub(super) fn words(case: &Case) -> Vec<Row> {
    let n = case.n;
    let words = WORDS.min(n);
    vec![Row::keys("count_word", n, move || over(zipf(&permutation(words), n as usize, 9), Op::Increment))]
}
