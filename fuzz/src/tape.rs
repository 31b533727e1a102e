//! Rows of an ordered engine as a fuzzer's input.
//!
//! ```text
//! row    [length u8][key][length u8][value]
//! ```
//! The checksum of a meta row is set right, so that its content is reached.

use bytes::Bytes;

use crate::engine::Rows;

/// Keys of the store's own rows begin so; their third byte says which.
pub const META: [u8; 2] = [0xFF, 0xFF];
/// Sequences have no checksum.
const SEQUENCES: u8 = 2;
/// Format and checksum.
pub const HEAD: usize = 6;

/// The next field, shorter where the tape ends.
pub fn field<'a>(tape: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = tape.split_first()?;
    let (field, rest) = rest.split_at(rest.len().min(usize::from(*length)));
    *tape = rest;
    Some(field)
}

/// Reads rows until the tape ends.
#[must_use]
pub fn read(mut tape: &[u8]) -> Rows {
    let mut rows = Rows::new();
    while let Some(key) = field(&mut tape) {
        let mut value = field(&mut tape).unwrap_or_default().to_vec();
        if key.starts_with(&META) && key.get(2) != Some(&SEQUENCES) {
            seal(&mut value);
        }
        rows.insert(key.to_vec(), Bytes::from(value));
    }
    rows
}

fn seal(value: &mut [u8]) {
    if let Some((&mut [a, b, ref mut crc @ ..], body)) = value.split_first_chunk_mut::<HEAD>() {
        let format = u32::from(u16::from_be_bytes([a, b]));
        *crc = (crc32c::crc32c(body) ^ format).to_be_bytes();
    }
}

/// Writes rows; those that are too long for a tape are left out.
#[must_use]
pub fn write(rows: &Rows) -> Vec<u8> {
    let mut tape = Vec::new();
    for (key, value) in rows {
        let (Ok(key_length), Ok(value_length)) = (u8::try_from(key.len()), u8::try_from(value.len())) else { continue };
        tape.push(key_length);
        tape.extend_from_slice(key);
        tape.push(value_length);
        tape.extend_from_slice(value);
    }
    tape
}
