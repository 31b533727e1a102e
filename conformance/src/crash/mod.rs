//! Crash cases: a child process is killed in the middle of its work, and its store opened again.

mod child;
mod parent;
mod task;

use crate::{Case, case::cases};

pub use child::crash_child;
use parent::{
    life_1_a_killed_visible_store_opens_only_by_recover_or_discard, life_1_a_killed_writer_loses_nothing_acknowledged,
    life_5_a_killed_recovery_leaves_old_or_new_content, own_1_a_second_process_fences_the_first,
    own_1_a_second_process_is_refused_until_the_first_is_gone,
};

pub(crate) const CASES: &[Case] = cases![Crash:
    life_1_a_killed_writer_loses_nothing_acknowledged(Process, Persistent, Markers, StoreScope),
    life_1_a_killed_visible_store_opens_only_by_recover_or_discard(Process, Visible, Persistent, Exclusive, Loading),
    life_5_a_killed_recovery_leaves_old_or_new_content(Process, Persistent, Loading),
    own_1_a_second_process_is_refused_until_the_first_is_gone(Process, Persistent, Exclusive, Held),
    own_1_a_second_process_fences_the_first(Process, Persistent, Exclusive, Fencing, Markers, StoreScope),
];
