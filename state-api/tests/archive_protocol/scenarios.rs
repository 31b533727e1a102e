//! The scenarios: each is small enough to look at every schedule of it.

use super::{
    protocol::{Job, Protocol, Start},
    record::{ALL, Groups},
    rules::Rules,
};

/// The two halves of the groups.
const LEFT: Groups = 0b01;
const RIGHT: Groups = 0b10;

fn job(groups: Groups, start: Start, attempts: u8) -> Job {
    Job { groups, start, attempts, at_once: 1, without: None }
}

fn scenario(owners: Vec<Job>, calls: &[u8]) -> Protocol {
    Protocol {
        rules: Rules::ALL,
        owners,
        calls: calls.to_vec(),
        aborts: 0,
        retires: 0,
        sweeps: 0,
        faults: 0,
        undisturbed: false,
    }
}

/// Two owners, and a third that takes the left half over; calls may overlap.
pub fn takeover() -> Protocol {
    let owners = vec![job(LEFT, Start::Nothing, 2), job(RIGHT, Start::Nothing, 2), job(LEFT, Start::Latest, 1)];
    Protocol { faults: 1, aborts: 1, ..scenario(owners, &[1, 2]) }
}

/// Two owners, and a third that goes back to the first checkpoint with half of the groups.
pub fn rollback() -> Protocol {
    let owners = vec![job(LEFT, Start::Nothing, 3), job(RIGHT, Start::Nothing, 3), job(LEFT, Start::Id(1), 1)];
    scenario(owners, &[1, 2, 3])
}

/// One owner that shares objects from checkpoint to checkpoint, and a pruner.
pub fn prune() -> Protocol {
    let first = Job { without: Some(2), ..job(ALL, Start::Nothing, 3) };
    let owners = vec![first, job(ALL, Start::Latest, 1)];
    Protocol { retires: 2, sweeps: 1, ..scenario(owners, &[1, 2, 3]) }
}

/// Attempts fail and appends time out, while leftovers are swept.
pub fn leftovers() -> Protocol {
    let owners = vec![job(ALL, Start::Nothing, 3), job(ALL, Start::Latest, 1)];
    Protocol { sweeps: 1, faults: 2, ..scenario(owners, &[1, 2]) }
}

/// An owner that writes two checkpoints at once.
pub fn overlapping() -> Protocol {
    let owner = Job { at_once: 2, ..job(ALL, Start::Nothing, 3) };
    Protocol { sweeps: 1, faults: 1, ..scenario(vec![owner], &[1, 2, 3]) }
}

/// A call is given up, and the same id is tried again.
pub fn aborts() -> Protocol {
    let owners = vec![job(LEFT, Start::Nothing, 2), job(RIGHT, Start::Nothing, 2)];
    Protocol { aborts: 1, faults: 1, sweeps: 1, ..scenario(owners, &[1, 1]) }
}

/// Two copies of a live job's disk.
pub fn copies() -> Protocol {
    let owners = vec![job(ALL, Start::Nothing, 2), job(ALL, Start::CopyOf(0), 1), job(ALL, Start::CopyOf(0), 1)];
    scenario(owners, &[1, 2, 3])
}

/// Two owners that nobody disturbs.
pub fn undisturbed() -> Protocol {
    let owners = vec![job(LEFT, Start::Nothing, 2), job(RIGHT, Start::Nothing, 2)];
    Protocol { retires: 1, sweeps: 1, undisturbed: true, ..scenario(owners, &[1, 2]) }
}

/// Two owners that are called twice, and answer once.
pub fn answers_that_miss_each_other() -> Protocol {
    let owners = vec![job(LEFT, Start::Nothing, 1), job(RIGHT, Start::Nothing, 1)];
    Protocol { undisturbed: true, ..scenario(owners, &[1, 2]) }
}

/// The same, beside a pruner.
pub fn takeover_and_prune() -> Protocol {
    let owners = vec![job(LEFT, Start::Nothing, 2), job(RIGHT, Start::Nothing, 2), job(LEFT, Start::Latest, 1)];
    Protocol { retires: 1, sweeps: 1, ..scenario(owners, &[1, 2]) }
}
