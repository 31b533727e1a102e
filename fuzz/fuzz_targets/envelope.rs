//! Any bytes as a stored value: refused, or exactly what sealing gives. What was sealed opens, and only so.
//!
//! Input: fields with their length before them: state, key, subkey, expiry (8 bytes, or none), which bit to flip (4
//! bytes); the rest is the value.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use statehold_core::{Cell, Envelope, ErrorKind, Millis};
use statehold_fuzz::tape::field;

fn cell(value: &[u8], expires_at: Option<Millis>) -> Cell {
    Cell { expires_at, ..Cell::new(Bytes::copy_from_slice(value)) }
}

/// One bit of `bytes` changed, if it has any.
fn flipped(bytes: &[u8], flip: u32) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let bit = (flip as usize).checked_rem(bytes.len() * 8)?;
    bytes[bit / 8] ^= 1 << (bit % 8);
    Some(bytes)
}

fuzz_target!(|input: &[u8]| {
    let mut value = input;
    let mut next = || field(&mut value).unwrap_or_default();
    let (state, key, sub, expires_at, flip) = (next(), next(), next(), next(), next());
    let Ok(state) = std::str::from_utf8(state) else { return };
    // The greatest stands for "never".
    let expires_at = expires_at.try_into().ok().map(u64::from_be_bytes).filter(|at| *at != u64::MAX).map(Millis);
    let flip = flip.try_into().map_or(0, u32::from_be_bytes);
    let schema = value.first().copied().unwrap_or_default();
    let envelope = Envelope::of_state(state);

    match envelope.open(key, sub, cell(value, expires_at)) {
        Ok(opened) => assert_eq!(envelope.seal(opened.schema_version, key, sub, expires_at, &opened.payload), value),
        Err(e) => assert_eq!((e.kind(), e.state()), (ErrorKind::Corrupt, Some(state))),
    }

    let sealed = envelope.seal(schema, key, sub, expires_at, value);
    let opened = envelope.open(key, sub, cell(&sealed, expires_at)).expect("what was sealed opens");
    assert_eq!((opened.schema_version, &opened.payload[..]), (schema, value));
    assert_eq!(Envelope::payload(&sealed).as_deref(), Some(value));

    let refused = |key: &[u8], sub: &[u8], cell: Cell| {
        let error = envelope.open(key, sub, cell).expect_err("one bit was changed");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    };
    refused(key, sub, cell(&flipped(&sealed, flip).expect("it has a head"), expires_at));
    refused(key, sub, cell(&sealed[..flip as usize % Envelope::BYTES], expires_at));
    if let Some(key) = flipped(key, flip) {
        refused(&key, sub, cell(&sealed, expires_at));
    }
    if let Some(sub) = flipped(sub, flip) {
        refused(key, &sub, cell(&sealed, expires_at));
    }
    let other = Millis(expires_at.map_or(u64::MAX, |at| at.0) ^ (1 << (flip % 64)));
    refused(key, sub, cell(&sealed, Some(other)));
});
