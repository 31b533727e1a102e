//! [`Op`] and [`World`]: what a job does, and what must be there afterwards.

use statehold::{
    RecoverFrom, Result,
    archive::{CheckpointId, Status},
};

use crate::place::{Job, Place, behind};

/// One thing that a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Open(RecoverFrom),
    Close,
    Write(u64),
    Take(u64),
    Prepare(usize, u64),
    Complete(u64),
    Abort(u64),
    Prune(usize),
    Recover(u64),
}

/// What jobs do until they are killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) owners: u16,
    pub(crate) ops: &'static [Op],
    /// Steps that must be met, else the sweep sweeps nothing: in any form, and in native form.
    pub(crate) meets: &'static [&'static str],
    pub(crate) meets_native: &'static [&'static str],
    /// Stores that keep claims are given some.
    pub(crate) claims: bool,
}

const AS_LEFT: Op = Op::Open(RecoverFrom::AsLeft);

const fn life_2_a_job_killed_at_any_step_of_a_checkpoint() -> Plan {
    Plan {
        name: stringify!(life_2_a_job_killed_at_any_step_of_a_checkpoint),
        owners: 1,
        ops: &[AS_LEFT, Op::Write(1), Op::Take(1), Op::Close, AS_LEFT, Op::Write(2), Op::Take(2), Op::Write(3)],
        meets: &["claim.append", "claim.appended", "complete.append", "complete.appended"],
        meets_native: &["cut.linked", "object.linked", "object.copied", "object.stored"],
        claims: true,
    }
}

const fn life_2_a_job_killed_at_any_step_of_a_checkpoint_of_two_owners() -> Plan {
    Plan {
        name: stringify!(life_2_a_job_killed_at_any_step_of_a_checkpoint_of_two_owners),
        owners: 2,
        ops: &[
            AS_LEFT,
            Op::Write(1),
            Op::Prepare(0, 1),
            Op::Prepare(1, 1),
            Op::Complete(1),
            Op::Write(2),
            Op::Prepare(1, 2),
            Op::Abort(2),
            Op::Write(3),
            Op::Prepare(1, 3),
            Op::Prepare(0, 3),
            Op::Complete(3),
        ],
        meets: &["prepare.append", "prepare.appended", "complete.append", "abort.append", "abort.appended"],
        meets_native: &["cut.linked"],
        claims: false,
    }
}

const fn life_8_a_job_killed_at_any_step_of_a_prune() -> Plan {
    Plan {
        name: stringify!(life_8_a_job_killed_at_any_step_of_a_prune),
        owners: 1,
        ops: &[
            AS_LEFT,
            Op::Write(1),
            Op::Take(1),
            Op::Write(2),
            Op::Take(2),
            Op::Write(3),
            Op::Take(3),
            Op::Prune(2),
            Op::Write(4),
            Op::Take(4),
            Op::Prune(1),
        ],
        meets: &["retire.append", "retire.appended", "object.delete"],
        meets_native: &[],
        claims: false,
    }
}

const fn life_5_a_job_killed_at_any_step_of_a_recover() -> Plan {
    Plan {
        name: stringify!(life_5_a_job_killed_at_any_step_of_a_recover),
        owners: 1,
        ops: &[
            AS_LEFT,
            Op::Write(1),
            Op::Take(1),
            Op::Write(2),
            Op::Take(2),
            Op::Write(3),
            Op::Recover(1),
            Op::Write(4),
            Op::Take(3),
            Op::Write(5),
            Op::Recover(3),
        ],
        meets: &["claim.appended"],
        meets_native: &["file.linked", "native.joined", "native.sealed", "native.closed", "native.exchanged"],
        claims: true,
    }
}

/// All of them, named as their functions.
pub(crate) const PLANS: &[Plan] = &[
    life_2_a_job_killed_at_any_step_of_a_checkpoint(),
    life_2_a_job_killed_at_any_step_of_a_checkpoint_of_two_owners(),
    life_8_a_job_killed_at_any_step_of_a_prune(),
    life_5_a_job_killed_at_any_step_of_a_recover(),
];

impl Op {
    /// Does it to `job`.
    pub(crate) async fn run(self, place: &Place, job: &mut Option<Job>, world: &World) -> Result<()> {
        if let Self::Open(from) = self {
            *job = Some(place.open(from).await?);
            return Ok(());
        }
        if let Self::Close = self {
            return match job.take() {
                Some(job) => job.close().await,
                None => Ok(()),
            };
        }
        let Some(job) = job else { return Err(statehold::Error::internal("the plan does not begin with an open")) };
        let one = &job.managers[0];
        match self {
            Self::Open(_) | Self::Close => Ok(()),
            Self::Write(n) => job.write(n).await,
            Self::Take(id) => job.take(id, world.disk.len()).await,
            Self::Prepare(owner, id) => job.managers[owner].prepare(CheckpointId(id)).await.map(drop),
            Self::Complete(id) => {
                one.checkpoints()?.complete(CheckpointId(id), &behind(world.disk.len())).await.map(drop)
            }
            Self::Abort(id) => one.checkpoints()?.abort(CheckpointId(id)).await.map(drop),
            Self::Prune(keep) => job.prune(keep).await,
            Self::Recover(id) => one.recover(CheckpointId(id)).await.map(drop),
        }
    }
}

/// A checkpoint as the model has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: u64,
    pub(crate) writes: Vec<u64>,
    pub(crate) status: Status,
}

/// The model: what disk and archive hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct World {
    /// The writes whose outcome the stores hold.
    pub(crate) disk: Vec<u64>,
    pub(crate) checkpoints: Vec<Kept>,
}

impl World {
    /// After these ops.
    pub(crate) fn after(ops: &[Op]) -> Self {
        let mut world = Self::default();
        ops.iter().for_each(|op| world.apply(*op));
        world
    }

    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Open(_) | Op::Close | Op::Prepare(..) | Op::Abort(_) => {}
            Op::Write(n) => self.disk.push(n),
            Op::Take(id) | Op::Complete(id) => {
                self.checkpoints.push(Kept { id, writes: self.disk.clone(), status: Status::Current });
            }
            Op::Prune(keep) => {
                let current = self.checkpoints.iter().filter(|c| c.status == Status::Current);
                let kept: Vec<u64> = current.rev().take(keep).map(|c| c.id).collect();
                self.checkpoints.retain(|c| kept.contains(&c.id));
            }
            Op::Recover(id) => {
                let Some(at) = self.checkpoints.iter().position(|c| c.id == id) else { return };
                self.disk = self.checkpoints[at].writes.clone();
                for later in &mut self.checkpoints[at + 1..] {
                    later.status = Status::Superseded;
                }
            }
        }
    }

    pub(crate) fn latest(&self) -> Option<&Kept> {
        self.checkpoints.iter().rev().find(|c| c.status == Status::Current)
    }

    /// As the archive's list must show it: id, writes, where it stands.
    pub(crate) fn listed(&self) -> Vec<(u64, u64, Status)> {
        self.checkpoints.iter().map(|c| (c.id, c.writes.len() as u64, c.status)).collect()
    }
}
