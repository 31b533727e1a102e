//! The framework's own cost: typed operations on RocksDB with buffer and cache off, against raw RocksDB
//! with the same bytes, WAL setting and options, repetitions interleaved.

use std::time::{Duration, Instant};

use bytes::Bytes;
use comfy_table::{Table, presets::NOTHING};
use statehold::{Durability, MemoryDescriptor, Result, StateManager, ValueType};

use crate::{
    raw::Raw,
    scratch, streaming,
    workload::{Values, permutation, uniform},
};

const BATCH: usize = 100;
const MEMORY: usize = 512 << 20;
/// Group and state before each key, envelope before each value: what our layout writes.
const KEY_PREFIX: usize = 6;
const ENVELOPE: usize = 5;

/// What is compared, and the ratio that must be reached.
const ROWS: [(&str, f64); 7] = [
    ("put", 0.85),
    ("get", 0.85),
    ("get absent", 0.85),
    ("map put", 0.85),
    ("map get", 0.85),
    ("put_many of 100", 0.95),
    ("get_many of 100", 0.95),
];

type Times = [Duration; ROWS.len()];

fn timed(slot: &mut Duration, begun: Instant) {
    *slot = begun.elapsed();
}

struct Input {
    order: Vec<u64>,
    some: Vec<u64>,
    values: Values,
}

async fn ours(n: u64, wal: bool, input: &Input) -> Result<Times> {
    let folder = scratch()?;
    let memory = MemoryDescriptor { engine: MEMORY, write_buffer: 0, cache: 0 };
    let mut descriptor = streaming::descriptor("rocksdb", folder.path(), memory);
    for store in descriptor.stores.values_mut() {
        store.durability = Some(if wal { Durability::Process } else { Durability::Visible });
    }
    let manager = StateManager::builder(descriptor).open().await?;
    let state = manager.key_value_of::<u64, Bytes>("values", ValueType::bytes()).await?;
    let maps = manager.key_map_of::<u64, u64, Bytes>("maps", ValueType::bytes()).await?;
    let mut times = Times::default();
    let [put, get, absent, map_put, map_get, put_many, get_many] = &mut times;

    let begun = Instant::now();
    for key in &input.order {
        state.put(key, input.values.of(*key, 0)).await?;
    }
    timed(put, begun);
    let begun = Instant::now();
    for key in &input.some {
        state.get(key).await?;
    }
    timed(get, begun);
    let begun = Instant::now();
    for key in &input.some {
        state.get(&(n + key)).await?;
    }
    timed(absent, begun);
    let begun = Instant::now();
    for key in &input.order {
        maps.put(&(key / 100), &(key % 100), input.values.of(*key, 0)).await?;
    }
    timed(map_put, begun);
    let begun = Instant::now();
    for key in &input.some {
        maps.get(&(key / 100), &(key % 100)).await?;
    }
    timed(map_get, begun);
    let begun = Instant::now();
    for keys in input.order.chunks(BATCH) {
        state.put_many(keys.iter().map(|key| (*key, input.values.of(*key, 1)))).await?;
    }
    timed(put_many, begun);
    let begun = Instant::now();
    for keys in input.some.chunks(BATCH) {
        state.get_many(keys).await?;
    }
    timed(get_many, begun);
    manager.close().await?;
    Ok(times)
}

/// A raw key of `parts`, as long as ours.
fn raw_key(parts: &[u64]) -> Vec<u8> {
    let mut key = vec![0; KEY_PREFIX];
    parts.iter().for_each(|part| key.extend_from_slice(&part.to_be_bytes()));
    // Spread over 128 prefixes, as key groups are.
    if let (Some(place), Some(first)) = (key.get_mut(1), parts.first()) {
        *place = (crate::workload::mix(*first) % 128) as u8;
    }
    key
}

fn raw_value(value: &Bytes) -> Vec<u8> {
    let mut bytes = vec![0; ENVELOPE];
    bytes.extend_from_slice(value);
    bytes
}

fn raw(n: u64, wal: bool, input: &Input) -> Result<Times> {
    let folder = scratch()?;
    let db = Raw::open(folder.path(), MEMORY, wal)?;
    let mut times = Times::default();
    let [put, get, absent, map_put, map_get, put_many, get_many] = &mut times;
    let pair = |key: &u64| [1 << 40 | (key / 100), key % 100];

    let begun = Instant::now();
    for key in &input.order {
        db.put(&raw_key(&[*key]), &raw_value(&input.values.of(*key, 0)))?;
    }
    timed(put, begun);
    let begun = Instant::now();
    for key in &input.some {
        db.get(&raw_key(&[*key]))?;
    }
    timed(get, begun);
    let begun = Instant::now();
    for key in &input.some {
        db.get(&raw_key(&[n + key]))?;
    }
    timed(absent, begun);
    let begun = Instant::now();
    for key in &input.order {
        db.put(&raw_key(&pair(key)), &raw_value(&input.values.of(*key, 0)))?;
    }
    timed(map_put, begun);
    let begun = Instant::now();
    for key in &input.some {
        db.get(&raw_key(&pair(key)))?;
    }
    timed(map_get, begun);
    let begun = Instant::now();
    for keys in input.order.chunks(BATCH) {
        let rows: Vec<_> = keys.iter().map(|k| (raw_key(&[*k]), raw_value(&input.values.of(*k, 1)))).collect();
        db.put_all(rows.iter().map(|(k, v)| (k.as_slice(), v.as_slice())))?;
    }
    timed(put_many, begun);
    let begun = Instant::now();
    for keys in input.some.chunks(BATCH) {
        db.get_all(&keys.iter().map(|k| raw_key(&[*k])).collect::<Vec<_>>())?;
    }
    timed(get_many, begun);
    Ok(times)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Measures both with WAL and without, and prints the ratios.
pub(crate) async fn run(n: u64, repeat: usize) -> Result<()> {
    let input = Input { order: permutation(n), some: uniform(n, n as usize, 1), values: Values::new() };
    for wal in [true, false] {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..repeat {
            a.push(ours(n, wal, &input).await?);
            b.push(raw(n, wal, &input)?);
        }
        println!("{} (n = {n}, median of {repeat})", if wal { "WAL on (process)" } else { "WAL off (visible)" });
        let mut table = Table::new();
        table.load_preset(NOTHING).set_header(["operation", "typed, thousand/s", "raw, thousand/s", "ratio", "wanted"]);
        for (i, (name, wanted)) in ROWS.iter().enumerate() {
            let of = |all: &[Times]| median(all.iter().filter_map(|t| t.get(i).copied()).collect()).as_secs_f64();
            let (x, y) = (of(&a), of(&b));
            let rate = |seconds: f64| format!("{:.0}", n as f64 / seconds / 1e3);
            let ratio = y / x;
            let verdict = if ratio >= *wanted { format!("{wanted} met") } else { format!("{wanted} MISSED") };
            table.add_row([(*name).to_owned(), rate(x), rate(y), format!("{ratio:.2}"), verdict]);
        }
        println!("{table}\n");
    }
    Ok(())
}
