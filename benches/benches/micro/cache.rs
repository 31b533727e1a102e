//! The cache of values, by way of a manager, as it is private. `off` is the same read without one, so that
//! `miss` less `off` is what looking in vain and taking in a value cost, and `off` less `hit` what a hit saves.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use statehold::key::Key;

use crate::{
    input::{MANY, VALUES, batches, encoded, names, numbers, rate, values},
    manager::{Held, ROOMY},
};

/// Keys of which a small cache holds few.
const SPREAD: usize = 10 * MANY;
/// That cache, in bytes.
const SMALL: usize = 64 << 10;
/// A cache that holds all keys of a bench.
const LARGE: usize = 256 << 20;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cache");
    for size in VALUES {
        one(&mut group, &format!("u64/{size}"), &numbers(SPREAD), size);
    }
    one(&mut group, "string/100", &names(SPREAD), VALUES[0]);
    group.finish();
}

fn one<K: Key>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, keys: &[K], size: usize) {
    let some = &keys[..MANY];
    let bytes: usize = some.iter().map(|key| encoded(key).len() + size).sum();
    group.throughput(rate(MANY, bytes));

    let large = filled(keys, size, LARGE);
    read(&large, some);
    group.bench_function(format!("hit/{name}"), |b| b.iter(|| read(&large, some)));
    let entries: Vec<(K, Bytes)> = some.iter().cloned().zip(values(MANY, size)).collect();
    large.put(&entries);
    group.bench_function(format!("put/cached/{name}"), |b| b.iter(|| large.put(&entries)));
    drop(large);

    for (which, cache) in [("miss", SMALL), ("off", 0)] {
        let held = filled(keys, size, cache);
        let mut turn = keys.chunks(MANY).cycle();
        // Each time the next thousand: when their turn comes again, they are gone from the cache.
        group.bench_function(format!("{which}/{name}"), |b| {
            b.iter_batched(|| turn.next().unwrap(), |keys| read(&held, keys), batches(MANY));
        });
    }
}

/// A manager whose engine holds all `keys`, with nothing staged.
fn filled<K: Key>(keys: &[K], size: usize, cache: usize) -> Held<K> {
    let held = Held::with(ROOMY, cache);
    let all: Vec<(K, Bytes)> = keys.iter().cloned().zip(values(keys.len(), size)).collect();
    held.put(&all);
    held.flush();
    held
}

fn read<K: Key>(held: &Held<K>, keys: &[K]) {
    held.runtime.block_on(async {
        for key in keys {
            black_box(held.state.get(black_box(key)).await.unwrap());
        }
    });
}
