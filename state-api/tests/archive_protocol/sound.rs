//! With all rules, every schedule of every scenario keeps every property.

use stateright::{Checker, Expectation, Model};

use super::{
    properties::{COMPLETES_LATE, COMPLETES_TWICE, FENCES, RETIRES, SWEEPS_A_LEFTOVER, UPLOADS_AGAIN},
    protocol::Protocol,
    scenarios,
};

/// Looks at every schedule; `seen` must be among what happens.
fn holds(protocol: Protocol, seen: &[&'static str]) {
    let properties = protocol.properties();
    let checker = protocol.checker().spawn_bfs().join();
    println!("{} states, {} steps deep", checker.unique_state_count(), checker.max_depth());
    for property in properties.iter().filter(|p| p.expectation != Expectation::Sometimes) {
        checker.assert_no_discovery(property.name);
    }
    for name in seen {
        checker.assert_any_discovery(name);
    }
}

#[test]
fn own_1_a_takeover_leaves_no_mixed_checkpoint_and_no_zombies_latest() {
    holds(scenarios::takeover(), &[FENCES, COMPLETES_LATE]);
}

#[test]
fn own_1_a_rollback_of_one_owner_fences_all() {
    holds(scenarios::rollback(), &[FENCES, COMPLETES_TWICE]);
}

#[test]
fn own_1_of_two_copies_of_a_job_one_goes_on() {
    holds(scenarios::copies(), &[FENCES, COMPLETES_TWICE]);
}

#[test]
fn life_8_prune_beside_running_archives_takes_nothing_that_is_kept() {
    holds(scenarios::prune(), &[FENCES, RETIRES, UPLOADS_AGAIN]);
}

#[test]
fn life_8_leftovers_are_swept_beside_running_attempts() {
    holds(scenarios::leftovers(), &[FENCES, SWEEPS_A_LEFTOVER, COMPLETES_LATE]);
}

#[test]
fn life_2_checkpoints_that_overlap_complete_in_order_or_not_at_all() {
    holds(scenarios::overlapping(), &[COMPLETES_TWICE]);
}

#[test]
fn life_2_an_aborted_checkpoint_stays_aborted_and_its_id_can_be_tried_again() {
    holds(scenarios::aborts(), &[UPLOADS_AGAIN]);
}

#[test]
fn life_8_prune_beside_a_takeover_takes_nothing_that_is_kept() {
    holds(scenarios::takeover_and_prune(), &[FENCES, RETIRES]);
}

#[test]
fn life_2_undisturbed_owners_complete_a_checkpoint() {
    holds(scenarios::undisturbed(), &[COMPLETES_TWICE, RETIRES]);
}
