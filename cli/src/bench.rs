//! `statehold bench`: stores beside their raw drivers and other libraries.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use statehold::Result;
use statehold_benches::{Against, Bench};
use tokio::signal;

use crate::config::Config;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: Config,
    /// Only this workload; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    workload: Vec<String>,
    /// Only this store; may be given several times [default: all of the descriptor]
    #[arg(long, value_name = "NAME")]
    store: Vec<String>,
    /// Beside what: the engine's own driver, other libraries
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_enum, default_values = ["raw"])]
    against: Vec<Side>,
    /// Records; stores with a server get a tenth
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    n: u64,
    /// Repetitions, each on an empty store; the median is told
    #[arg(long, value_name = "N", default_value_t = 3)]
    repeat: usize,
    /// Write report.json and report.html into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    /// The engine's own driver, used by hand
    Raw,
    /// Other libraries; build them with `make peers`
    Peers,
    /// Nothing else
    None,
}

/// Runs the command.
///
/// # Errors
/// As [`Bench::run`].
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let against = arguments.against.iter().filter_map(|side| match side {
        Side::Raw => Some(Against::Raw),
        Side::Peers => Some(Against::Peers),
        Side::None => None,
    });
    let bench = Bench {
        config: arguments.config.path()?,
        workloads: arguments.workload,
        stores: arguments.store,
        against: against.collect(),
        n: arguments.n,
        repeat: arguments.repeat,
        progress: true,
        stop: Arc::default(),
    };
    let stop = bench.stop.clone();
    tokio::spawn(async move {
        if signal::ctrl_c().await.is_ok() {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let report = bench.run().await?;
    let _ = arguments.out;
    for row in &report.rows {
        println!(
            "{:10} {:34} {:9} {:7} n={} v={} t={} {:>9.1}  p50 {} p99 {} long {} cpu {} alloc {:?} peak {:?} w {:?}",
            row.case.workload,
            row.row,
            row.store,
            row.side,
            row.case.n,
            row.case.value,
            row.case.tasks,
            row.per_second().map_or(row.seconds.median * 1e3, |x| x / 1e3),
            row.latency.p50,
            row.latency.p99,
            row.latency.longest,
            row.usage.cpu_nanos / 1000000,
            row.usage.allocations.map(|a| a as f64 / row.operations as f64),
            row.usage.peak_bytes.map(|b| b >> 20),
            row.usage.write_bytes.map(|b| b >> 20)
        );
    }
    for r in &report.ratios {
        println!("{} {} {} {}/{} {:.2} {:?}", r.case.workload, r.row, r.store, r.side, r.against, r.ratio, r.wanted);
    }
    println!("{:#?} {:?} {:?}", report.skipped, report.machine, report.stores);
    Ok(())
}
