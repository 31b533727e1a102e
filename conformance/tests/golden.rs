//! NAME-3 and NAME-5: formats that every engine shares, against vectors made by other implementations.

#![allow(clippy::unwrap_used, reason = "a golden file that cannot be read is a failed test")]

use statehold_core::{Cell, Envelope, KeyGroup, Millis};

/// The lines of a golden file, as words.
fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.trim_end_matches('.').as_bytes();
    digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

#[test]
fn name_3_key_groups_are_those_of_the_golden_vectors() {
    let mut seen = 0;
    for words in lines(include_str!("golden/key_groups.txt")) {
        let [key, total, group] = words[..] else { panic!("{words:?}") };
        let found = KeyGroup::of(&unhex(key), total.parse().unwrap());
        assert_eq!(found, KeyGroup(group.parse().unwrap()), "the group of {key} out of {total}");
        seen += 1;
    }
    assert_eq!(seen, 102);
}

#[test]
fn name_5_envelopes_are_those_of_the_golden_vectors() {
    let mut seen = 0;
    for words in lines(include_str!("golden/envelopes.txt")) {
        let [state, schema, key, sub, expiry, payload, sealed] = words[..] else { panic!("{words:?}") };
        let (envelope, schema) = (Envelope::of_state(state), schema.parse().unwrap());
        let (key, sub, payload) = (unhex(key), unhex(sub), unhex(payload));
        let expires_at = expiry.parse().ok().map(Millis);
        let value = envelope.seal(schema, &key, &sub, expires_at, &payload);
        assert_eq!(value, unhex(sealed), "the envelope of {words:?}");
        let opened = envelope.open(&key, &sub, Cell { value, expires_at, ..Cell::default() }).unwrap();
        assert_eq!((opened.schema_version, &opened.payload[..]), (schema, &payload[..]));
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[test]
fn own_6_any_flipped_bit_of_an_envelope_is_found() {
    for words in lines(include_str!("golden/envelopes.txt")) {
        let [state, _, key, sub, expiry, _, sealed] = words[..] else { panic!("{words:?}") };
        let (envelope, sealed) = (Envelope::of_state(state), unhex(sealed));
        let expires_at = expiry.parse().ok().map(Millis);
        for bit in 0..sealed.len() * 8 {
            let mut value = sealed.clone();
            value[bit / 8] ^= 1 << (bit % 8);
            let cell = Cell { value: value.into(), expires_at, ..Cell::default() };
            let error = envelope.open(&unhex(key), &unhex(sub), cell.clone()).unwrap_err();
            assert_eq!(error.kind(), statehold_core::ErrorKind::Corrupt, "bit {bit} of {words:?}");
        }
    }
}
