//! The envelope: sealing a value and checking what was found.

use std::hint::black_box;

use bytes::Bytes;
use criterion::Criterion;
use statehold_core::{Cell, Envelope, Opened};

use crate::input::{MANY, VALUES, batches, encoded, names, numbers, rate, values};

pub(crate) fn benches(criterion: &mut Criterion) {
    let short: Vec<Bytes> = numbers(MANY).iter().map(encoded).collect();
    // Beyond 47 bytes an identity is summed by itself.
    let long: Vec<Bytes> = names(MANY).iter().map(|n| encoded(&(n, n))).collect();
    for size in VALUES {
        for (name, keys) in [("u64", &short), ("long", &long)] {
            one(criterion, &format!("{name}/{size}"), keys, size);
        }
    }
}

fn one(criterion: &mut Criterion, name: &str, keys: &[Bytes], size: usize) {
    let envelope = Envelope::of_state("values");
    let payloads = values(MANY, size);
    let mut group = criterion.benchmark_group("envelope");
    group.throughput(rate(MANY, MANY * size));

    group.bench_function(format!("seal/{name}"), |b| {
        let seal = |mut out: Vec<Bytes>| {
            out.extend(keys.iter().zip(&payloads).map(|(key, payload)| envelope.seal(0, key, b"", None, payload)));
            out
        };
        b.iter_batched(|| Vec::with_capacity(MANY), seal, batches(MANY));
    });

    let mut buffers: Vec<Vec<u8>> = payloads.iter().map(|p| [&[0; Envelope::BYTES], &p[..]].concat()).collect();
    group.bench_function(format!("seal_in_place/{name}"), |b| {
        b.iter(|| {
            for (key, buffer) in keys.iter().zip(&mut buffers) {
                envelope.seal_in_place(0, key, b"", None, black_box(buffer));
            }
        });
    });

    let sealed: Vec<Bytes> = buffers.into_iter().map(Bytes::from).collect();
    let found = || {
        let cells: Vec<Cell> = sealed.iter().map(|value| Cell::new(Bytes::copy_from_slice(value))).collect();
        (cells, Vec::<Opened>::with_capacity(MANY))
    };
    group.bench_function(format!("open/{name}"), |b| {
        let open = |(cells, mut out): (Vec<Cell>, Vec<Opened>)| {
            let opened = keys.iter().zip(cells).map(|(key, cell)| envelope.open(key, b"", cell).unwrap());
            out.extend(opened);
            out
        };
        b.iter_batched(found, open, batches(MANY));
    });
    group.finish();
}
