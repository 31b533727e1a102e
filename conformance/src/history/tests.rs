//! The search, on histories whose answer is known.

use super::{Action, Answer, Call, Expected, Value, check::order};

fn call(client: usize, (began, ended): (u64, u64), action: Action, answer: Answer) -> Call {
    Call { client, began, ended, action, answer }
}

fn put(client: usize, time: (u64, u64), at: usize, value: u64) -> Call {
    call(client, time, Action::Commit(vec![], vec![(at, Some(value))]), Answer::Committed)
}

fn get(client: usize, time: (u64, u64), at: usize, value: Value) -> Call {
    call(client, time, Action::Get(at), Answer::Read(vec![value]))
}

fn dropped(began: u64, at: usize, value: u64) -> Call {
    call(9, (began, u64::MAX), Action::Commit(vec![], vec![(at, Some(value))]), Answer::Unknown)
}

fn ordered(history: &[Call]) -> bool {
    order(history, 2).is_ok()
}

#[test]
fn calls_at_once_may_have_come_in_either_order() {
    let puts = [put(1, (0, 9), 0, 1), put(2, (1, 8), 0, 2)];
    for last in [1, 2] {
        assert!(ordered(&[&puts[..], &[get(3, (10, 11), 0, Some(last))]].concat()));
    }
    assert!(!ordered(&[&puts[..], &[get(3, (10, 11), 0, None)]].concat()));
}

#[test]
fn a_read_behind_a_write_that_ended_must_see_it() {
    assert!(!ordered(&[put(1, (0, 1), 0, 1), get(2, (2, 3), 0, None)]));
    assert!(ordered(&[put(1, (0, 2), 0, 1), get(2, (1, 3), 0, None)]));
}

#[test]
fn no_read_goes_back_behind_another() {
    let history = [put(1, (0, 9), 0, 1), get(2, (1, 2), 0, Some(1)), get(3, (3, 4), 0, None)];
    let stuck = order(&history, 2).unwrap_err();
    assert_eq!((stuck.done, stuck.records, stuck.next), (vec![0, 1], vec![Some(1), None], vec![2]));
}

#[test]
fn a_call_of_unknown_outcome_may_have_happened_at_any_time_since_or_never() {
    for (first, second, fine) in
        [(None, None, true), (Some(7), Some(7), true), (None, Some(7), true), (Some(7), None, false)]
    {
        let reads = [get(1, (2, 3), 0, first), get(2, (4, 5), 0, second)];
        assert_eq!(ordered(&[&[dropped(0, 0, 7)], &reads[..]].concat()), fine, "{first:?}, {second:?}");
    }
    assert!(!ordered(&[get(1, (0, 1), 0, Some(7)), dropped(2, 0, 7)]), "not before it began");
}

#[test]
fn a_batch_is_one_instant() {
    let both = call(1, (0, 9), Action::Commit(vec![], vec![(0, Some(1)), (1, Some(2))]), Answer::Committed);
    let many = |found| call(2, (1, 2), Action::GetMany, Answer::Read(found));
    assert!(ordered(&[both.clone(), many(vec![Some(1), Some(2)])]));
    assert!(ordered(&[both.clone(), many(vec![None, None])]));
    assert!(!ordered(&[both, many(vec![Some(1), None])]));
}

#[test]
fn two_conditional_commits_never_both_win() {
    let create = |client, value, answer| {
        call(client, (0, 9), Action::Commit(vec![(0, Expected::Absent)], vec![(0, Some(value))]), answer)
    };
    let lost = Answer::Refused(vec![0]);
    assert!(ordered(&[create(1, 1, Answer::Committed), create(2, 2, lost.clone())]));
    assert!(!ordered(&[create(1, 1, Answer::Committed), create(2, 2, Answer::Committed)]));
    assert!(!ordered(&[create(1, 1, lost.clone()), create(2, 2, lost)]), "one of them must win");
}

#[test]
fn a_refusal_names_the_conditions_that_failed() {
    let asks = vec![(0, Expected::Absent), (1, Expected::Present), (0, Expected::Is(3))];
    let refused = |told| call(2, (2, 3), Action::Commit(asks.clone(), vec![]), Answer::Refused(told));
    assert!(ordered(&[put(1, (0, 1), 0, 3), refused(vec![0, 1])]));
    assert!(!ordered(&[put(1, (0, 1), 0, 3), refused(vec![0])]));
}

#[test]
fn the_search_for_an_order_that_is_not_there_ends() {
    let turn =
        |turn: u64| (0..8).map(move |i| put(i, (100 * turn + i as u64, 100 * turn + 99), 0, 8 * turn + i as u64));
    let mut history: Vec<Call> = (0..15).flat_map(turn).collect();
    history.push(get(0, (2000, 2001), 0, Some(4711)));
    let stuck = order(&history, 2).unwrap_err();
    assert_eq!((stuck.done.len(), stuck.next), (120, vec![120]));
}
