//! `statehold checkpoints`: what an archive holds, the coordinator's part of a checkpoint of several owners, and
//! pruning. None of it opens a store.

mod prune;
mod text;

use clap::Subcommand;
use statehold::{
    Error, Result,
    archive::{CheckpointId, Metadata, Select},
};

use self::text::{listed, shown};
use crate::{config::Config, out::Out, table, units};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: Config,
    /// Tell it as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// All checkpoints, in the order they were completed
    List,
    /// Everything about one checkpoint
    Show {
        /// Its id, or `latest`
        #[arg(default_value = "latest")]
        checkpoint: Select,
    },
    /// Read every object of one checkpoint back, and check it
    Verify {
        /// Its id, or `latest`
        #[arg(default_value = "latest")]
        checkpoint: Select,
    },
    /// What the owners have prepared for a checkpoint that is not complete
    Prepared {
        /// Its id
        checkpoint: u64,
    },
    /// Make a checkpoint of what all its owners have prepared
    Complete {
        /// Its id
        checkpoint: u64,
        /// What to keep with it, as JSON or else as text; may be given again
        #[arg(long, value_name = "NAME=VALUE")]
        metadata: Vec<String>,
    },
    /// Give up what was prepared for a checkpoint
    Abort {
        /// Its id
        checkpoint: u64,
    },
    /// Give up checkpoints, and delete what no other needs
    Prune(prune::Arguments),
}

fn parsed(metadata: &[String]) -> Result<Metadata> {
    metadata.iter().try_fold(Metadata::new(), |all, one| {
        let (name, text) = one.split_once('=').ok_or_else(|| {
            Error::invalid(format!("metadata `{}` has no `=`", one.escape_debug())).advise("write NAME=VALUE")
        })?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::from(text));
        Ok(all.with(name, value))
    })
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let archive = arguments.config.archive().await?;
    let mut out = Out::new();
    let json = arguments.json;
    match arguments.action {
        Action::List => {
            let list = archive.list().await?;
            if json { out.json(&list)? } else { out.line(listed(&list))? }
        }
        Action::Show { checkpoint } => {
            let info = archive.show(checkpoint).await?;
            if json { out.json(&info)? } else { out.line(shown(&info))? }
        }
        Action::Verify { checkpoint } => {
            let verified = archive.verify(checkpoint).await?;
            if json {
                out.json(&verified)?;
            } else {
                out.line(text::verified(&verified))?;
            }
        }
        Action::Prepared { checkpoint } => {
            let parts = archive.prepared(CheckpointId(checkpoint)).await?;
            if json {
                out.json(&parts)?;
            } else {
                let mut rows = table::plain(&["store", "key groups", "claim", "new"], &[2, 3]);
                for part in &parts {
                    let groups = format!("{}..{} of {}", part.groups.start, part.groups.end, part.groups.of);
                    rows.add_row([part.store.clone(), groups, part.claim.to_string(), units::bytes(part.new_bytes)]);
                }
                out.line(if parts.is_empty() { "Nothing is prepared.".into() } else { rows.to_string() })?;
            }
        }
        Action::Complete { checkpoint, metadata } => {
            let info = archive.complete(CheckpointId(checkpoint), &parsed(&metadata)?).await?;
            if json { out.json(&info)? } else { out.line(shown(&info))? }
        }
        Action::Abort { checkpoint } => {
            let parts = archive.abort(CheckpointId(checkpoint)).await?;
            if json {
                out.json(&serde_json::json!({ "checkpoint": checkpoint, "parts": parts }))?;
            } else {
                out.line(format!("Gave up {parts} parts of checkpoint {checkpoint}."))?;
            }
        }
        Action::Prune(prune) => {
            let pruned = prune.run(&archive, &arguments.config.descriptor()?).await?;
            if json { out.json(&pruned)? } else { out.line(prune.text(&pruned))? }
        }
    }
    out.finish()
}
