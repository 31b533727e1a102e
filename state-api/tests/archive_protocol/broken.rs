//! Without any one of the rules something is lost: the model finds the schedule.

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    properties::{
        AN_ABORT_IS_FOR_EVER, BASES_STAY, NO_ZOMBIES_LATEST, NOTHING_IS_HALF, NOTHING_IS_LOST, NOTHING_IS_MIXED,
        NOTHING_IS_OVERWRITTEN, NOTHING_IS_ROLLED_BACK_UNASKED, SOMETHING_COMPLETES,
    },
    protocol::Protocol,
    rules::Rules,
    scenarios,
};

/// Fails unless the property is broken. `--no-capture` shows how.
fn breaks(property: &'static str, scenario: Protocol, rules: Rules) {
    assert_ne!(rules, Rules::ALL, "no rule was taken away");
    finds(property, Protocol { rules, ..scenario });
}

fn finds(property: &'static str, protocol: Protocol) {
    let checker = protocol.checker().finish_when(HasDiscoveries::AnyOf([property].into())).spawn_bfs().join();
    let path = checker.assert_any_discovery(property);
    println!("{} states until not: {property}", checker.unique_state_count());
    for step in path.into_actions() {
        println!("  {step:?}");
    }
}

#[test]
fn without_create_if_absent_a_record_is_overwritten() {
    let scenario = Protocol { faults: 0, aborts: 0, ..scenarios::takeover() };
    breaks(NOTHING_IS_OVERWRITTEN, scenario, Rules { create_if_absent: false, ..Rules::ALL });
}

#[test]
fn without_fences_a_zombie_completes_the_latest() {
    breaks(NO_ZOMBIES_LATEST, scenarios::takeover(), Rules { completes_are_fenced: false, ..Rules::ALL });
}

#[test]
fn without_fencing_the_other_owners_a_rollback_mixes_timelines() {
    breaks(NOTHING_IS_MIXED, scenarios::rollback(), Rules { rollback_fences_everybody: false, ..Rules::ALL });
}

#[test]
fn with_the_latest_looked_up_before_the_claim_a_checkpoint_is_rolled_back() {
    let rules = Rules { latest_is_found_while_claiming: false, ..Rules::ALL };
    breaks(NOTHING_IS_ROLLED_BACK_UNASKED, scenarios::takeover(), rules);
}

#[test]
fn without_naming_the_claim_it_continues_a_copy_mixes_timelines() {
    breaks(NOTHING_IS_MIXED, scenarios::copies(), Rules { clones_are_fenced: false, ..Rules::ALL });
}

#[test]
fn without_checked_references_a_retire_takes_a_new_parts_objects() {
    breaks(NOTHING_IS_LOST, scenarios::prune(), Rules { references_are_checked: false, ..Rules::ALL });
}

#[test]
fn without_fresh_names_a_late_delete_takes_what_was_uploaded_again() {
    breaks(NOTHING_IS_LOST, scenarios::prune(), Rules { fresh_names: false, ..Rules::ALL });
}

#[test]
fn without_keeping_the_latest_an_owner_cannot_load_its_base() {
    breaks(BASES_STAY, scenarios::prune(), Rules { latest_is_kept: false, ..Rules::ALL });
}

#[test]
fn without_all_groups_a_base_is_pruned_while_it_is_loaded() {
    breaks(BASES_STAY, scenarios::takeover_and_prune(), Rules { all_groups: false, ..Rules::ALL });
}

#[test]
fn with_deletes_before_the_retire_a_kept_checkpoint_loses_objects() {
    breaks(NOTHING_IS_LOST, scenarios::prune(), Rules { retire_comes_first: false, ..Rules::ALL });
}

#[test]
fn with_all_unnamed_objects_swept_a_running_attempt_loses_its_own() {
    breaks(NOTHING_IS_LOST, scenarios::leftovers(), Rules { running_attempts_are_spared: false, ..Rules::ALL });
}

#[test]
fn with_time_outs_taken_for_failures_a_late_record_names_deleted_objects() {
    breaks(NOTHING_IS_LOST, scenarios::leftovers(), Rules { time_outs_are_unknown: false, ..Rules::ALL });
}

#[test]
fn without_the_order_of_attempts_a_slow_one_is_swept() {
    breaks(NOTHING_IS_LOST, scenarios::overlapping(), Rules { attempts_in_order: false, ..Rules::ALL });
}

#[test]
fn without_the_order_of_completes_the_latest_goes_back() {
    breaks(NOTHING_IS_MIXED, scenarios::overlapping(), Rules { completes_in_order: false, ..Rules::ALL });
}

#[test]
fn without_all_groups_half_a_checkpoint_is_the_latest() {
    breaks(NOTHING_IS_HALF, scenarios::takeover(), Rules { all_groups: false, ..Rules::ALL });
}

#[test]
fn with_parts_of_two_calls_a_checkpoint_has_two_cuts() {
    breaks(NOTHING_IS_MIXED, scenarios::aborts(), Rules { one_call_of_the_coordinator: false, ..Rules::ALL });
}

#[test]
fn with_an_abort_that_nobody_heeds_it_completes_after_all() {
    breaks(AN_ABORT_IS_FOR_EVER, scenarios::aborts(), Rules { aborts_are_heeded: false, ..Rules::ALL });
}

#[test]
fn a_coordinator_that_calls_no_more_may_never_complete() {
    finds(SOMETHING_COMPLETES, scenarios::answers_that_miss_each_other());
}
