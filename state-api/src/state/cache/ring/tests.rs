use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn hash(key: &[u8], spread: u32) -> u32 {
    key.iter().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte))) % spread
}

fn put(ring: &mut Ring, key: &[u8], payload: &[u8], spread: u32, admit: bool) {
    // Some expire, which takes room of its own.
    let expires_at = expiry(payload);
    let record = Record { hash: hash(key, spread), key, sub: &[], schema: 3, payload, expires_at, clears: 7 };
    ring.put(&record, admit);
}

fn expiry(payload: &[u8]) -> Option<Millis> {
    payload.len().is_multiple_of(3).then_some(Millis(9))
}

#[derive(Debug, Clone)]
enum Step {
    Put { key: u16, length: usize, admit: bool },
    Get(u16),
    Remove(u16),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..60_u16, 0..300_usize, any::<bool>()).prop_map(|(key, length, admit)| Step::Put { key, length, admit }),
        1 => (0..60_u16, 900..3_000_usize).prop_map(|(key, length)| Step::Put { key, length, admit: true }),
        6 => (0..60_u16).prop_map(Step::Get),
        2 => (0..60_u16).prop_map(Step::Remove),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 1..400)
}

proptest! {
    #[test]
    fn own_7_a_ring_has_what_was_put_last_or_nothing_and_stays_within_its_bytes(
        steps in steps(), bytes in 64..4_096_usize, spread in prop_oneof![Just(2_u32), Just(u32::MAX)],
    ) {
        let mut ring = Ring::new(bytes);
        let mut written: HashMap<u16, Vec<u8>> = HashMap::new();
        for (turn, step) in steps.into_iter().enumerate() {
            match step {
                Step::Put { key, length, admit } => {
                    let payload = vec![turn as u8; length];
                    put(&mut ring, &key.to_be_bytes(), &payload, spread, admit);
                    written.insert(key, payload);
                }
                Step::Get(key) => {
                    let found = ring.get(hash(&key.to_be_bytes(), spread), &key.to_be_bytes(), &[]);
                    if let Some(found) = found {
                        prop_assert_eq!(Some(&found.payload[..]), written.get(&key).map(|v| &v[..]));
                        prop_assert_eq!((found.schema, found.expires_at, found.clears), (3, expiry(&found.payload), 7));
                    }
                }
                Step::Remove(key) => {
                    ring.remove(hash(&key.to_be_bytes(), spread), &key.to_be_bytes(), &[]);
                    written.remove(&key);
                }
                Step::Clear => {
                    ring.clear();
                    written.clear();
                }
            }
            prop_assert!(ring.used() <= bytes, "{} of {bytes}", ring.used());
        }
    }
}

#[test]
fn own_7_what_is_read_stays_while_what_is_not_goes() {
    let mut ring = Ring::new(64 << 10);
    let hot = b"hot";
    put(&mut ring, hot, &[1; 100], u32::MAX, true);
    for n in 0..10_000_u32 {
        put(&mut ring, &n.to_be_bytes(), &[2; 100], u32::MAX, true);
        assert!(ring.get(hash(hot, u32::MAX), hot, &[]).is_some(), "gone after {n} others");
    }
    let first = 0_u32.to_be_bytes();
    assert!(ring.get(hash(&first, u32::MAX), &first, &[]).is_none());
}

#[test]
fn own_7_what_is_only_written_takes_room_that_is_free_and_no_others_place() {
    let mut ring = Ring::new(8 << 10);
    let held = |ring: &mut Ring, n: u32| {
        let key = n.to_be_bytes();
        ring.get(hash(&key, u32::MAX), &key, &[]).is_some()
    };
    for n in 0..1_000_u32 {
        put(&mut ring, &n.to_be_bytes(), &[0; 100], u32::MAX, false);
    }
    assert!(held(&mut ring, 0) && held(&mut ring, 20) && !held(&mut ring, 999));
    put(&mut ring, &999_u32.to_be_bytes(), &[0; 100], u32::MAX, true);
    assert!(held(&mut ring, 999));
}

#[test]
fn own_7_what_was_removed_makes_room_for_what_is_written() {
    let mut ring = Ring::new(8 << 10);
    let key = |n: u32| n.to_be_bytes();
    for n in 0..1_000_u32 {
        put(&mut ring, &key(n), &[0; 100], u32::MAX, false);
        assert!(ring.get(hash(&key(n), u32::MAX), &key(n), &[]).is_some(), "{n} found no room");
        if n >= 10 {
            ring.remove(hash(&key(n - 10), u32::MAX), &key(n - 10), &[]);
        }
    }
}
