//! Any two keys of a type: each comes back from its encoding, and the encodings sort as the keys do.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use statehold_core::key::Key;

#[derive(Arbitrary, Debug)]
enum Pair {
    Integers((u8, u16, i32, i64), (u8, u16, i32, i64)),
    Wide((u128, i128, bool, char), (u128, i128, bool, char)),
    Text(String, String),
    Bytes(Vec<u8>, Vec<u8>),
    Array(([u8; 3], Vec<u8>), ([u8; 3], Vec<u8>)),
    Mixed((i64, String, Vec<u8>, char), (i64, String, Vec<u8>, char)),
    Nested(((String, i8), (Vec<u8>, String)), ((String, i8), (Vec<u8>, String))),
}

fn check<K: Key + Ord + std::fmt::Debug>(a: &K, b: &K) {
    let encoded = [a, b].map(|key| {
        let (mut whole, mut part) = (Vec::new(), Vec::new());
        key.encode(&mut whole);
        assert_eq!(&K::decode(&whole).expect("an encoded key decodes"), key);
        // Whatever stands behind a part is left alone.
        key.encode_part(&mut part);
        let end = part.len();
        part.extend_from_slice(b"\0\x01rest");
        let mut rest = &part[..];
        assert_eq!(&K::decode_part(&mut rest).expect("an encoded part decodes"), key);
        assert_eq!(rest, b"\0\x01rest");
        part.truncate(end);
        (whole, part)
    });
    let [(a_whole, a_part), (b_whole, b_part)] = encoded;
    assert_eq!(a_whole.cmp(&b_whole), a.cmp(b), "{a:?} {b:?}");
    assert_eq!(a_part.cmp(&b_part), a.cmp(b), "{a:?} {b:?} as parts");
}

fuzz_target!(|pair: Pair| match &pair {
    Pair::Integers(a, b) => check(a, b),
    Pair::Wide(a, b) => check(a, b),
    Pair::Text(a, b) => check(a, b),
    Pair::Bytes(a, b) => check(a, b),
    Pair::Array(a, b) => check(a, b),
    Pair::Mixed(a, b) => check(a, b),
    Pair::Nested(a, b) => check(a, b),
});
