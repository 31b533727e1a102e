//! YCSB's core workloads A to F (Cooper et al., "Benchmarking cloud serving systems with YCSB", 2010): zipfian
//! with θ = 0.99 over records in random order, latest for D.
//!
//! A store has no order over all its keys, so the short ranges of E are within maps of 1,000 records, as its model, a
//! conversation's messages, would be kept.

use super::{Ops, Row, load};
use crate::{
    Op,
    case::Case,
    input::{Generator, Values, Zipfian, permutation},
};

/// Records of one map of E.
const THREAD: u64 = 1_000;
/// The longest range of E.
const LONGEST: u64 = 100;

/// The operations of a mix: `share` percent are what `most` says of a zipfian key, the rest what `rest` says of a
/// key and of how many operations of the rest were before.
fn mixed(
    n: u64,
    share: u64,
    most: impl Fn(u64) -> Op + Send + 'static,
    rest: impl Fn(u64, u64) -> Op + Send + 'static,
) -> Ops {
    let order = permutation(n);
    let (mut coin, mut zipfian) = (Generator::new(31), Zipfian::new(n, 32));
    let mut others = 0;
    let drawn: Vec<(u64, Option<u64>)> = (0..n)
        .map(|_| {
            let key = order.get(zipfian.rank() as usize).copied().unwrap_or_default();
            let other = (coin.next() % 100 >= share).then_some(others);
            others += u64::from(other.is_some());
            (key, other)
        })
        .collect();
    Box::new(move |at| match drawn.get(at).copied().unwrap_or_default() {
        (key, None) => most(key),
        (key, Some(number)) => rest(key, number),
    })
}

fn zipfian(case: &Case, reads: u64, rest: impl Fn(&Values, u64) -> Op + Clone + Send + 'static) -> Vec<Row> {
    let (n, values) = (case.n, Values::new(case.value));
    let run = Row::new("run", n, move || {
        let (values, rest) = (values.clone(), rest.clone());
        mixed(n, reads, Op::Get, move |key, _| rest(&values, key))
    });
    vec![load(case), Row { keys_only: reads == 100, ..run }]
}

pub(super) fn a(case: &Case) -> Vec<Row> {
    zipfian(case, 50, |values, key| Op::Put(key, values.of(key, 1)))
}

pub(super) fn b(case: &Case) -> Vec<Row> {
    zipfian(case, 95, |values, key| Op::Put(key, values.of(key, 1)))
}

pub(super) fn c(case: &Case) -> Vec<Row> {
    zipfian(case, 100, |_, key| Op::Get(key))
}

pub(super) fn d(case: &Case) -> Vec<Row> {
    let (n, values) = (case.n, Values::new(case.value));
    let run = Row::new("run", n, move || {
        let values = values.clone();
        let (mut coin, mut age) = (Generator::new(31), Zipfian::new(n, 32));
        let mut next = n;
        let drawn: Vec<(bool, u64)> = (0..n)
            .map(|_| {
                if coin.next() % 100 >= 95 {
                    next += 1;
                    (true, next - 1)
                } else {
                    (false, next - 1 - age.rank())
                }
            })
            .collect();
        Box::new(move |at| match drawn.get(at).copied().unwrap_or_default() {
            (true, key) => Op::Put(key, values.of(key, 0)),
            (false, key) => Op::Get(key),
        })
    });
    vec![load(case), run]
}

pub(super) fn e(case: &Case) -> Vec<Row> {
    let (n, values) = (case.n, Values::new(case.value));
    let loaded = values.clone();
    let load = Row::new("load", n, move || {
        let values = loaded.clone();
        Box::new(move |at| Op::PutEntry(at as u64 / THREAD, at as u64 % THREAD, values.of(at as u64, 0)))
    });
    let run = Row::new("run", n, move || {
        let values = values.clone();
        let length = |key: u64| 1 + (crate::input::mix(key) % LONGEST) as usize;
        mixed(
            n,
            95,
            move |key| Op::Page(key / THREAD, key % THREAD, length(key)),
            move |_, number| Op::PutEntry((n + number) / THREAD, (n + number) % THREAD, values.of(n + number, 0)),
        )
    });
    vec![load.unmeasured(), run]
}

pub(super) fn f(case: &Case) -> Vec<Row> {
    zipfian(case, 50, |_, key| Op::Modify(key))
}
