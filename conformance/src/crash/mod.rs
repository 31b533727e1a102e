//! Crash cases: a child process is killed in the middle of its work, and its store opened again.

mod child;
mod parent;
pub(crate) mod recovery;
mod task;
mod victim;

use crate::{Case, case::cases};

pub use child::crash_child;
use parent::{
    batch_1_a_killed_writer_leaves_each_batch_whole_or_absent,
    batch_4_a_commit_sent_again_after_a_kill_is_applied_once,
    life_1_a_killed_visible_store_opens_only_by_recover_or_discard,
    life_1_a_killed_writer_at_power_loses_nothing_acknowledged, life_1_a_killed_writer_loses_nothing_acknowledged,
    life_5_a_killed_recovery_leaves_old_or_new_content, own_1_a_second_process_fences_the_first,
    own_1_a_second_process_is_refused_until_the_first_is_gone,
};
pub(crate) use {
    task::{FEW, Ledger, Task, WRITER},
    victim::{Victim, number},
};

pub(crate) const CASES: &[Case] = cases![Crash:
    batch_1_a_killed_writer_leaves_each_batch_whole_or_absent(Process, Persistent),
    batch_4_a_commit_sent_again_after_a_kill_is_applied_once(Process, Persistent, Markers, StoreScope),
    life_1_a_killed_writer_loses_nothing_acknowledged(Process, Persistent, Markers, StoreScope),
    life_1_a_killed_writer_at_power_loses_nothing_acknowledged(Power, Persistent, Markers, StoreScope),
    life_1_a_killed_visible_store_opens_only_by_recover_or_discard(Process, Visible, Persistent, Exclusive, Loading),
    life_5_a_killed_recovery_leaves_old_or_new_content(Process, Persistent, Loading),
    own_1_a_second_process_is_refused_until_the_first_is_gone(Process, Persistent, Exclusive, Held),
    own_1_a_second_process_fences_the_first(Process, Persistent, Exclusive, Fencing, Markers, StoreScope),
];
