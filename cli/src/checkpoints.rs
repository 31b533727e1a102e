//! `statehold checkpoints list|show|verify`: what an archive holds, without opening any store.

use clap::Subcommand;
use statehold::{
    Result,
    archive::{CheckpointInfo, CheckpointSummary, Select, Status},
};

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
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let archive = arguments.config.archive().await?;
    let mut out = Out::new();
    match arguments.action {
        Action::List => {
            let list = archive.list().await?;
            if arguments.json { out.json(&list)? } else { out.line(listed(&list))? }
        }
        Action::Show { checkpoint } => {
            let info = archive.show(checkpoint).await?;
            if arguments.json { out.json(&info)? } else { out.line(shown(&info))? }
        }
        Action::Verify { checkpoint } => {
            let verified = archive.verify(checkpoint).await?;
            if arguments.json {
                out.json(&verified)?;
            } else {
                out.line(format!(
                    "Checkpoint {} is whole: {} rows in {} objects, {}.",
                    verified.checkpoint.id,
                    units::count(verified.rows),
                    units::count(verified.objects),
                    units::bytes(verified.object_bytes)
                ))?;
            }
        }
    }
    out.finish()
}

fn status(of: &CheckpointSummary) -> &'static str {
    match of.status {
        Status::Current => "current",
        Status::Superseded => "superseded",
    }
}

fn listed(list: &[CheckpointSummary]) -> String {
    if list.is_empty() {
        return "There are no checkpoints yet.".into();
    }
    let mut table = table::plain(&["id", "status", "taken", "claim", "stores", "rows", "bytes"], &[0, 3, 5, 6]);
    for one in list {
        table.add_row([
            one.id.to_string(),
            status(one).to_owned(),
            units::instant(one.created_at),
            one.claim.to_string(),
            one.stores.join(", "),
            units::count(one.rows),
            units::bytes(one.bytes),
        ]);
    }
    table.to_string()
}

fn shown(info: &CheckpointInfo) -> String {
    let of = &info.summary;
    let mut text = format!(
        "Checkpoint {}, {}, taken {} in {} ms under claim {}; it added {}.\n",
        of.id,
        status(of),
        units::instant(of.created_at),
        units::count(info.duration_ms),
        of.claim,
        units::bytes(info.new_bytes)
    );
    let mut states = table::plain(&["store", "state", "model", "key", "value", "rows", "bytes"], &[5, 6]);
    for store in &info.contents {
        for state in &store.states {
            let spec = &state.spec;
            let key =
                spec.sub_type.as_ref().map_or_else(|| spec.key_type.clone(), |sub| format!("{}, {sub}", spec.key_type));
            states.add_row([
                store.name.clone(),
                spec.name.clone(),
                spec.model.as_str().to_owned(),
                key,
                format!("{} v{}", spec.codec, spec.schema_version),
                units::count(state.rows),
                units::bytes(state.bytes),
            ]);
        }
    }
    text.push_str(&format!("\n{states}\n"));
    let mut objects = table::plain(&["object", "rows", "bytes"], &[1, 2]);
    for object in info.contents.iter().flat_map(|s| &s.objects) {
        objects.add_row([object.name.clone(), units::count(object.rows), units::bytes(object.bytes)]);
    }
    text.push_str(&format!("\n{objects}\n"));
    for (name, value) in info.metadata.iter() {
        text.push_str(&format!("\n{name}: {value}"));
    }
    text
}
