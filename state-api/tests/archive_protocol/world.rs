//! [`World`]: everything there is at one moment. A process that crashes is one that takes no step any more, and one
//! that comes back is another process; so every schedule also is one of crashes, and of zombies.

use std::collections::BTreeSet;

use super::{
    protocol::Job,
    record::{Claim, Entry, File, Number, Object, Part, Point, Record, WriteId},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub log: Vec<Record>,
    pub objects: BTreeSet<Object>,
    /// Creates on their way. They arrive, in any order and at any time, or never.
    pub creates: BTreeSet<(Number, Record)>,
    pub owners: Vec<Owner>,
    pub coordinator: Coordinator,
    pub pruner: Pruner,
    /// Time-outs and failures so far.
    pub faults: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    pub phase: Phase,
    pub attempts: u8,
    pub running: Vec<Attempt>,
    /// Objects that the next part may refer to.
    pub known: Vec<Object>,
    /// The last call of the coordinator that it has answered.
    pub answered: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    New,
    /// It has found the latest checkpoint, for a claim that it has yet to make.
    Found(Option<Number>),
    Claiming(Number),
    Owning(Number),
    Fenced,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Its objects are all uploaded and confirmed.
    pub part: Part,
    pub again: bool,
    pub sent: Option<Number>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Coordinator {
    /// How often it has called the owners to prepare.
    pub round: u8,
    pub aborts: u8,
    pub sent: Option<Number>,
    pub serial: u8,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Pruner {
    pub sent: Option<Number>,
    pub serial: u8,
    /// The end of the log when it read it.
    pub read: Option<Number>,
    pub sweeps: u8,
}

/// The coordinator's and the pruner's place among the processes, behind all owners.
pub const COORDINATOR: u8 = 100;
pub const PRUNER: u8 = 101;

impl World {
    pub fn new(owners: usize) -> Self {
        let owner = Owner { phase: Phase::New, attempts: 0, running: Vec::new(), known: Vec::new(), answered: 0 };
        Self {
            log: Vec::new(),
            objects: BTreeSet::new(),
            creates: BTreeSet::new(),
            owners: vec![owner; owners],
            coordinator: Coordinator::default(),
            pruner: Pruner::default(),
            faults: 0,
        }
    }

    pub fn end(&self) -> Number {
        self.log.len() as Number
    }

    /// Sends a create of the record behind the end of the log as it is now.
    pub fn send(&mut self, process: u8, serial: u8, entry: Entry) -> Number {
        let number = self.end() + 1;
        self.creates.insert((number, Record { write_id: WriteId { process, serial }, entry }));
        number
    }

    /// A create arrives. Whoever waits for its number then finds out whose record is there.
    pub fn arrive(&mut self, number: Number, record: Record, create_if_absent: bool) {
        self.creates.remove(&(number, record.clone()));
        let WriteId { process, serial } = record.write_id;
        if number <= self.end() {
            self.log[usize::from(number) - 1] = record;
        } else {
            self.log.push(record);
        }
        if create_if_absent {
            // All others for this number fail from now on.
            self.creates.retain(|(n, _)| *n != number);
        }
        let is_told = |waiting: u8| create_if_absent || waiting == process;
        for (owner, place) in self.owners.iter_mut().zip(0..) {
            if is_told(place) {
                owner.learn(number, process == place, serial, &self.log);
            }
        }
        if self.coordinator.sent == Some(number) && is_told(COORDINATOR) {
            self.coordinator.sent = None;
        }
        if self.pruner.sent == Some(number) && is_told(PRUNER) {
            self.pruner.sent = None;
        }
    }
}

impl Owner {
    fn learn(&mut self, number: Number, ours: bool, serial: u8, log: &[Record]) {
        if self.phase == Phase::Claiming(number) {
            self.phase = if ours { Phase::Owning(number) } else { Phase::New };
            if let (true, Some(Entry::Claim(claim))) = (ours, log.last().map(|r| &r.entry)) {
                self.load(claim, log);
            }
        }
        for attempt in self.running.iter_mut().filter(|a| a.sent == Some(number)) {
            attempt.sent = None;
            if ours && attempt.part.at.attempt == serial {
                self.answered = self.answered.max(attempt.part.round);
                let stable = attempt.part.objects.iter().filter(|o| o.file == File::Stable).copied();
                let stable: Vec<Object> = stable.collect();
                if !stable.is_empty() {
                    self.known = stable;
                }
            }
        }
        let landed = |a: &Attempt| ours && a.part.at.attempt == serial && matches!(self.phase, Phase::Owning(_));
        let keep: Vec<bool> = self.running.iter().map(|a| !landed(a)).collect();
        let mut keep = keep.into_iter();
        self.running.retain(|_| keep.next().unwrap_or(true));
    }

    /// Takes the content of its base: what it has not changed it need not upload.
    fn load(&mut self, claim: &Claim, log: &[Record]) {
        if claim.continues.is_some() {
            return;
        }
        let entry = |n: Number| log.get(usize::from(n).wrapping_sub(1)).map(|r| &r.entry);
        let Some(Entry::Complete { parts, .. }) = claim.base.and_then(entry) else { return };
        for number in parts {
            if let Some(Entry::Part(part)) = entry(*number)
                && part.groups & claim.groups != 0
            {
                self.known.extend(part.objects.iter().filter(|o| o.file == File::Stable));
            }
        }
    }

    /// Takes a cut and uploads what no earlier part has.
    pub fn begin(&mut self, claim: Number, job: &Job, id: u8, round: u8) -> Part {
        self.attempts += 1;
        let at = Point { claim, attempt: self.attempts };
        let has_stable = job.without != Some(self.attempts);
        let mut objects = if has_stable { self.known.clone() } else { Vec::new() };
        if has_stable && objects.is_empty() {
            objects.push(Object { at, file: File::Stable });
        }
        objects.push(Object { at, file: File::Changing });
        let part = Part { at, groups: job.groups, id, round, objects };
        self.running.push(Attempt { part: part.clone(), again: false, sent: None });
        part
    }
}
