//! The framework's own cost: typed operations with buffer and cache off against the engine's raw driver doing the
//! same work with the same bytes and durability, repetitions interleaved.

mod driver;
mod engine;
mod raw_postgres;
mod raw_redis;
mod raw_rocksdb;
mod typed;

use std::time::{Duration, Instant};

use comfy_table::{Table, presets::NOTHING};
use statehold::Result;

use self::{
    driver::{BATCH, Driver, SUBS},
    engine::Engine,
};
use crate::workload::{Values, permutation, uniform};

/// What is compared: single operations, then batches.
const ROWS: [&str; 7] = ["put", "get", "get absent", "map put", "map get", "put_many of 100", "get_many of 100"];

type Times = [Duration; ROWS.len()];

/// The ratio that each row must reach: single writes, single reads, batches written, batches read.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    write: f64,
    read: f64,
    write_many: f64,
    read_many: f64,
}

impl Wanted {
    fn rows(self) -> [f64; ROWS.len()] {
        [self.write, self.read, self.read, self.write, self.read, self.write_many, self.read_many]
    }
}

struct Input {
    n: u64,
    order: Vec<u64>,
    some: Vec<u64>,
    values: Values,
}

impl Input {
    fn new(n: u64) -> Self {
        Self { n, order: permutation(n), some: uniform(n, n as usize, 1), values: Values::new() }
    }
}

async fn timed(work: impl Future<Output = Result<()>>) -> Result<Duration> {
    let begun = Instant::now();
    work.await?;
    Ok(begun.elapsed())
}

/// Does all rows once, on a store that is empty.
async fn measure(driver: &mut impl Driver, input: &Input) -> Result<Times> {
    let Input { n, order, some, values } = input;
    let put = timed(async {
        for key in order {
            driver.put(*key, values.of(*key, 0)).await?;
        }
        Ok(())
    });
    let put = put.await?;
    let get = timed(async {
        for key in some {
            driver.get(*key).await?;
        }
        Ok(())
    });
    let get = get.await?;
    let absent = timed(async {
        for key in some {
            driver.get(n + key).await?;
        }
        Ok(())
    });
    let absent = absent.await?;
    let map_put = timed(async {
        for key in order {
            driver.put_entry(key / SUBS, key % SUBS, values.of(*key, 0)).await?;
        }
        Ok(())
    });
    let map_put = map_put.await?;
    let map_get = timed(async {
        for key in some {
            driver.get_entry(key / SUBS, key % SUBS).await?;
        }
        Ok(())
    });
    let map_get = map_get.await?;
    let put_many = timed(async {
        for keys in order.chunks(BATCH) {
            driver.put_many(keys.iter().map(|key| (*key, values.of(*key, 1))).collect()).await?;
        }
        Ok(())
    });
    let put_many = put_many.await?;
    let get_many = timed(async {
        for keys in some.chunks(BATCH) {
            driver.get_many(keys).await?;
        }
        Ok(())
    });
    let get_many = get_many.await?;
    Ok([put, get, absent, map_put, map_get, put_many, get_many])
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn table(n: u64, typed: &[Times], raw: &[Times], wanted: Wanted) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["operation", "typed, thousand/s", "raw, thousand/s", "ratio", "wanted"]);
    for (i, (name, wanted)) in ROWS.iter().zip(wanted.rows()).enumerate() {
        let of = |all: &[Times]| median(all.iter().filter_map(|t| t.get(i).copied()).collect()).as_secs_f64();
        let (x, y) = (of(typed), of(raw));
        let rate = |seconds: f64| format!("{:.1}", n as f64 / seconds / 1e3);
        let ratio = y / x;
        let verdict = if ratio >= wanted { format!("{wanted} met") } else { format!("{wanted} MISSED") };
        table.add_row([(*name).to_owned(), rate(x), rate(y), format!("{ratio:.2}"), verdict]);
    }
    table
}

/// Measures typed and raw at each durability of the engine, and prints the ratios.
pub(crate) async fn run(kind: &str, n: u64, repeat: usize) -> Result<()> {
    let mut engine = Engine::start(kind)?;
    let input = Input::new(n);
    for durability in engine.durabilities() {
        let (mut typed, mut raw) = (Vec::new(), Vec::new());
        for _ in 0..repeat {
            let mut driver = engine.typed(durability).await?;
            typed.push(measure(&mut driver, &input).await?);
            driver.close().await?;
            raw.push(engine.measure_raw(durability, &input).await?);
        }
        println!("{kind}, durability {} (n = {n}, median of {repeat})", durability.as_str());
        println!("{}\n", table(n, &typed, &raw, engine.wanted()));
    }
    Ok(())
}
