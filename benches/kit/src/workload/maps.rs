//! The map rows of the streaming-state workload: 100 entries a key.

use super::{Ops, Row};
use crate::{
    Op,
    case::Case,
    input::{Values, permutation, uniform},
};

/// Entries of each key.
const SUBS: u64 = 100;

/// Keys and subkeys at random.
fn pairs(n: u64, op: impl Fn(u64, u64) -> Op + Send + 'static) -> Ops {
    let (keys, subs) = (uniform(n / SUBS, n as usize, 11), uniform(SUBS, n as usize, 12));
    Box::new(move |at| op(keys.get(at).copied().unwrap_or_default(), subs.get(at).copied().unwrap_or_default()))
}

pub(super) fn rows(case: &Case) -> Vec<Row> {
    let n = case.n / SUBS * SUBS;
    let keys = n / SUBS;
    let (first, second) = (Values::new(case.value), Values::new(case.value));
    vec![
        Row::new("map_put_new", n, move || {
            let (order, values) = (permutation(keys), first.clone());
            Box::new(move |at| {
                let key = order.get(at % keys as usize).copied().unwrap_or_default();
                let sub = at as u64 / keys;
                Op::PutEntry(key, sub, values.of(key * 1000 + sub, 0))
            })
        }),
        Row::keys("map_get_uniform", n, move || pairs(n, Op::GetEntry)),
        Row::new("map_put_overwrite", n, move || {
            let values = second.clone();
            pairs(n, move |key, sub| Op::PutEntry(key, sub, values.of(key * 1000 + sub, 1)))
        }),
        Row::keys("map_contains_absent", n / 2, move || pairs(n, |key, sub| Op::EntryAbsent(key, SUBS + sub))),
        Row::keys("map_iterate_entries", keys, || Box::new(|at| Op::Entries(at as u64))).counting(n),
    ]
}
