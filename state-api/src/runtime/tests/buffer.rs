use statehold_core::{Address, StateId, staged::Layers as _};

use super::{
    super::{
        buffer::{Stage, Staged, WriteBuffer},
        stripes::Stripes,
    },
    at, cell,
};

const S: StateId = StateId(1);

fn put(buffer: &WriteBuffer, stripes: &Stripes, at: &Address) -> Staged {
    let size = at.key.len() + 5;
    buffer.stage(stripes, &[], size, &mut |stage: &mut Stage<'_>| stage.set(at.clone(), Some(cell("value"))))
}

/// Puts until the answer is another.
fn fill(buffer: &WriteBuffer, stripes: &Stripes) -> (usize, Staged) {
    (0..)
        .map(|n| (n, put(buffer, stripes, &at(S, &n.to_string()))))
        .find(|(_, s)| *s != Staged::Yes { sealed: false })
        .unwrap()
}

#[test]
fn batch_5_a_generation_is_sealed_at_half_the_limit_and_a_second_one_makes_writers_wait() {
    let (buffer, stripes) = (WriteBuffer::new(4096, 1 << 20), Stripes::new());
    let (puts, outcome) = fill(&buffer, &stripes);
    assert_eq!(outcome, Staged::Yes { sealed: true });
    assert!((4..30).contains(&puts), "{puts}");
    let (_, outcome) = fill(&buffer, &stripes);
    assert_eq!(outcome, Staged::Full(1));
    // The last change may reach beyond it.
    assert!(buffer.bytes() <= 4096 + buffer.bytes() / buffer.records(), "{}", buffer.bytes());
}

#[test]
fn batch_5_what_grew_full_while_another_generation_was_flushed_wants_flushing_too() {
    let (buffer, stripes) = (WriteBuffer::new(4096, 1 << 20), Stripes::new());
    fill(&buffer, &stripes);
    assert_eq!(fill(&buffer, &stripes).1, Staged::Full(1));
    buffer.retire(1);
    // It is sealed by the next writer, who has to wake the flusher for it.
    while buffer.seals() == 1 {
        let outcome = put(&buffer, &stripes, &at(S, "x"));
        assert_eq!(outcome, Staged::Yes { sealed: buffer.seals() == 2 });
    }
}

#[test]
fn own_7_generations_sealed_by_finish_count_towards_the_limit() {
    let (buffer, stripes) = (WriteBuffer::new(4096, 1 << 20), Stripes::new());
    let put_and_seal = |n: usize| {
        let outcome = put(&buffer, &stripes, &at(S, &n.to_string()));
        buffer.seal_all();
        outcome
    };
    let full = (0..1_000).map(put_and_seal).find(|outcome| matches!(outcome, Staged::Full(_)));
    assert!(full.is_some(), "{} bytes are staged", buffer.bytes());
    // The last change may reach beyond it.
    assert!(buffer.bytes() <= 4096 + buffer.bytes() / buffer.records(), "{}", buffer.bytes());
}

#[test]
fn name_2_no_generation_is_greater_than_one_batch_may_be() {
    let (buffer, stripes) = (WriteBuffer::new(1 << 20, 20), Stripes::new());
    assert_eq!(put(&buffer, &stripes, &at(S, "a")), Staged::Yes { sealed: false });
    assert_eq!(put(&buffer, &stripes, &at(S, "b")), Staged::Yes { sealed: false });
    assert_eq!(put(&buffer, &stripes, &at(S, "c")), Staged::Yes { sealed: false });
    // Three times six bytes are in; the fourth begins another generation.
    assert_eq!(put(&buffer, &stripes, &at(S, "d")), Staged::Yes { sealed: true });
    assert_eq!(buffer.oldest().unwrap().1.records(), 3);
}

#[test]
fn batch_3_a_write_in_between_is_noticed_and_nothing_is_staged() {
    let (buffer, stripes) = (WriteBuffer::new(4096, 1 << 20), Stripes::new());
    let here = at(S, "k");
    let stripe = stripes.of(&here);
    let seen = (stripe, stripe.load(std::sync::atomic::Ordering::Acquire));
    put(&buffer, &stripes, &here);
    let mut applied = false;
    assert_eq!(buffer.stage(&stripes, &[seen], 1, &mut |_: &mut Stage<'_>| applied = true), Staged::Moved);
    buffer.if_unmoved(seen, || applied = true);
    assert!(!applied);
}

#[test]
fn kv_1_the_newest_generation_has_the_word_and_a_forgotten_one_has_none() {
    let (buffer, stripes) = (WriteBuffer::new(4096, 1 << 20), Stripes::new());
    let here = at(S, "k");
    put(&buffer, &stripes, &here);
    assert_eq!(buffer.seal_all(), 1);
    buffer.stage(&stripes, &[], 1, &mut |stage: &mut Stage<'_>| stage.set(here.clone(), None));
    assert_eq!(buffer.look(&here), Some(None));
    buffer.forget();
    assert_eq!((buffer.look(&here), buffer.records(), buffer.flushed()), (None, 0, 1));
    assert!(!buffer.is_oldest(1));
}
