//! `statehold recover`: makes the stores of a descriptor what a checkpoint shows.

use statehold::{RecoverFrom, Result, StateManager, archive::Select};

use crate::{config::Config, out::Out, units};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: Config,
    /// Its id, or `latest`; what was written after it is gone
    #[arg(default_value = "latest")]
    checkpoint: Select,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let from = match arguments.checkpoint {
        Select::Latest => RecoverFrom::Latest,
        Select::Id(id) => RecoverFrom::Id(id),
    };
    let builder = StateManager::builder(arguments.config.descriptor()?).owner("statehold command line");
    let manager = builder.recover(from).open().await?;
    // Whichever it was, it is the latest of the timeline now.
    let recovered = manager.checkpoints()?.show(Select::Latest).await;
    manager.close().await?;
    let of = recovered?.summary;
    let mut out = Out::new();
    let rows = of.rows.map_or_else(String::new, |rows| format!("{} rows, ", units::count(rows)));
    out.line(format!("Recovered checkpoint {}: {rows}{} of objects.", of.id, units::bytes(of.size)))?;
    out.finish()
}
