//! A generation of the write buffer: staging, reading what is staged, draining. The buffer itself is private to
//! `statehold`; it adds a lock, and `buffer` reaches it.

use std::hint::black_box;

use bytes::Bytes;
use criterion::Criterion;
use statehold_core::{Address, Cell, staged::Generation};

use crate::input::{
    COUNTS, FULL, MANY, Record, VALUES, address, batches, copied, encoded, mix, numbers, rate_of, records,
};

pub(crate) fn benches(criterion: &mut Criterion) {
    set(criterion);
    get(criterion);
    drain(criterion);
}

/// A generation that holds `records`.
pub(crate) fn holding(records: Vec<Record>) -> Generation {
    stage(Generation::default(), records)
}

fn stage(mut generation: Generation, records: Vec<Record>) -> Generation {
    for (at, cell) in records {
        generation.set(at, Some(cell));
    }
    generation
}

/// Entries of maps, 100 a key.
fn entries(count: usize) -> Vec<Record> {
    let value = |i: usize| Cell::new(vec![i as u8; 105]);
    let at = |i: usize| Address { sub: encoded(&mix(i as u64)), ..address(encoded(&mix((i / 100) as u64))) };
    (0..count).map(|i| (at(i), value(i))).collect()
}

fn set(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("staged/set");
    for (count, size) in COUNTS.map(|count| (count, VALUES[0])).into_iter().chain([(MANY, VALUES[1])]) {
        let fresh = records(count, size);
        group.throughput(rate_of(&fresh));
        group.bench_function(format!("new/{count}x{size}"), |b| {
            let inputs = || (Generation::default(), copied(&fresh));
            b.iter_batched(inputs, |(generation, records)| stage(generation, records), batches(count));
        });
    }
    for (name, fresh) in [("again", records(MANY, VALUES[0])), ("again_entry", entries(MANY))] {
        group.throughput(rate_of(&fresh));
        group.bench_function(format!("{name}/{MANY}x{}", VALUES[0]), |b| {
            let inputs = || (holding(copied(&fresh)), copied(&fresh));
            b.iter_batched(inputs, |(generation, records)| stage(generation, records), batches(MANY));
        });
    }
    let fresh = entries(MANY);
    group.bench_function(format!("new_entry/{MANY}x{}", VALUES[0]), |b| {
        let inputs = || (Generation::default(), copied(&fresh));
        b.iter_batched(inputs, |(generation, records)| stage(generation, records), batches(MANY));
    });
    group.finish();
}

fn get(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("staged/get");
    for count in [MANY, FULL] {
        let held = records(count, VALUES[0]);
        let generation = holding(copied(&held));
        // Others of the same groups, so that only the key is not there.
        let absent: Vec<Record> =
            numbers(count).iter().map(|n| (address(encoded(&!n)), Cell::new(Bytes::new()))).collect();
        for (name, asked) in [("hit", &held), ("miss", &absent)] {
            group.throughput(rate_of(asked));
            group.bench_function(format!("{name}/{count}"), |b| {
                b.iter(|| {
                    for (at, _) in asked {
                        // Cloned as the buffer does, which answers after its lock is gone.
                        black_box(generation.get(black_box(at)).map(Option::<&Cell>::cloned));
                    }
                });
            });
        }
    }
    group.finish();
}

fn drain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("staged/mutations");
    for count in COUNTS.into_iter().chain([FULL]) {
        let held = records(count, VALUES[0]);
        group.throughput(rate_of(&held));
        // Each time of rows that nobody has looked at: the first look at bytes makes their count of owners.
        group.bench_function(format!("{count}"), |b| {
            let drain = |generation: Generation| (generation.mutations(), generation);
            b.iter_batched(|| holding(copied(&held)), drain, batches(count));
        });
    }
    group.finish();
}
