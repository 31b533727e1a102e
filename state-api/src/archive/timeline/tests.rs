//! The log's meaning, without any object store.

use statehold_core::StateSpec;

use super::*;
use crate::archive::record::Abort;
use crate::archive::{
    metadata::Metadata,
    part::{Floor, Form, PartState},
};

/// A log in the making: each call is the next record.
#[derive(Default)]
struct Story(Timeline);

impl Story {
    fn next(&mut self, entries: Vec<Entry>) -> Result<u64> {
        let number = self.0.end() + 1;
        let record =
            Record { namespace: "orders".into(), number, write_id: String::new(), at: 1_000 - number, entries };
        self.0.apply(&record).map(|()| number)
    }

    fn claim(&mut self, start: u16, end: u16, base: Option<u64>) -> u64 {
        let groups = KeyGroups::new(start..end, 8).unwrap().into();
        self.next(vec![Entry::Claim(ClaimEntry { owner: "o".into(), groups, base })]).unwrap()
    }

    fn checkpoint(&mut self, id: u64, claim: u64) -> u64 {
        let number = self.0.end() + 1;
        let part = Entry::Part(part(id, claim, self.0.claimed(claim).unwrap()));
        self.next(vec![part, complete(id, number, 0)]).unwrap()
    }

    fn prepare(&mut self, id: u64, claim: u64) -> u64 {
        let part = part(id, claim, self.0.claimed(claim).unwrap());
        self.next(vec![Entry::Part(part)]).unwrap()
    }

    fn latest(&self) -> Option<u64> {
        self.0.find(Select::Latest).map(|c| c.id.0)
    }

    fn record(&self, id: u64) -> Option<u64> {
        self.0.find(Select::Id(CheckpointId(id))).map(|c| c.record)
    }

    fn superseded(&self) -> Vec<u64> {
        self.0.list().iter().filter(|c| c.status == Status::Superseded).map(|c| c.id.0).collect()
    }
}

fn part(id: u64, claim: u64, groups: KeyGroups) -> Part {
    let spec = StateSpec::bytes("counts", statehold_core::Model::Kv).unwrap();
    Part {
        checkpoint: CheckpointId(id),
        store: "local".into(),
        form: Form::Portable,
        groups: groups.into(),
        claim,
        floor: Floor::new(statehold_core::Millis(0), 0),
        sizes: None,
        cut: 0,
        new_bytes: 0,
        duration_ms: 0,
        states: vec![PartState { spec, rows: Some(0), bytes: Some(0) }],
        objects: Vec::new(),
    }
}

fn complete(id: u64, record: u64, entry: u32) -> Entry {
    Entry::Complete(Complete {
        checkpoint: CheckpointId(id),
        parts: vec![PartRef { record, entry }],
        new_bytes: 0,
        duration_ms: 0,
        metadata: Metadata::new(),
    })
}

#[test]
fn latest_is_the_last_complete_after_the_last_claim_or_its_base() {
    let mut story = Story::default();
    assert_eq!(story.latest(), None);
    let first = story.claim(0, 8, None);
    assert_eq!(story.latest(), None);
    story.checkpoint(30, first);
    let second = story.checkpoint(20, first);
    assert_eq!(story.latest(), Some(20), "the last completed, whatever its id or its time");
    story.claim(0, 8, Some(second));
    assert_eq!(story.latest(), Some(20), "the base of the last claim");
    story.claim(0, 8, None);
    assert_eq!(story.latest(), None, "an owner that began anew");
    assert_eq!(story.superseded(), [30, 20]);
}

#[test]
fn a_rolled_back_timeline_is_listed_and_never_latest() {
    let mut story = Story::default();
    let first = story.claim(0, 8, None);
    let (five, six) = (story.checkpoint(5, first), story.checkpoint(6, first));
    let second = story.claim(0, 8, Some(five));
    assert_eq!((story.latest(), story.superseded()), (Some(5), vec![6]));
    assert_eq!(story.record(6), Some(six), "it can still be recovered by its id");
    assert_eq!(story.0.current(CheckpointId(6)), None, "and the id is free");
    let again = story.checkpoint(6, second);
    assert_eq!((story.latest(), story.record(6)), (Some(6), Some(again)));
    assert_eq!(story.0.list().iter().map(|c| c.id.0).collect::<Vec<_>>(), [5, 6, 6]);
}

#[test]
fn going_on_from_a_superseded_checkpoint_makes_its_timeline_current_again() {
    let mut story = Story::default();
    let first = story.claim(0, 8, None);
    let five = story.checkpoint(5, first);
    let (six, seven) = (story.checkpoint(6, first), story.checkpoint(7, first));
    let second = story.claim(0, 8, Some(five));
    story.checkpoint(6, second);
    story.claim(0, 8, Some(seven));
    assert_eq!(story.latest(), Some(7));
    assert_eq!(story.record(6), Some(six), "the current timeline's 6, not the newest");
    assert_eq!(story.superseded(), [6]);
}

#[test]
fn own_1_only_claims_of_the_same_groups_supersede() {
    let mut story = Story::default();
    let (low, high) = (story.claim(0, 4, None), story.claim(4, 8, None));
    assert_eq!(story.0.successor(low), None);
    let middle = story.claim(3, 5, None);
    assert_eq!(story.0.successor(low).map(|s| s.0), Some(middle));
    assert_eq!(story.0.successor(high).map(|s| s.0), Some(middle));
    assert_eq!(story.0.successor(middle), None);
}

#[test]
fn own_1_a_zombies_late_checkpoint_is_never_latest() {
    let mut story = Story::default();
    let zombie = story.claim(0, 8, None);
    let one = story.checkpoint(1, zombie);
    let heir = story.claim(0, 8, Some(one));
    story.checkpoint(2, zombie);
    assert_eq!((story.latest(), story.superseded()), (Some(1), vec![2]));
    story.checkpoint(3, heir);
    assert_eq!(story.latest(), Some(3));
}

#[test]
fn parts_of_several_owners_make_one_checkpoint() {
    let mut story = Story::default();
    let (low, high) = (story.claim(0, 4, None), story.claim(4, 8, None));
    let a = story.next(vec![Entry::Part(part(1, low, KeyGroups::new(0..4, 8).unwrap()))]).unwrap();
    let b = story.next(vec![Entry::Part(part(1, high, KeyGroups::new(4..8, 8).unwrap()))]).unwrap();
    assert_eq!(story.latest(), None, "not complete");
    let Entry::Complete(mut both) = complete(1, a, 0) else { unreachable!() };
    both.parts.push(PartRef { record: b, entry: 0 });
    let done = story.next(vec![Entry::Complete(both)]).unwrap();
    assert_eq!(story.latest(), Some(1));
    assert_eq!(story.0.parts(done).len(), 2);
}

#[test]
fn a_retired_checkpoint_is_gone_and_its_id_stays_taken() {
    let mut story = Story::default();
    let claim = story.claim(0, 8, None);
    let (one, two) = (story.checkpoint(1, claim), story.checkpoint(2, claim));
    story.next(vec![Entry::Retire(Retire { records: vec![one] })]).unwrap();
    assert_eq!(story.record(1), None);
    assert_eq!(story.0.current(CheckpointId(1)), Some(one));
    assert_eq!(story.0.list().len(), 1);
    assert_eq!(story.0.find(Select::Latest).map(|c| c.record), Some(two));
}

#[test]
fn an_unknown_id_is_answered_with_the_nearest() {
    let mut story = Story::default();
    let empty = story.0.resolve(Select::Latest).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::NotFound);
    let claim = story.claim(0, 8, None);
    for id in [1, 10, 20, 21, 23, 30, 99] {
        story.checkpoint(id, claim);
    }
    let error = story.0.resolve(Select::Id(CheckpointId(22))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.advice(), Some("the nearest are 10, 20, 21, 23, 30"));
}

#[test]
fn life_4_records_that_contradict_the_log_are_corrupt_and_change_nothing() {
    let mut story = Story::default();
    let claim = story.claim(0, 4, None);
    let checkpoint = story.checkpoint(1, claim);
    let next = story.0.end() + 1;
    let whole = KeyGroups::all(8).unwrap();
    let half = KeyGroups::new(0..4, 8).unwrap();
    let claiming =
        |groups: KeyGroups, base| Entry::Claim(ClaimEntry { owner: "o".into(), groups: groups.into(), base });
    let mut twice = part(2, claim, half);
    twice.states.push(twice.states[0].clone());
    let mut more = part(2, claim, half);
    more.states[0].rows = Some(1);
    let mut outside = part(2, claim, half);
    outside.store = "../local".into();
    for entries in [
        vec![],
        vec![claiming(half, Some(claim))],
        vec![claiming(half, Some(99))],
        vec![claiming(KeyGroups::all(16).unwrap(), None)],
        vec![claiming(half, None), claiming(half, None)],
        vec![Entry::Part(part(2, claim, whole))],
        vec![Entry::Part(part(2, 77, half))],
        vec![Entry::Part(twice)],
        vec![Entry::Part(more)],
        vec![Entry::Part(outside)],
        vec![complete(2, checkpoint, 0)],
        vec![complete(2, next, 1), Entry::Part(part(2, claim, half))],
        vec![complete(2, next, 0)],
        vec![Entry::Retire(Retire { records: vec![claim] })],
    ] {
        let error = story.next(entries.clone()).expect_err(&format!("{entries:?}"));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{entries:?}");
    }
    assert_eq!((story.0.end(), story.latest()), (checkpoint, Some(1)));
}

#[test]
fn own_1_who_goes_back_takes_the_right_to_write_from_owners_of_other_groups_too() {
    let mut story = Story::default();
    let (low, high) = (story.claim(0, 4, None), story.claim(4, 8, None));
    let first = story.checkpoint(1, low);
    story.checkpoint(2, high);
    assert_eq!((story.0.successor(low), story.0.successor(high)), (None, None));
    let back = story.claim(0, 4, Some(first));
    assert_eq!(story.0.successor(high).map(|(epoch, _)| epoch), Some(back), "it builds on what was rolled back");
    // Going on from where the timeline stands takes nothing from others.
    let high = story.claim(4, 8, Some(first));
    story.claim(0, 4, Some(first));
    assert_eq!(story.0.successor(high), None);
}

#[test]
fn life_2_what_is_prepared_is_complete_only_when_all_groups_are_there() {
    let mut story = Story::default();
    let (low, high) = (story.claim(0, 4, None), story.claim(4, 8, None));
    let ready = |story: &Story| story.0.ready(CheckpointId(1)).map(|p| p.len()).map_err(|e| e.kind());
    assert_eq!(ready(&story), Err(ErrorKind::NotFound));
    story.prepare(1, low);
    assert_eq!(ready(&story), Err(ErrorKind::Conflict));
    story.prepare(1, high);
    assert_eq!(ready(&story), Ok(2));
    // The newest counts where an owner did it twice.
    let again = story.prepare(1, low);
    let prepared = story.0.ready(CheckpointId(1)).unwrap();
    assert_eq!((prepared.len(), prepared[1].at.record), (2, again));
    story.next(vec![Entry::Abort(Abort { checkpoint: CheckpointId(1) })]).unwrap();
    assert_eq!(ready(&story), Err(ErrorKind::NotFound));
}

#[test]
fn life_2_what_a_former_owner_prepared_is_in_no_checkpoint() {
    let mut story = Story::default();
    let (low, high) = (story.claim(0, 4, None), story.claim(4, 8, None));
    story.prepare(1, low);
    story.prepare(1, high);
    story.claim(4, 8, None);
    let error = story.0.ready(CheckpointId(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("4..8"), "{error}");
}

#[test]
fn life_8_a_retention_keeps_the_last_the_young_and_what_somebody_recovers() {
    let mut story = Story::default();
    let claim = story.claim(0, 8, None);
    let records: Vec<u64> = (1..=5).map(|id| story.checkpoint(id, claim)).collect();
    let now = statehold_core::Millis(1_000);
    let expendable = |story: &Story, keep_last, keep_for: Option<u64>| {
        let keep_for = keep_for.map(std::time::Duration::from_millis);
        story.0.expendable(&crate::archive::Retention { keep_last, keep_for }, now)
    };
    assert_eq!(expendable(&story, 2, None), records[..3]);
    assert_eq!(expendable(&story, 0, None), records[..4], "the latest always stays");
    assert_eq!(expendable(&story, 9, None), [0_u64; 0]);
    // Record n was written at 1,000 - n: number 3 is 3 ms old at 1,000.
    assert_eq!(expendable(&story, 1, Some(4)), records[2..4]);
    // Somebody is recovering number 2; those behind it are on no timeline any more.
    story.claim(0, 8, Some(records[1]));
    assert_eq!(expendable(&story, 1, None), [records[0], records[2], records[3], records[4]]);
}
