//! `statehold bench`: stores beside their raw drivers and other libraries; and two such reports compared.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use statehold::{Error, Result};
use statehold_benches::{
    Against, Bench,
    report::{Report, compare},
};
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};

use crate::{config::Config, out::Out};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    config: Config,
    /// Only this workload; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    workload: Vec<String>,
    /// Only this store; may be given several times [default: all of the descriptor]
    #[arg(long, value_name = "NAME")]
    store: Vec<String>,
    /// Beside what
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

#[derive(clap::Subcommand)]
enum Other {
    /// What became slower or faster between two reports; exits with 1 if anything became slower
    Compare(Two),
}

/// Two reports.
#[derive(clap::Args)]
struct Two {
    /// The report before: a folder, or its report.json
    old: PathBuf,
    /// The report now
    new: PathBuf,
    /// Percent that a speed has to change by, beyond what repetitions differ
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    threshold: f64,
    /// Tell the result as JSON
    #[arg(long)]
    json: bool,
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
/// As [`Bench::run`], [`Report::read`] and [`Report::write`]; `Internal` if a comparison found something slower.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    match arguments.other {
        Some(Other::Compare(two)) => compared(&two),
        None => measured(arguments).await,
    }
}

async fn measured(arguments: Arguments) -> Result<()> {
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
    let mut terminated = signal(SignalKind::terminate())
        .map_err(|e| Error::internal("the bench cannot be told when to end").because(e))?;
    tokio::spawn(async move {
        let told = tokio::select! {
            told = ctrl_c() => told.is_ok(),
            told = terminated.recv() => told.is_some(),
        };
        if told {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let report = bench.run().await?;
    if let Some(dir) = &arguments.out {
        report.write(dir)?;
    }
    let mut out = Out::new();
    out.line(report.text().trim_end())?;
    out.finish()
}

fn compared(two: &Two) -> Result<()> {
    let comparison = compare(&Report::read(&two.old)?, &Report::read(&two.new)?, two.threshold);
    let mut out = Out::new();
    if two.json {
        out.json(&comparison)?;
    } else {
        out.line(comparison.text().trim_end())?;
    }
    out.finish()?;
    match comparison.slower() {
        0 => Ok(()),
        slower => Err(Error::internal(format!("{slower} rows are slower than before"))
            .advise("measure both again on a quiet machine; what stays slower has a cause in what changed")),
    }
}
