//! [`Envelope`]: the five bytes before each payload (contract OWN-6).
//!
//! ```text
//! byte 0      schema version of the value
//! bytes 1..5  crc32c, little-endian, over identity, schema version, expiry and payload
//! ```
//! The identity is the state's name, the key and the subkey, so that a value under another key fails
//! the check. List elements are sealed without subkey and expiry: the engine numbers them, and the
//! list has the expiry. Revisions are not in it: the engine gives them later.

use bytes::{Buf, Bytes, BytesMut};

use crate::{Cell, Error, Millis, Result};

/// Seals and opens the values of one state.
///
/// ```
/// use statehold_core::Envelope;
/// let envelope = Envelope::of_state("counts");
/// let value = envelope.seal(0, b"apple", b"", None, b"payload");
/// assert_eq!(value.len(), Envelope::BYTES + 7);
/// let cell = statehold_core::Cell::new(value);
/// assert_eq!(&envelope.open(b"apple", b"", cell.clone())?.payload[..], b"payload");
/// assert!(envelope.open(b"pear", b"", cell).is_err());
/// # Ok::<(), statehold_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Envelope {
    state: String,
    seed: u32,
}

/// Schema version, two lengths and the expiry.
const HEAD: usize = 17;
/// Bytes that are summed together.
const RUN: usize = 192;

/// Aligned: of what is not, a checksum's first bytes are summed one by one.
#[repr(align(8))]
struct Run([u8; RUN]);

/// A value whose checksum held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The schema version it was written with.
    pub schema_version: u8,
    /// The encoded value.
    pub payload: Bytes,
}

impl Envelope {
    /// Bytes before the payload.
    pub const BYTES: usize = 5;
    /// The format of envelope and identity; part of the checksum, so that
    /// another format never passes for this one.
    pub const FORMAT: u8 = 1;

    /// The envelope of the state `name`.
    #[must_use]
    pub fn of_state(name: &str) -> Self {
        let seed = crc32c::crc32c_append(crc32c::crc32c(&[Self::FORMAT]), name.as_bytes());
        Self { state: name.to_owned(), seed }
    }

    #[inline]
    fn checksum(&self, schema: u8, key: &[u8], sub: &[u8], expires_at: Option<Millis>, payload: &[u8]) -> u32 {
        // Lengths and expiry in front, so that no two identities share their bytes.
        let mut run = Run([0; RUN]);
        let bytes = &mut run.0;
        bytes[0] = schema;
        bytes[1..5].copy_from_slice(&(key.len() as u32).to_le_bytes());
        bytes[5..9].copy_from_slice(&(sub.len() as u32).to_le_bytes());
        bytes[9..HEAD].copy_from_slice(&expires_at.map_or(u64::MAX, |at| at.0).to_le_bytes());
        let (mut crc, mut len) = (self.seed, HEAD);
        for part in [key, sub, payload] {
            // Each run of the checksum has a price of its own: what is short is summed in one.
            if let Some(room) = bytes.get_mut(len..len + part.len()) {
                room.copy_from_slice(part);
                len += part.len();
            } else {
                crc = crc32c::crc32c_append(crc32c::crc32c_append(crc, &bytes[..len]), part);
                len = 0;
            }
        }
        crc32c::crc32c_append(crc, &bytes[..len])
    }

    /// Envelope and payload, for storing under (key, sub).
    #[must_use]
    pub fn seal(&self, schema: u8, key: &[u8], sub: &[u8], expires_at: Option<Millis>, payload: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(Self::BYTES + payload.len());
        out.extend_from_slice(&[0; Self::BYTES]);
        out.extend_from_slice(payload);
        self.seal_in_place(schema, key, sub, expires_at, &mut out);
        out.freeze()
    }

    /// Fills the first [`Envelope::BYTES`] of `value`, whose payload is already behind them.
    /// Saves a copy to those who encode straight into the buffer.
    #[inline]
    pub fn seal_in_place(&self, schema: u8, key: &[u8], sub: &[u8], expires_at: Option<Millis>, value: &mut [u8]) {
        let Some((head, payload)) = value.split_first_chunk_mut::<{ Self::BYTES }>() else { return };
        let [a, b, c, d] = self.checksum(schema, key, sub, expires_at, payload).to_le_bytes();
        *head = [schema, a, b, c, d];
    }

    /// The payload of a stored value, unchecked: for comparing payloads only.
    #[must_use]
    pub fn payload(value: &Bytes) -> Option<Bytes> {
        (value.len() >= Self::BYTES).then(|| value.slice(Self::BYTES..))
    }

    /// Checks a cell found under (key, sub) and takes its payload out, without copying it.
    ///
    /// # Errors
    /// `Corrupt`, naming state and key, if a byte was changed or the value belongs elsewhere.
    #[inline]
    pub fn open(&self, key: &[u8], sub: &[u8], mut cell: Cell) -> Result<Opened> {
        if let Some((&[schema, a, b, c, d], payload)) = cell.value.split_first_chunk::<{ Self::BYTES }>()
            && self.checksum(schema, key, sub, cell.expires_at, payload) == u32::from_le_bytes([a, b, c, d])
        {
            // Not a slice: a second owner of the bytes costs an allocation.
            cell.value.advance(Self::BYTES);
            return Ok(Opened { schema_version: schema, payload: cell.value });
        }
        Err(self.damaged(key, sub))
    }

    #[cold]
    fn damaged(&self, key: &[u8], sub: &[u8]) -> Error {
        let sub = if sub.is_empty() { String::new() } else { format!(", subkey `{}`", sub.escape_ascii()) };
        Error::corrupt(format!("the value of key `{}`{sub} fails its checksum", key.escape_ascii()))
            .in_state(&self.state)
            .about(key.escape_ascii().to_string())
            .advise("recover from a checkpoint; the disk or memory of this machine may be damaged")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_6_long_and_short_parts_are_summed_alike() {
        let envelope = Envelope::of_state("counts");
        let lengths = (0..=RUN + 1).flat_map(|n| [(n, 0, 7), (n, 1, RUN), (1, n, 7), (7, 9, n), (n, RUN, 0)]);
        for (key_len, sub_len, len) in lengths {
            let (key, sub, payload) = (vec![7; key_len], vec![9; sub_len], vec![11; len]);
            let mut sum = crc32c::crc32c_append(envelope.seed, &[3]);
            sum = crc32c::crc32c_append(sum, &(key_len as u32).to_le_bytes());
            sum = crc32c::crc32c_append(sum, &(sub_len as u32).to_le_bytes());
            sum = crc32c::crc32c_append(sum, &5_u64.to_le_bytes());
            for part in [&key, &sub, &payload] {
                sum = crc32c::crc32c_append(sum, part);
            }
            let sealed = envelope.seal(3, &key, &sub, Some(Millis(5)), &payload);
            assert_eq!(sealed[1..5], sum.to_le_bytes(), "key of {key_len}, subkey of {sub_len}, payload of {len}");
        }
    }
}
