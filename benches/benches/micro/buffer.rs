//! The write buffer as typed operations meet it, by way of a manager: gate, lock and stripes are private. Each
//! includes the key's encoding and the envelope.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkGroup, Criterion, measurement::WallTime};
use statehold::key::Key;

use crate::{
    input::{COUNTS, MANY, VALUES, batches, encoded, names, numbers, rate, values},
    manager::{Held, ROOMY},
};

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("buffer");
    for size in VALUES {
        one(&mut group, &format!("u64/{size}"), numbers(MANY), size);
    }
    one(&mut group, "string/100", names(MANY), VALUES[0]);
    group.finish();
    many(criterion);
}

/// Single operations, a thousand an iteration.
fn one<K: Key>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, keys: Vec<K>, size: usize) {
    let held = Held::<K>::with(ROOMY, 0);
    let bytes: usize = keys.iter().map(|key| encoded(key).len() + size).sum();
    let entries: Vec<(K, Bytes)> = keys.into_iter().zip(values(MANY, size)).collect();
    group.throughput(rate(MANY, bytes));
    group.bench_function(format!("put/new/{name}"), |b| {
        // A flush leaves an empty generation, in which every key is new.
        b.iter_batched(|| held.flush(), |()| held.put(&entries), BatchSize::PerIteration);
    });
    held.put(&entries);
    group.bench_function(format!("put/again/{name}"), |b| b.iter(|| held.put(&entries)));
    group.bench_function(format!("get/staged/{name}"), |b| {
        b.iter(|| {
            held.runtime.block_on(async {
                for (key, _) in &entries {
                    black_box(held.state.get(black_box(key)).await.unwrap());
                }
            });
        });
    });
    group.bench_function(format!("update/staged/{name}"), |b| {
        b.iter(|| {
            held.runtime.block_on(async {
                for (key, value) in &entries {
                    let change = |old: Option<Bytes>| Ok(black_box(old).map_or_else(Bytes::new, |_| value.clone()));
                    held.state.update(black_box(key), change).await.unwrap();
                }
            });
        });
    });
}

/// Operations of many keys, and what a flush takes: sealing, sorting on another thread, committing.
fn many(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("buffer");
    for count in COUNTS {
        let held = Held::<u64>::with(ROOMY, 0);
        let keys = numbers(count);
        let entries: Vec<(u64, Bytes)> = keys.iter().copied().zip(values(count, VALUES[0])).collect();
        group.throughput(rate(count, count * (8 + VALUES[0])));
        group.bench_function(format!("put_many/{count}"), |b| {
            let put = |entries: Vec<(u64, Bytes)>| held.runtime.block_on(held.state.put_many(entries)).unwrap();
            b.iter_batched(|| entries.clone(), put, batches(count));
        });
        group.bench_function(format!("get_many/{count}"), |b| {
            b.iter(|| held.runtime.block_on(held.state.get_many(black_box(&keys))).unwrap());
        });
        group.bench_function(format!("flush/{count}"), |b| {
            b.iter_batched(|| held.put(&entries), |()| held.flush(), BatchSize::PerIteration);
        });
    }
    group.finish();
}
