//! `statehold checkpoints prune`.

use statehold::{
    Descriptor, Error, Result,
    archive::{Archive, Pruned, Retention},
    parse_duration,
};

use crate::units;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Keep the last so many of the current timeline
    #[arg(long, value_name = "N")]
    keep_last: Option<usize>,
    /// Keep what is younger, such as 7d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    keep_for: Option<std::time::Duration>,
    /// Only tell what would go
    #[arg(long)]
    dry_run: bool,
}

fn duration(text: &str) -> Result<std::time::Duration> {
    parse_duration(text).map(std::time::Duration::from_millis)
}

impl Arguments {
    /// The descriptor says what to keep unless the command does.
    fn retention(&self, descriptor: &Descriptor) -> Result<Retention> {
        if self.keep_last.is_some() || self.keep_for.is_some() {
            return Ok(Retention { keep_last: self.keep_last.unwrap_or(1), keep_for: self.keep_for });
        }
        descriptor.archive.as_ref().and_then(|a| a.retention).ok_or_else(|| {
            Error::invalid("nothing says which checkpoints to keep")
                .advise("give --keep-last or --keep-for, or set keep_last or keep_for under [archive]")
        })
    }

    pub(super) async fn run(&self, archive: &Archive, descriptor: &Descriptor) -> Result<Pruned> {
        let retention = self.retention(descriptor)?;
        if self.dry_run { archive.would_prune(&retention, None).await } else { archive.prune(&retention, None).await }
    }

    pub(super) fn text(&self, pruned: &Pruned) -> String {
        let ids: Vec<String> = pruned.checkpoints.iter().map(ToString::to_string).collect();
        let which = if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        let objects = match pruned.objects {
            0 => "No object".to_owned(),
            n => format!("{} objects, {},", units::count(n), units::bytes(pruned.bytes)),
        };
        let (give_up, delete) = if self.dry_run { ("Would give up", "would be") } else { ("Gave up", "were") };
        format!("{give_up} checkpoints: {which}. {objects} {delete} deleted.")
    }
}
