//! [`Rules`]: what the protocol rests on. Each can be taken away, to see what it is for.

/// `true` everywhere is the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A record is created only where there is none.
    pub create_if_absent: bool,
    /// No part of a superseded claim is completed.
    pub completes_are_fenced: bool,
    /// A claim whose base is not the latest checkpoint supersedes every claim, whatever its groups.
    pub rollback_fences_everybody: bool,
    /// A claim that asks for the latest checkpoint gets the one at the moment it is appended.
    pub latest_is_found_while_claiming: bool,
    /// A claim that goes on with content on its disk names the claim that wrote it, which must not be superseded.
    pub clones_are_fenced: bool,
    /// A part refers only to objects that a living part names.
    pub references_are_checked: bool,
    /// What is uploaded again gets a new name.
    pub fresh_names: bool,
    /// A claim's parts are appended in the order of their attempts.
    pub attempts_in_order: bool,
    /// A complete has no part that is older than one its claim was completed with.
    pub completes_in_order: bool,
    /// A complete has parts of all groups.
    pub all_groups: bool,
    /// A complete has the parts that answered one call of the coordinator.
    pub one_call_of_the_coordinator: bool,
    /// No complete has a part that an abort retired.
    pub aborts_are_heeded: bool,
    /// An append that timed out may have succeeded: its objects stay.
    pub time_outs_are_unknown: bool,
    /// Objects that nothing names stay while an attempt may yet name them.
    pub running_attempts_are_spared: bool,
    /// The latest checkpoint is never retired.
    pub latest_is_kept: bool,
    /// Prune deletes after the retire is in the log, by what the log then says.
    pub retire_comes_first: bool,
}

impl Rules {
    pub const ALL: Self = Self {
        create_if_absent: true,
        completes_are_fenced: true,
        rollback_fences_everybody: true,
        latest_is_found_while_claiming: true,
        clones_are_fenced: true,
        references_are_checked: true,
        fresh_names: true,
        attempts_in_order: true,
        completes_in_order: true,
        all_groups: true,
        one_call_of_the_coordinator: true,
        aborts_are_heeded: true,
        time_outs_are_unknown: true,
        running_attempts_are_spared: true,
        latest_is_kept: true,
        retire_comes_first: true,
    };
}
