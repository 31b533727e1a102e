//! Batches: building them by typed states, sorting and checking them, and what a store of the ordered kind makes of
//! one: engine rows, written. Translating and the folding of `put_many` are private, so both are committed to the
//! memory engine, past buffer and cache.

use std::hint::black_box;

use bytes::Bytes;
use criterion::Criterion;
use futures::executor::block_on;
use statehold::WriteBatch;
use statehold_core::{Batch, Mutation};

use crate::{
    input::{COUNTS, MANY, Record, VALUES, batches, copied, numbers, rate, rate_of, records, values},
    manager::{Held, ROOMY},
};

pub(crate) fn benches(criterion: &mut Criterion) {
    core(criterion);
    commit(criterion);
    typed(criterion);
}

fn batch_of(records: Vec<Record>) -> Batch {
    Batch { mutations: records.into_iter().map(|(at, cell)| Mutation::Put(at, cell)).collect(), ..Batch::default() }
}

fn sorted(records: Vec<Record>) -> Batch {
    let mut batch = batch_of(records);
    batch.sort();
    batch
}

fn core(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    for count in COUNTS {
        let fresh = records(count, VALUES[0]);
        group.throughput(rate_of(&fresh));
        group.bench_function(format!("sort/{count}"), |b| {
            let sort = |mut batch: Batch| {
                batch.sort();
                batch
            };
            b.iter_batched(|| batch_of(fresh.clone()), sort, batches(count));
        });
        let batch = sorted(fresh);
        // What each try of a commit that may be sent again takes before it.
        group.bench_function(format!("clone/{count}"), |b| {
            b.iter_batched(|| (), |()| black_box(&batch).clone(), batches(count));
        });
        // What every commit asks before it writes.
        group.bench_function(format!("check/{count}"), |b| {
            b.iter(|| {
                let batch = black_box(&batch);
                batch.check_folded().unwrap();
                black_box(batch.size())
            });
        });
        group.bench_function(format!("groups/{count}"), |b| b.iter(|| black_box(&batch).groups()));
    }
    group.finish();
}

fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch/commit");
    let held = Held::<u64>::with(0, 0);
    let store = held.manager.store("store").unwrap();
    let state = held.runtime.block_on(store.states()).unwrap()[0].0;
    for (count, size) in COUNTS.map(|count| (count, VALUES[0])).into_iter().chain([(MANY, VALUES[1])]) {
        let mut fresh = records(count, size);
        fresh.iter_mut().for_each(|(at, _)| at.state = state);
        group.throughput(rate_of(&fresh));
        group.bench_function(format!("{count}x{size}"), |b| {
            let commit = |batch: Batch| block_on(store.commit(batch).finish()).unwrap();
            b.iter_batched(|| sorted(copied(&fresh)), commit, batches(count));
        });
    }
    group.finish();
}

fn typed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch/typed");
    let (staged, direct) = (Held::<u64>::with(ROOMY, 0), Held::<u64>::with(0, 0));
    for count in COUNTS {
        let entries: Vec<(u64, Bytes)> = numbers(count).into_iter().zip(values(count, VALUES[0])).collect();
        group.throughput(rate(count, count * (8 + VALUES[0])));
        let build = |entries: Vec<(u64, Bytes)>| {
            let mut batch = WriteBatch::new();
            for (key, value) in entries {
                batch.put(&staged.state, &key, value).unwrap();
            }
            batch
        };
        group.bench_function(format!("build/{count}"), |b| {
            b.iter_batched(|| entries.clone(), build, batches(count));
        });
        group.bench_function(format!("stage/{count}"), |b| {
            let commit = |batch: WriteBatch| staged.runtime.block_on(batch.commit()).unwrap();
            b.iter_batched(|| build(entries.clone()), commit, batches(count));
        });
        // Every fourth key comes twice: the last counts.
        let twice: Vec<(u64, Bytes)> =
            (0..count).map(|i| entries[if i % 4 == 3 { i - 1 } else { i }].clone()).collect();
        group.bench_function(format!("put_many_direct/{count}"), |b| {
            let put = |entries: Vec<(u64, Bytes)>| direct.runtime.block_on(direct.state.put_many(entries)).unwrap();
            b.iter_batched(|| twice.clone(), put, batches(count));
        });
    }
    group.finish();
}
