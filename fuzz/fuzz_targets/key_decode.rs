//! Any bytes as a key of each type: a typed error, or a key with exactly this encoding.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use statehold_core::{
    ErrorKind, KeyShape,
    key::{Key, escape, unescape},
};

fn check<K: Key + std::fmt::Debug>(bytes: &[u8]) {
    let mut rest = bytes;
    match K::decode_part(&mut rest) {
        Ok(part) => {
            let mut again = Vec::new();
            part.encode_part(&mut again);
            assert_eq!(again, bytes[..bytes.len() - rest.len()], "part of {}", K::type_name());
        }
        Err(e) => assert_eq!(e.kind(), ErrorKind::Corrupt),
    }
    match K::decode(bytes) {
        Ok(key) => {
            let mut again = Vec::new();
            key.encode(&mut again);
            assert_eq!(again, bytes, "{}", K::type_name());
            if let KeyShape::Fixed(n) = K::SHAPE {
                assert_eq!(usize::from(n), bytes.len(), "{}", K::type_name());
            }
        }
        Err(e) => assert_eq!(e.kind(), ErrorKind::Corrupt),
    }
}

fuzz_target!(|bytes: &[u8]| {
    check::<u8>(bytes);
    check::<u64>(bytes);
    check::<u128>(bytes);
    check::<i16>(bytes);
    check::<i128>(bytes);
    check::<bool>(bytes);
    check::<char>(bytes);
    check::<[u8; 0]>(bytes);
    check::<[u8; 5]>(bytes);
    check::<String>(bytes);
    check::<Vec<u8>>(bytes);
    check::<(String, u32)>(bytes);
    check::<(bool, char, String)>(bytes);
    check::<(Vec<u8>, String, i8, Bytes)>(bytes);
    check::<((String, u16), (Vec<u8>, Vec<u8>))>(bytes);

    let mut rest = bytes;
    if let Ok(plain) = unescape(&mut rest) {
        let mut again = Vec::new();
        escape(&plain, &mut again);
        assert_eq!(again, bytes[..bytes.len() - rest.len()]);
    }
});
