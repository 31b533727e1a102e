//! Power cases: what durability `power` means. A killed process proves nothing about it, as what it wrote is still
//! in the system's memory: here the system calls are watched, and a file system loses what was not synced.

mod cases;
mod disk;
mod trace;

use std::{path::Path, process::Command};

use statehold_core::OptionReader;

use crate::{
    Case, Site,
    case::{Need, cases},
};
use cases::{
    life_1_a_commit_at_power_is_synced_before_it_is_acknowledged,
    life_1_power_loss_at_process_leaves_a_prefix_of_the_commits, life_1_power_loss_loses_nothing_acknowledged_at_power,
    life_5_power_loss_leaves_old_or_new_content_of_a_recovery,
};

pub(crate) const CASES: &[Case] = cases![Power:
    life_1_a_commit_at_power_is_synced_before_it_is_acknowledged(Power, Persistent, OnDisk, Tracing),
    life_1_power_loss_loses_nothing_acknowledged_at_power(Power, Persistent, Markers, StoreScope, OnDisk, PowerLoss),
    life_1_power_loss_at_process_leaves_a_prefix_of_the_commits(Process, Persistent, Markers, StoreScope, OnDisk, PowerLoss),
    life_5_power_loss_leaves_old_or_new_content_of_a_recovery(Process, Persistent, Loading, OnDisk, PowerLoss),
];

/// Why the suite does not reach the store's files.
pub(crate) fn elsewhere(need: Need, site: &Site, dir: &Path) -> Option<&'static str> {
    let path = || OptionReader::new(site.backend.kind(), &site.options).text("path").ok().flatten();
    let inside = || path().is_some_and(|path| Path::new(&path).starts_with(dir));
    (need == Need::OnDisk && !inside()).then_some("the store's files are not in a directory of the suite")
}

/// What a case needs of this machine, and it lacks.
pub(crate) fn lacking(need: Need) -> Option<&'static str> {
    let (met, reason) = match need {
        Need::Tracing => {
            (runs("strace", &["-f", "-o", "/dev/null", "true"]), "strace is not installed, or may trace nobody here")
        }
        Need::PowerLoss => (disk::Disk::can_be_made(), "disks can be mounted by root alone, with mkfs.ext4 and perl"),
        _ => (true, ""),
    };
    (!met).then_some(reason)
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|ran| ran.status.success())
}
