//! The overlay: staged rows merged over what a store has.

use std::hint::black_box;

use bytes::Bytes;
use criterion::Criterion;
use futures::{FutureExt, executor::block_on, future::BoxFuture};
use statehold_core::{
    Address, Cell, KeyGroup, Millis, Op, Page, Position, Reads, Row, ScanRequest, collect,
    staged::{Captured, Generation, Hold, Layers, Overlay},
};

use crate::{
    input::{MANY, Record, STATE, VALUES, batches, encoded, mix, rate, records},
    staged::holding,
};

const NOW: Millis = Millis(1_000);
/// All rows are in one group, as a page is of one.
const GROUP: KeyGroup = KeyGroup(0);

pub(crate) fn benches(criterion: &mut Criterion) {
    points(criterion);
    page(criterion);
    walk(criterion);
}

/// One generation; that of the product is behind a lock.
struct Layer(Generation);

impl Layers for Layer {
    fn look(&self, at: &Address) -> Option<Option<Cell>> {
        self.0.get(at).map(|cell| cell.cloned())
    }

    fn capture(&self, request: &ScanRequest) -> Captured {
        let mut captured = Captured::default();
        self.0.capture(request, &mut captured);
        captured
    }

    fn look_many(&self, at: &[Address]) -> Vec<Option<Option<Cell>>> {
        at.iter().map(|at| self.look(at)).collect()
    }

    fn seals(&self) -> u64 {
        0
    }

    fn hold(&self) -> BoxFuture<'_, Hold<'_>> {
        async { Box::new(()) as Hold<'_> }.boxed()
    }
}

/// A store as cheap as can be: sorted rows, clones of which are its answers.
struct Rows(Vec<Row>);

impl Rows {
    fn of(records: &[Record]) -> Self {
        let row = |(at, cell): &Record| Row { key: at.key.clone(), sub: Bytes::new(), cell: cell.clone() };
        let mut rows: Vec<Row> = records.iter().map(row).collect();
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Self(rows)
    }

    fn find(&self, at: &Address) -> Option<Cell> {
        let found = self.0.binary_search_by(|row| row.key.cmp(&at.key)).ok()?;
        Some(self.0[found].cell.clone())
    }
}

impl Reads for Rows {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        Op::Ready(Ok(self.find(at)))
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::Ready(Ok(at.iter().map(|at| self.find(at)).collect()))
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        let from = request.after.as_ref().map_or(0, |p| self.0.partition_point(|row| row.key <= p.key));
        let rows: Vec<Row> = self.0[from..].iter().take(request.limit.rows).cloned().collect();
        let more = from + rows.len() < self.0.len();
        let last = rows.last().map(|r| Position { key: r.key.clone(), sub: r.sub.clone() });
        Op::Ready(Ok(Page { rows, next: last.filter(|_| more) }))
    }
}

/// `count` records of one group.
fn in_group(count: usize) -> Vec<Record> {
    records(count, VALUES[0]).into_iter().map(|(at, cell)| (Address { group: GROUP, ..at }, cell)).collect()
}

/// A store of `below`, and `staged` changes over it: half of them of its rows, half of new ones.
fn both(below: &[Record], staged: usize) -> (Layer, Rows) {
    let new = |i: usize| Address { key: encoded(&mix((below.len() + i) as u64)), ..below[0].0.clone() };
    let cell = |i: usize| below[i % below.len()].1.clone();
    let change = |i: usize| (if i.is_multiple_of(2) { below[i % below.len()].0.clone() } else { new(i) }, cell(i));
    (Layer(holding((0..staged).map(change).collect())), Rows::of(below))
}

fn points(criterion: &mut Criterion) {
    let below = in_group(MANY);
    let (layer, rows) = both(&below, MANY);
    let overlay = Overlay::new(&layer, &rows, NOW);
    let at: Vec<Address> = below.iter().map(|(at, _)| at.clone()).collect();
    let mut group = criterion.benchmark_group("overlay");
    group.throughput(rate(MANY, MANY * VALUES[0]));
    // Every other one is staged.
    group.bench_function("get/half_staged", |b| {
        b.iter(|| {
            for at in &at {
                black_box(block_on(overlay.get(black_box(at)).finish()).unwrap());
            }
        });
    });
    for count in [1, 10, 100] {
        group.throughput(rate(count, count * VALUES[0]));
        group.bench_function(format!("get_many/{count}"), |b| {
            b.iter(|| block_on(overlay.get_many(black_box(&at[..count])).finish()).unwrap());
        });
    }
    group.finish();
}

/// One page, capturing included; 0 staged is the page of the store alone.
fn page(criterion: &mut Criterion) {
    let below = in_group(MANY);
    let request = ScanRequest::all(STATE, GROUP);
    let mut group = criterion.benchmark_group("overlay/page");
    for staged in [0, 10, 100, 1000] {
        let (layer, rows) = both(&below, staged);
        group.throughput(rate(MANY, MANY * VALUES[0]));
        group.bench_function(format!("{MANY}_under_{staged}"), |b| {
            let overlay = Overlay::new(&layer, &rows, NOW);
            b.iter_batched(|| (), |()| block_on(overlay.scan(black_box(&request)).finish()).unwrap(), batches(MANY));
        });
    }
    // What merging takes of it.
    let (layer, rows) = both(&below, MANY);
    group.bench_function(format!("over/{MANY}_under_{MANY}"), |b| {
        let inputs = || (layer.capture(&request), block_on(rows.scan(&request).finish()).unwrap());
        let merge = |(captured, page): (Captured, Page)| captured.over(page, NOW, request.limit.rows);
        b.iter_batched(inputs, merge, batches(MANY));
    });
    group.finish();
}

/// All pages of a group, as a scan of a state reads them.
fn walk(criterion: &mut Criterion) {
    let below = in_group(10 * MANY);
    let mut group = criterion.benchmark_group("overlay/walk");
    for staged in [0, 1_000, 10_000] {
        let (layer, rows) = both(&below, staged);
        group.throughput(rate(below.len() + staged / 2, (below.len() + staged / 2) * VALUES[0]));
        group.bench_function(format!("{}_under_{staged}", below.len()), |b| {
            let overlay = Overlay::new(&layer, &rows, NOW);
            b.iter_batched(
                || (),
                |()| block_on(collect(&overlay, ScanRequest::all(STATE, GROUP))).unwrap(),
                batches(MANY),
            );
        });
    }
    group.finish();
}
