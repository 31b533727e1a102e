//! [`Protocol`]: a scenario as a model, the steps that may come next and what they do.

use stateright::{Model, Property};

use super::{
    properties,
    record::{Claim, Entry, Groups, Number, Object, Point, Record},
    replay::Replay,
    rules::Rules,
    world::{Attempt, COORDINATOR, Owner, PRUNER, Phase, World},
};

/// Who takes part, and how much of each thing may happen.
#[derive(Debug, Clone)]
pub struct Protocol {
    pub rules: Rules,
    pub owners: Vec<Job>,
    /// The id that each call of the coordinator asks the owners to prepare.
    pub calls: Vec<u8>,
    pub aborts: u8,
    pub retires: u8,
    pub sweeps: u8,
    /// Attempts that fail, and appends whose outcome is not told.
    pub faults: u8,
    /// Whether a checkpoint must be complete in the end.
    pub undisturbed: bool,
}

/// A process that owns groups.
#[derive(Debug, Clone)]
pub struct Job {
    pub groups: Groups,
    pub start: Start,
    /// How many checkpoints it tries to write.
    pub attempts: u8,
    /// How many of these at once.
    pub at_once: usize,
    /// The attempt whose content is without the stable file, which then comes back.
    pub without: Option<u8>,
}

#[derive(Debug, Clone, Copy)]
pub enum Start {
    Nothing,
    Latest,
    /// Goes back to this checkpoint.
    Id(u8),
    /// On a copy of the disk of this owner, as it is at any moment.
    CopyOf(u8),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Finds the latest checkpoint.
    Find(u8),
    Claim(u8),
    /// Cuts and uploads.
    Begin(u8),
    Append(u8, usize),
    /// An attempt fails before anything is appended.
    Fail(u8, usize),
    /// No answer to an append.
    TimeOut(u8, usize),
    Call,
    Complete(Vec<Number>),
    Abort(Vec<Number>),
    /// No answer to a complete or an abort.
    CoordinatorTimeOut,
    Retire(Number),
    /// The pruner reads the log,
    Read,
    /// and later lists the objects and deletes the dead ones.
    Sweep,
    Arrive(Number, Record),
}

impl Model for Protocol {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.owners.len())]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        let replay = Replay::of(&world.log, self.rules);
        let may_fail = world.faults < self.faults;
        for ((owner, job), place) in world.owners.iter().zip(&self.owners).zip(0..) {
            self.owner_steps(world, &replay, owner, job, place, steps);
        }
        let coordinator = &world.coordinator;
        if coordinator.sent.is_none() {
            if usize::from(coordinator.round) < self.calls.len() {
                steps.push(Step::Call);
            }
            self.coordinator_steps(world, &replay, steps);
        } else if may_fail {
            steps.push(Step::CoordinatorTimeOut);
        }
        let pruner = &world.pruner;
        if pruner.sent.is_none() && pruner.serial < self.retires {
            let retirable = replay.kept().filter(|c| replay.may_retire(&[*c], &[]));
            steps.extend(retirable.map(Step::Retire));
        }
        if pruner.sweeps < self.sweeps {
            steps.push(if pruner.read.is_some() { Step::Sweep } else { Step::Read });
        }
        steps.extend(world.creates.iter().map(|(n, record)| Step::Arrive(*n, record.clone())));
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        let replay = Replay::of(&world.log, self.rules);
        match step {
            Step::Find(place) => next.owners[usize::from(place)].phase = Phase::Found(replay.head()),
            Step::Claim(place) => {
                let claim = self.claim(world, &replay, place)?;
                if let Some(Point { claim: copied, .. }) = claim.continues {
                    let of = world.owners.iter().find(|o| o.phase == Phase::Owning(copied));
                    next.owners[usize::from(place)].known = of.map(|o| o.known.clone()).unwrap_or_default();
                }
                let number = next.send(place, 0, Entry::Claim(claim));
                next.owners[usize::from(place)].phase = Phase::Claiming(number);
            }
            Step::Begin(place) => {
                let (owner, job) = (&mut next.owners[usize::from(place)], &self.owners[usize::from(place)]);
                let Phase::Owning(claim) = owner.phase else { return None };
                let round = world.coordinator.round;
                let id = self.calls[usize::from(round) - 1];
                let part = owner.begin(claim, job, id, round);
                next.objects.extend(part.objects.iter().filter(|o| o.at == part.at));
            }
            Step::Append(place, which) => self.append(&mut next, &replay, place, which),
            Step::Fail(place, which) => {
                next.faults += 1;
                let attempt = next.owners[usize::from(place)].running.remove(which);
                forget(&mut next, &attempt);
            }
            Step::TimeOut(place, which) => {
                next.faults += 1;
                let attempt = next.owners[usize::from(place)].running.remove(which);
                if !self.rules.time_outs_are_unknown {
                    forget(&mut next, &attempt);
                }
            }
            Step::Call => next.coordinator.round += 1,
            Step::Complete(parts) => {
                let id = replay.part(*parts.first()?)?.id;
                self.coordinate(&mut next, Entry::Complete { id, parts });
            }
            Step::Abort(parts) => {
                next.coordinator.aborts += 1;
                self.coordinate(&mut next, Entry::Retire { completes: Vec::new(), parts });
            }
            Step::CoordinatorTimeOut => {
                next.faults += 1;
                next.coordinator.sent = None;
            }
            Step::Retire(complete) => {
                next.pruner.serial += 1;
                let entry = Entry::Retire { completes: vec![complete], parts: Vec::new() };
                if !self.rules.retire_comes_first {
                    let mut log = world.log.clone();
                    log.push(Record {
                        write_id: super::record::WriteId { process: PRUNER, serial: 0 },
                        entry: entry.clone(),
                    });
                    let after = Replay::of(&log, self.rules);
                    next.objects.retain(|o| !after.is_dead(*o));
                }
                let serial = next.pruner.serial;
                next.pruner.sent = Some(next.send(PRUNER, serial, entry));
            }
            Step::Read => next.pruner.read = Some(world.end()),
            Step::Sweep => {
                let then = Replay::of(&world.log[..usize::from(next.pruner.read.take()?)], self.rules);
                next.objects.retain(|o| !then.is_dead(*o));
                next.pruner.sweeps += 1;
            }
            Step::Arrive(number, record) => next.arrive(number, record, self.rules.create_if_absent),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Protocol {
    fn owner_steps(
        &self,
        world: &World,
        replay: &Replay<'_>,
        owner: &Owner,
        job: &Job,
        place: u8,
        steps: &mut Vec<Step>,
    ) {
        match owner.phase {
            Phase::New if matches!(job.start, Start::Latest) && !self.rules.latest_is_found_while_claiming => {
                steps.push(Step::Find(place));
            }
            Phase::New | Phase::Found(_) if self.claim(world, replay, place).is_some() => {
                steps.push(Step::Claim(place));
            }
            Phase::Owning(_) => {
                let round = world.coordinator.round;
                let is_called = owner.answered < round && owner.running.iter().all(|a| a.part.round < round);
                if is_called && owner.running.len() < job.at_once && owner.attempts < job.attempts {
                    steps.push(Step::Begin(place));
                }
            }
            _ => {}
        }
        let may_fail = world.faults < self.faults;
        for (attempt, which) in owner.running.iter().zip(0..) {
            if attempt.sent.is_none() {
                steps.push(Step::Append(place, which));
            }
            if may_fail {
                let sent = attempt.sent.is_some();
                steps.push(if sent { Step::TimeOut(place, which) } else { Step::Fail(place, which) });
            }
        }
    }

    /// What the owner would claim now, if it may.
    fn claim(&self, world: &World, replay: &Replay<'_>, place: u8) -> Option<Claim> {
        let job = &self.owners[usize::from(place)];
        let owner = &world.owners[usize::from(place)];
        let (base, continues) = match (job.start, &owner.phase) {
            (Start::Nothing, _) => (None, None),
            (Start::Latest, Phase::Found(base)) => (*base, None),
            (Start::Latest, _) => (replay.head(), None),
            (Start::Id(id), _) => (Some(replay.find(id)?), None),
            (Start::CopyOf(other), _) => {
                let copied = &world.owners[usize::from(other)];
                let Phase::Owning(claim) = copied.phase else { return None };
                (replay.head(), Some(Point { claim, attempt: copied.attempts }))
            }
        };
        let wants_latest = matches!(job.start, Start::Latest);
        let claim = Claim { groups: job.groups, base, continues, wants_latest };
        replay.may_claim(&claim).then_some(claim)
    }

    fn append(&self, next: &mut World, replay: &Replay<'_>, place: u8, which: usize) {
        let owner = &mut next.owners[usize::from(place)];
        let attempt = &mut owner.running[which];
        let at = attempt.part.at;
        if !replay.may_append(&attempt.part) {
            // Every create of it has failed for certain, so nothing will ever name its objects.
            let attempt = owner.running.remove(which);
            if replay.is_superseded(at.claim) {
                owner.phase = Phase::Fenced;
            }
            return forget(next, &attempt);
        }
        let gone = replay.gone(&attempt.part);
        if !gone.is_empty() && !attempt.again {
            attempt.again = true;
            for object in &mut attempt.part.objects {
                if gone.contains(object) && self.rules.fresh_names {
                    *object = Object { at, file: object.file };
                }
            }
            attempt.part.objects.sort_unstable();
            attempt.part.objects.dedup();
            let uploaded = attempt.part.objects.clone();
            next.objects.extend(uploaded.iter().filter(|o| o.at == at || gone.contains(o)));
            return;
        }
        let part = Entry::Part(attempt.part.clone());
        let number = next.send(place, at.attempt, part);
        next.owners[usize::from(place)].running[which].sent = Some(number);
    }

    /// Completes with one or two parts, or an abort of all that answered the last call.
    fn coordinator_steps(&self, world: &World, replay: &Replay<'_>, steps: &mut Vec<Step>) {
        let parts: Vec<(Number, u8, u8)> = replay.parts().map(|(n, p)| (n, p.id, p.round)).collect();
        for (place, (first, id, _)) in parts.iter().enumerate() {
            let alone = std::iter::once(vec![*first]);
            let pairs = parts[place + 1..].iter().filter(|(_, other, _)| other == id);
            let pairs = pairs.map(|(second, ..)| vec![*first, *second]);
            steps.extend(alone.chain(pairs).filter(|p| replay.may_complete(*id, p)).map(Step::Complete));
        }
        let last = parts.iter().filter(|(.., round)| *round == world.coordinator.round);
        let last: Vec<Number> = last.map(|(n, ..)| *n).collect();
        if world.coordinator.aborts < self.aborts && !last.is_empty() && replay.may_retire(&[], &last) {
            steps.push(Step::Abort(last));
        }
    }

    fn coordinate(&self, next: &mut World, entry: Entry) {
        next.coordinator.serial += 1;
        let serial = next.coordinator.serial;
        next.coordinator.sent = Some(next.send(COORDINATOR, serial, entry));
    }
}

/// The owner deletes what the attempt has uploaded.
fn forget(next: &mut World, attempt: &Attempt) {
    next.objects.retain(|o| o.at != attempt.part.at);
}
