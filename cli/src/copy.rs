//! `statehold copy`: one store's content into another, whatever their engines.

use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use statehold::{
    Error, ErrorKind, KeyGroup, Result, StateManager,
    core::{ArchiveSink, Millis, Row, StateId, StateSpec, portable::LoadSink},
};

use crate::{config::Config, out::Out, units};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: Config,
    /// The store to read, which no other process may own
    #[arg(long, value_name = "STORE")]
    from: String,
    /// The store to fill; all of it or nothing
    #[arg(long, value_name = "STORE")]
    to: String,
    /// Replace what it holds
    #[arg(long)]
    replace: bool,
}

/// Loads and counts.
struct Counting {
    into: LoadSink,
    rows: u64,
    states: u64,
    bar: ProgressBar,
}

#[async_trait]
impl ArchiveSink for Counting {
    async fn state(&mut self, id: StateId, spec: &StateSpec) -> Result<()> {
        self.states += 1;
        self.into.state(id, spec).await
    }

    async fn rows(&mut self, id: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        self.rows += rows.len() as u64;
        self.bar.set_position(u64::from(group.0));
        self.bar.set_message(format!("{} rows", units::count(self.rows)));
        self.into.rows(id, group, rows).await
    }

    async fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()> {
        self.into.floor(now, incarnation).await
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { config, from, to, replace } = arguments;
    let mut descriptor = config.descriptor()?;
    if from == to {
        return Err(Error::invalid("the stores are the same one").about("--to").advise("name two stores"));
    }
    // The archive has no part in it, and no other store is opened.
    descriptor.archive = None;
    descriptor.states.clear();
    for name in [&from, &to] {
        if !descriptor.stores.contains_key(name) {
            let known: Vec<_> = descriptor.stores.keys().map(String::as_str).collect();
            return Err(Error::new(ErrorKind::NotFound, format!("there is no store `{}`", name.escape_debug()))
                .advise(format!("the descriptor has: {}", known.join(", "))));
        }
    }
    descriptor.stores.retain(|name, _| *name == from || *name == to);
    let manager = StateManager::builder(descriptor).owner("statehold copy").open().await?;
    let copied = copy(&manager, &from, &to, replace).await;
    let closed = manager.close().await;
    let (states, rows) = copied?;
    closed?;
    let mut out = Out::new();
    out.line(format!("Copied {} states with {} rows from `{from}` to `{to}`.", states, units::count(rows)))?;
    out.finish()
}

async fn copy(manager: &StateManager, from: &str, to: &str, replace: bool) -> Result<(u64, u64)> {
    let (source, target) = (manager.store(from)?, manager.store(to)?);
    let held = target.states().await?;
    if !replace && !held.is_empty() {
        let names: Vec<&str> = held.iter().map(|(_, spec)| spec.name.as_str()).collect();
        return Err(Error::new(ErrorKind::Conflict, format!("it holds states: {}", names.join(", ")))
            .in_store(to)
            .advise("nothing was changed; `--replace` throws them away, `--to` names another store"));
    }
    let groups = manager.groups();
    let bar = ProgressBar::with_draw_target(Some(u64::from(groups.total())), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} key group {pos} of {len}, {eta} left: {msg}") {
        bar.set_style(style);
    }
    let into = LoadSink::new(target.loader(groups).await?);
    let mut sink = Counting { into, rows: 0, states: 0, bar };
    let archived = source.archive(groups, &mut sink).await.map_err(|e| e.during("copy"));
    sink.bar.finish_and_clear();
    archived?;
    sink.into.publish().await.map_err(|e| e.during("copy"))?;
    // As durable as the store promises, before it is told.
    target.finish().await?;
    Ok((sink.states, sink.rows))
}
