//! [`Replay`]: what the log says, and what the protocol makes of it.

use super::{
    record::{ALL, Claim, Entry, Number, Object, Part, Point, Record},
    rules::Rules,
};

/// The log up to some record.
pub struct Replay<'a> {
    log: &'a [Record],
    rules: Rules,
    head: Option<Number>,
    claims: Vec<ClaimState>,
    completes: Vec<CompleteState>,
    retired_parts: Vec<Number>,
}

struct ClaimState {
    number: Number,
    groups: u8,
    superseded: bool,
    /// The greatest attempt that the log names.
    attempted: u8,
    /// The greatest attempt that a checkpoint was completed with.
    completed: u8,
}

struct CompleteState {
    number: Number,
    parent: Option<Number>,
    retired: bool,
}

impl<'a> Replay<'a> {
    pub fn of(log: &'a [Record], rules: Rules) -> Self {
        let mut replay =
            Self { log, rules, head: None, claims: Vec::new(), completes: Vec::new(), retired_parts: Vec::new() };
        for (record, number) in log.iter().zip(1..) {
            replay.apply(number, &record.entry);
        }
        replay
    }

    fn apply(&mut self, number: Number, entry: &Entry) {
        match entry {
            Entry::Claim(claim) => {
                let leaves = claim.base != self.head;
                for earlier in &mut self.claims {
                    let overlaps = earlier.groups & claim.groups != 0;
                    earlier.superseded |= overlaps || (leaves && self.rules.rollback_fences_everybody);
                }
                self.head = claim.base;
                let groups = claim.groups;
                self.claims.push(ClaimState { number, groups, superseded: false, attempted: 0, completed: 0 });
            }
            Entry::Part(part) => {
                if let Some(claim) = self.claims.iter_mut().find(|c| c.number == part.at.claim) {
                    claim.attempted = claim.attempted.max(part.at.attempt);
                }
            }
            Entry::Complete { parts, .. } => {
                self.completes.push(CompleteState { number, parent: self.head, retired: false });
                self.head = Some(number);
                let cuts: Vec<Point> = parts.iter().filter_map(|n| Some(self.part(*n)?.at)).collect();
                for at in cuts {
                    if let Some(claim) = self.claims.iter_mut().find(|c| c.number == at.claim) {
                        claim.completed = claim.completed.max(at.attempt);
                    }
                }
            }
            Entry::Retire { completes, parts } => {
                for complete in self.completes.iter_mut().filter(|c| completes.contains(&c.number)) {
                    complete.retired = true;
                }
                self.retired_parts.extend(parts);
            }
        }
    }

    /// The latest checkpoint: the last complete after the last claim, or that claim's base.
    pub fn head(&self) -> Option<Number> {
        self.head
    }

    /// Whether the checkpoint is on the current timeline.
    pub fn is_current(&self, number: Number) -> bool {
        let parent = |n: &Number| self.complete(*n).and_then(|c| c.parent);
        std::iter::successors(self.head, parent).any(|n| n == number)
    }

    /// The record of the kept checkpoint `id`: of the current timeline, else the newest.
    pub fn find(&self, id: u8) -> Option<Number> {
        let kept = |c: &&CompleteState| !c.retired && self.id(c.number) == Some(id);
        let newest_first = || self.completes.iter().rev().filter(kept).map(|c| c.number);
        newest_first().find(|n| self.is_current(*n)).or_else(|| newest_first().next())
    }

    pub fn part(&self, number: Number) -> Option<&'a Part> {
        match self.entry(number) {
            Some(Entry::Part(part)) => Some(part),
            _ => None,
        }
    }

    /// All parts with their numbers.
    pub fn parts(&self) -> impl Iterator<Item = (Number, &'a Part)> + use<'a> {
        let numbered = self.log.iter().zip(1..);
        numbered.filter_map(|(r, n)| if let Entry::Part(part) = &r.entry { Some((n, part)) } else { None })
    }

    /// The parts of a checkpoint.
    pub fn parts_of(&self, complete: Number) -> &'a [Number] {
        match self.entry(complete) {
            Some(Entry::Complete { parts, .. }) => parts,
            _ => &[],
        }
    }

    /// All checkpoints that are not retired.
    pub fn kept(&self) -> impl Iterator<Item = Number> {
        self.completes.iter().filter(|c| !c.retired).map(|c| c.number)
    }

    /// All checkpoints, retired or not.
    pub fn completes(&self) -> impl Iterator<Item = Number> {
        self.completes.iter().map(|c| c.number)
    }

    pub fn is_superseded(&self, claim: Number) -> bool {
        self.claims.iter().find(|c| c.number == claim).is_none_or(|c| c.superseded)
    }

    pub fn is_retired_part(&self, part: Number) -> bool {
        self.retired_parts.contains(&part)
    }

    /// Whether the claim is in force and has yet to load its base, as far as the log tells.
    pub fn may_be_loading(&self, claim: Number) -> bool {
        self.claims.iter().any(|c| c.number == claim && !c.superseded && c.completed == 0)
    }

    /// Whether the objects of a part must be there: a kept checkpoint names it, or one may yet be completed with it.
    fn is_live(&self, number: Number, part: &Part) -> bool {
        self.kept().any(|c| self.parts_of(c).contains(&number)) || self.is_pending(number, part)
    }

    fn is_pending(&self, number: Number, part: &Part) -> bool {
        let claim = self.claims.iter().find(|c| c.number == part.at.claim);
        claim.is_some_and(|c| !c.superseded && part.at.attempt > c.completed) && !self.is_retired_part(number)
    }

    fn is_named_by_the_living(&self, object: Object) -> bool {
        self.parts().any(|(n, part)| part.objects.contains(&object) && self.is_live(n, part))
    }

    // What the protocol lets be appended. `Err` tells who refuses.

    pub fn may_claim(&self, claim: &Claim) -> bool {
        let base_is_kept = claim.base.is_none_or(|b| self.kept().any(|c| c == b));
        let is_no_clone = claim.continues.is_none_or(|p| !self.is_superseded(p.claim));
        base_is_kept && (is_no_clone || !self.rules.clones_are_fenced)
    }

    /// Whether the claim may write this attempt's part at all.
    pub fn may_append(&self, part: &Part) -> bool {
        let attempted = self.claims.iter().find(|c| c.number == part.at.claim).map_or(0, |c| c.attempted);
        !self.is_superseded(part.at.claim) && (part.at.attempt > attempted || !self.rules.attempts_in_order)
    }

    /// Objects of the part that somebody may delete: to be uploaded again, under a new name.
    pub fn gone(&self, part: &Part) -> Vec<Object> {
        let is_gone = |o: &&Object| o.at != part.at && !self.is_named_by_the_living(**o);
        part.objects.iter().filter(is_gone).copied().filter(|_| self.rules.references_are_checked).collect()
    }

    pub fn may_complete(&self, id: u8, numbers: &[Number]) -> bool {
        let rules = self.rules;
        let parts: Vec<(Number, &Part)> = numbers.iter().filter_map(|n| Some((*n, self.part(*n)?))).collect();
        let completed = |claim| self.claims.iter().find(|c| c.number == claim).map_or(0, |c| c.completed);
        let each = parts.iter().all(|(n, part)| {
            part.id == id
                && (!self.is_superseded(part.at.claim) || !rules.completes_are_fenced)
                && (!self.is_retired_part(*n) || !rules.aborts_are_heeded)
                && (part.at.attempt > completed(part.at.claim) || !rules.completes_in_order)
        });
        let taken = self.completes.iter().any(|c| self.id(c.number) == Some(id) && self.is_current(c.number));
        let groups: u32 = parts.iter().map(|(_, p)| u32::from(p.groups)).sum();
        let one_call = parts.windows(2).all(|w| w[0].1.round == w[1].1.round);
        each && !taken
            && !parts.is_empty()
            && (groups == u32::from(ALL) || !rules.all_groups)
            && (one_call || !rules.one_call_of_the_coordinator)
    }

    pub fn may_retire(&self, completes: &[Number], parts: &[Number]) -> bool {
        let kept: Vec<Number> = self.kept().collect();
        let is_completed = |p: &Number| self.completes.iter().any(|c| self.parts_of(c.number).contains(p));
        completes.iter().all(|c| kept.contains(c) && (self.head != Some(*c) || !self.rules.latest_is_kept))
            && parts.iter().all(|p| !is_completed(p) && !self.is_retired_part(*p))
    }

    /// Whether an object may be deleted by anybody, now or at any later time.
    pub fn is_dead(&self, object: Object) -> bool {
        if self.is_named_by_the_living(object) {
            return false;
        }
        if self.parts().any(|(_, p)| p.objects.contains(&object)) {
            return true;
        }
        // Nothing names it: a leftover, or an attempt that still runs?
        let claim = self.claims.iter().find(|c| c.number == object.at.claim);
        claim.is_some_and(|c| c.superseded || object.at.attempt <= c.attempted)
            || !self.rules.running_attempts_are_spared
    }

    pub fn id(&self, complete: Number) -> Option<u8> {
        match self.entry(complete) {
            Some(Entry::Complete { id, .. }) => Some(*id),
            _ => None,
        }
    }

    fn complete(&self, number: Number) -> Option<&CompleteState> {
        self.completes.iter().find(|c| c.number == number)
    }

    pub fn entry(&self, number: Number) -> Option<&'a Entry> {
        self.log.get(usize::from(number).checked_sub(1)?).map(|r| &r.entry)
    }
}
