//! The framework's own cost: typed operations with buffer and cache off against the engine's raw driver doing the
//! same work with the same bytes and durability, repetitions interleaved.

pub(crate) mod driver;
mod engine;
mod raw_postgres;
mod raw_redis;
mod typed;

use std::time::Instant;

use comfy_table::{Table, presets::NOTHING};
use statehold::Result;
use statehold_bench_kit::input::{Values, permutation, uniform};

use self::{
    driver::{BATCH, Driver, SUBS},
    engine::Engine,
};
use crate::rows::median;

/// What is compared, in this order: single operations, then batches.
#[derive(Clone, Copy)]
enum Row {
    Put,
    Get,
    GetAbsent,
    MapPut,
    MapGet,
    PutMany,
    GetMany,
}

const ROWS: [(Row, &str); 7] = [
    (Row::Put, "put"),
    (Row::Get, "get"),
    (Row::GetAbsent, "get absent"),
    (Row::MapPut, "map put"),
    (Row::MapGet, "map get"),
    (Row::PutMany, "put_many of 100"),
    (Row::GetMany, "get_many of 100"),
];

/// Both sides take turns on each row, so that a machine whose speed drifts slows both. Turns of a few milliseconds
/// would measure where the scheduler happens to leave the server's process instead.
const TURNS: usize = 5;

/// How long each operation took, a turn each.
type Times = [Vec<f64>; ROWS.len()];

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
        Self { n, order: permutation(n), some: uniform(n, n as usize, 1), values: Values::new(100) }
    }
}

/// One turn: the row's operation on each of these keys.
async fn turn(driver: &mut impl Driver, row: Row, keys: &[u64], input: &Input) -> Result<()> {
    let Input { n, values, .. } = input;
    match row {
        Row::PutMany => {
            for keys in keys.chunks(BATCH) {
                driver.put_many(keys.iter().map(|key| (*key, values.of(*key, 1))).collect()).await?;
            }
        }
        Row::GetMany => {
            for keys in keys.chunks(BATCH) {
                driver.get_many(keys).await?;
            }
        }
        single => {
            for key in keys {
                match single {
                    Row::Put => driver.put(*key, values.of(*key, 0)).await?,
                    Row::GetAbsent => driver.get(n + key).await?,
                    Row::MapPut => driver.put_entry(key / SUBS, key % SUBS, values.of(*key, 0)).await?,
                    Row::MapGet => driver.get_entry(key / SUBS, key % SUBS).await?,
                    _ => driver.get(*key).await?,
                }
            }
        }
    }
    Ok(())
}

async fn timed(work: impl Future<Output = Result<()>>, count: usize, to: &mut Vec<f64>) -> Result<()> {
    let begun = Instant::now();
    work.await?;
    to.push(begun.elapsed().as_secs_f64() / count as f64);
    Ok(())
}

/// Does all rows once on stores that are empty; adds to the times of both sides.
async fn measure(
    typed: &mut impl Driver,
    raw: &mut impl Driver,
    input: &Input,
    times: &mut (Times, Times),
) -> Result<()> {
    let size = (input.n as usize / TURNS).next_multiple_of(BATCH);
    for ((row, _), (to_typed, to_raw)) in ROWS.iter().zip(times.0.iter_mut().zip(&mut times.1)) {
        let writes = matches!(row, Row::Put | Row::MapPut | Row::PutMany);
        let keys = if writes { &input.order } else { &input.some };
        for (number, keys) in keys.chunks(size).enumerate() {
            // Whoever comes second may find the machine warm: they take turns in that too.
            if number % 2 == 0 {
                timed(turn(typed, *row, keys, input), keys.len(), to_typed).await?;
                timed(turn(raw, *row, keys, input), keys.len(), to_raw).await?;
            } else {
                timed(turn(raw, *row, keys, input), keys.len(), to_raw).await?;
                timed(turn(typed, *row, keys, input), keys.len(), to_typed).await?;
            }
        }
    }
    Ok(())
}

fn table(times: &(Times, Times), wanted: Wanted) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["operation", "typed, thousand/s", "raw, thousand/s", "ratio", "wanted"]);
    let sides = times.0.iter().zip(&times.1);
    for (((_, name), wanted), (typed, raw)) in ROWS.iter().zip(wanted.rows()).zip(sides) {
        let (typed, raw) = (median(typed.clone()), median(raw.clone()));
        let rate = |seconds: f64| format!("{:.1}", 1e-3 / seconds);
        let ratio = raw / typed;
        let verdict = if ratio >= wanted { format!("{wanted} met") } else { format!("{wanted} MISSED") };
        table.add_row([(*name).to_owned(), rate(typed), rate(raw), format!("{ratio:.2}"), verdict]);
    }
    table
}

/// Measures typed and raw at each durability of the engine, and prints the ratios.
pub(crate) async fn run(kind: &str, n: u64, repeat: usize) -> Result<()> {
    let mut engine = Engine::start(kind)?;
    let input = Input::new(n);
    for durability in engine.durabilities() {
        let mut times = (Times::default(), Times::default());
        for _ in 0..repeat {
            engine.measure(durability, &input, &mut times).await?;
        }
        println!("{kind}, durability {} (n = {n}, median of {} turns)", durability.as_str(), repeat * TURNS);
        println!("{}\n", table(&times, engine.wanted()));
    }
    Ok(())
}
