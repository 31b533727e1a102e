//! A report as a run on four engines gives it.
#![allow(dead_code, reason = "each test takes a part")]

use statehold_bench_kit::{case::Case, meter::Usage};
use statehold_benches::report::{Latency, Machine, Measured, Ratio, Report, SCHEMA, Skipped, Spread, StoreInfo};

/// A case of 300,000 records of 100 bytes.
pub(crate) fn case(workload: &str) -> Case {
    Case { workload: workload.to_owned(), n: 300_000, value: 100, tasks: 1, tight: false }
}

/// A row whose operations took so many nanoseconds each.
pub(crate) fn row(case: &Case, row: &str, store: &str, side: &str, nanos: f64) -> Measured {
    let seconds = nanos * case.n as f64 / 1e9;
    let shape = [
        (0.0, 0.55),
        (0.1, 0.7),
        (0.25, 0.8),
        (0.5, 0.95),
        (0.75, 1.1),
        (0.9, 1.4),
        (0.95, 1.7),
        (0.99, 3.1),
        (0.999, 9.0),
        (0.9999, 55.0),
        (0.99999, 210.0),
        (1.0, 640.0),
    ];
    let at = |times: f64| (nanos * times) as u64;
    Measured {
        case: case.clone(),
        row: row.to_owned(),
        store: store.to_owned(),
        side: side.to_owned(),
        durability: "process".to_owned(),
        count: Some(case.n),
        seconds: Spread { median: seconds, min: seconds * 0.97, max: seconds * 1.06 },
        latency: Latency {
            p50: at(0.95),
            p99: at(3.1),
            p999: at(9.0),
            longest: at(700.0),
            curve: shape.map(|(share, times)| (share, at(times))).to_vec(),
        },
        usage: Usage {
            cpu_nanos: (seconds * 5.0e9) as u64,
            read_bytes: Some(0),
            write_bytes: Some(case.n * 540),
            allocations: None,
            peak_bytes: Some(96_000_000),
        },
        allocations: Some(3.5),
        operations: case.n * 5,
        checksum: 0x5eed_0000_0000_0000 | case.n,
    }
}

/// A row that is one step.
pub(crate) fn step(case: &Case, name: &str, store: &str, side: &str, millis: f64) -> Measured {
    let mut step = row(case, name, store, side, millis * 1e6 / case.n as f64);
    step.count = None;
    step.operations = 5;
    step.latency.curve = vec![(0.2, 1), (1.0, 2)];
    step
}

/// What `side` was beside `against`.
pub(crate) fn ratio(case: &Case, row: &str, store: &str, sides: [&str; 2], ratio: f64, wanted: Option<f64>) -> Ratio {
    Ratio {
        case: case.clone(),
        row: row.to_owned(),
        store: store.to_owned(),
        side: sides[0].to_owned(),
        against: sides[1].to_owned(),
        durability: "process".to_owned(),
        ratio,
        wanted,
    }
}

/// A run without rows.
pub(crate) fn empty() -> Report {
    let store = |name: &str, engine: Option<&str>, place: &str| StoreInfo {
        name: name.to_owned(),
        kind: name.to_owned(),
        engine: engine.map(str::to_owned),
        place: place.to_owned(),
    };
    Report {
        schema: SCHEMA,
        version: "0.1.0".to_owned(),
        at: 1_795_374_000,
        machine: Machine {
            processors: 2,
            model: Some("AMD EPYC 7763 64-Core Processor".to_owned()),
            memory: Some(25_200_000_000),
            system: "Linux 6.1.0-28-amd64".to_owned(),
        },
        repeat: 5,
        stores: vec![
            store("memory", None, "memory"),
            store("rocksdb", Some("RocksDB 10.4.2"), "a folder"),
            store("redis", Some("Redis 7.0.15"), "a private server"),
            store("postgres", Some("PostgreSQL 15.8"), "a private server"),
        ],
        rows: Vec::new(),
        ratios: Vec::new(),
        skipped: Vec::new(),
    }
}

/// Nanoseconds of an operation on each store, and how long each side takes of that.
type Store = (&'static str, f64, &'static [(&'static str, f64)]);

const STORES: [Store; 4] = [
    ("memory", 400.0, &[("typed", 0.8), ("direct", 1.2), ("spi", 1.0), ("dry", 0.2)]),
    ("rocksdb", 2_400.0, &[("typed", 0.6), ("direct", 1.17), ("spi", 1.08), ("raw", 1.0), ("opendal", 1.9)]),
    ("redis", 17_000.0, &[("typed", 0.4), ("direct", 1.15), ("spi", 1.06), ("raw", 1.0), ("opendal", 1.3)]),
    ("postgres", 90_000.0, &[("typed", 0.3), ("direct", 1.31), ("spi", 1.2), ("raw", 1.0)]),
];

/// All sides of all stores; a record of `case` costs `times` of what it costs elsewhere.
fn rows(case: &Case, name: &str, times: f64) -> Vec<Measured> {
    let sides = STORES.iter().flat_map(|(store, nanos, sides)| sides.iter().map(move |side| (*store, *nanos, side)));
    sides
        .map(|(store, nanos, (side, share))| {
            let mut row = row(case, name, store, side, nanos * share * times);
            // Nothing outlives the process of the one, and the other has no log.
            if store == "memory" || *side == "opendal" {
                row.durability = "visible".to_owned();
            }
            row
        })
        .collect()
}

/// A run on four engines.
pub(crate) fn report() -> Report {
    let mut report = empty();
    let operations = case("operations");
    for (name, times) in [
        ("put", 1.3),
        ("get", 1.0),
        ("get_absent", 0.7),
        ("map_put", 1.4),
        ("put_many_100", 0.2),
        ("get_many_100", 0.3),
    ] {
        report.rows.extend(rows(&operations, name, times));
    }
    let checkpoints = case("checkpoints");
    for (name, times) in [("ckpt1_base", 1.0), ("ckpt2_after_10pct_updates", 0.3), ("restore_savepoint", 9.0)] {
        for (store, side, millis) in [("memory", "typed", 60.0), ("rocksdb", "typed", 180.0), ("rocksdb", "raw", 150.0)]
        {
            report.rows.push(step(&checkpoints, name, store, side, millis * times));
        }
    }
    for value in [100, 1024] {
        let ycsb = Case { value, ..case("ycsb-a") };
        report.rows.extend(rows(&ycsb, "run", value as f64 / 80.0));
    }
    for (n, tight, times) in
        [(30_000, false, 0.8), (300_000, false, 1.0), (3_000_000, false, 1.4), (300_000, true, 4.0)]
    {
        let size = Case { n, tight, ..case("size") };
        for name in ["get_uniform", "update_uniform"] {
            report.rows.extend(rows(&size, name, times));
        }
    }
    for (tasks, times) in [(1, 1.0), (8, 0.6), (64, 0.55)] {
        report.rows.extend(rows(&Case { tasks, ..case("tasks") }, "get_uniform", times));
    }
    report.ratios = vec![
        ratio(&operations, "put", "rocksdb", ["direct", "raw"], 0.86, Some(0.85)),
        ratio(&operations, "get", "rocksdb", ["direct", "raw"], 0.91, Some(0.85)),
        ratio(&operations, "put_many_100", "rocksdb", ["direct", "raw"], 0.96, Some(0.95)),
        ratio(&operations, "get_many_100", "rocksdb", ["direct", "opendal"], 3.42, Some(2.0)),
        ratio(&operations, "put", "redis", ["direct", "raw"], 0.92, Some(0.85)),
        ratio(&operations, "get", "redis", ["direct", "raw"], 0.87, Some(0.9)),
        ratio(&operations, "put", "postgres", ["direct", "raw"], 0.88, Some(0.85)),
        ratio(&operations, "get", "postgres", ["direct", "raw"], 0.73, Some(0.85)),
        ratio(&operations, "get", "postgres", ["typed", "raw"], 3.3, None),
        ratio(&case("ycsb-a"), "run", "redis", ["typed", "raw"], 2.5, None),
    ];
    report.skipped = vec![
        Skipped {
            workload: "lists".to_owned(),
            row: None,
            store: "redis".to_owned(),
            side: "opendal".to_owned(),
            reason: "OpenDAL has no lists".to_owned(),
        },
        Skipped {
            workload: "checkpoints".to_owned(),
            row: Some("rescale_out_1to2".to_owned()),
            store: "memory".to_owned(),
            side: "typed".to_owned(),
            reason: "the engine takes no cuts of a part of its key groups; rescale from a savepoint instead".to_owned(),
        },
    ];
    report
}
