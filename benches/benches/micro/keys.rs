//! The key codec, and the key group of what it wrote.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use statehold_core::{KeyGroup, key::Key};

use crate::input::{GROUPS, MANY, encoded, names, numbers, rate};

pub(crate) fn benches(criterion: &mut Criterion) {
    let (numbers, names) = (numbers(MANY), names(MANY));
    let mut group = criterion.benchmark_group("keys");
    codec(&mut group, "u64", &numbers);
    codec(&mut group, "string", &names);
    let pairs: Vec<(u64, u64)> = numbers.iter().map(|n| (n % 100, *n)).collect();
    codec(&mut group, "(u64,u64)", &pairs);
    let under: Vec<(u64, String)> = numbers.iter().copied().zip(names.clone()).collect();
    codec(&mut group, "(u64,string)", &under);
    // A string that is not the last part is escaped.
    let within: Vec<(String, u64)> = names.into_iter().zip(numbers).collect();
    codec(&mut group, "(string,u64)", &within);
    group.finish();
}

fn codec<K: Key>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, keys: &[K]) {
    let bytes: Vec<Bytes> = keys.iter().map(encoded).collect();
    group.throughput(rate(keys.len(), bytes.iter().map(Bytes::len).sum()));
    // Into a buffer that is there already, as typed states do.
    let mut out = Vec::with_capacity(64);
    group.bench_function(format!("encode/{name}"), |b| {
        b.iter(|| {
            for key in keys {
                out.clear();
                black_box(key).encode(&mut out);
                black_box(&out[..]);
            }
        });
    });
    group.bench_function(format!("decode/{name}"), |b| {
        b.iter(|| {
            for key in &bytes {
                black_box(K::decode(black_box(key)).unwrap());
            }
        });
    });
    group.bench_function(format!("group/{name}"), |b| {
        b.iter(|| {
            for key in &bytes {
                black_box(KeyGroup::of(black_box(key), GROUPS));
            }
        });
    });
}
