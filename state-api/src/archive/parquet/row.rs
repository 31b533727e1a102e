//! One row of a file, and how its cell is taken apart and put together.

use bytes::{Bytes, BytesMut};
use statehold_core::{Cell, Envelope, KeyGroup, Model, Result, Row, StateSpec};

use super::schema::broken;

/// A row with its place: the state's number within the part, and the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) struct ArchivedRow {
    pub(in crate::archive) state: u32,
    pub(in crate::archive) group: KeyGroup,
    pub(in crate::archive) row: Row,
}

/// How rows name their state.
#[derive(Debug, Clone)]
pub(in crate::archive) struct StateLabel {
    pub(super) name: Bytes,
    pub(super) model: Model,
}

impl StateLabel {
    pub(in crate::archive) fn of(spec: &StateSpec) -> Self {
        Self { name: Bytes::copy_from_slice(spec.name.as_bytes()), model: spec.model }
    }
}

/// A cell's value as columns.
pub(super) struct Parts {
    pub(super) payload: Bytes,
    /// Schema version and checksum; none where the cell has no envelope.
    pub(super) sealed: Option<(u8, u32)>,
}

impl Parts {
    /// Takes a value apart.
    pub(super) fn of(value: &Bytes) -> Self {
        match value.split_first_chunk::<{ Envelope::BYTES }>() {
            Some((&[schema, a, b, c, d], _)) => {
                let crc = u32::from_le_bytes([a, b, c, d]);
                Self { payload: value.slice(Envelope::BYTES..), sealed: Some((schema, crc)) }
            }
            None => Self { payload: value.clone(), sealed: None },
        }
    }

    /// Puts a value together.
    pub(super) fn join(payload: &[u8], schema: Option<i32>, crc: Option<i32>, piece: &mut Piece) -> Result<Bytes> {
        let Some((schema, crc)) = schema.zip(crc) else {
            if schema.is_some() || crc.is_some() || payload.len() >= Envelope::BYTES {
                return Err(broken("a value has half an envelope"));
            }
            return Ok(piece.put(payload));
        };
        let schema = u8::try_from(schema).map_err(|_| broken("a schema version is out of range"))?;
        let [a, b, c, d] = crc.to_le_bytes();
        piece.0.extend_from_slice(&[schema, a, b, c, d]);
        Ok(piece.put(payload))
    }
}

/// The memory that all rows of a row group share: they come and go together, and an allocation for each key and value
/// takes longer than decoding it. It is never the file's.
pub(super) struct Piece(BytesMut);

impl Piece {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(BytesMut::with_capacity(bytes))
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Bytes {
        self.0.extend_from_slice(bytes);
        self.0.split().freeze()
    }
}

/// Bytes that a row counts: key, subkey and payload.
pub(in crate::archive) fn row_bytes(row: &Row) -> usize {
    let Cell { value, .. } = &row.cell;
    row.key.len() + row.sub.len() + value.len().checked_sub(Envelope::BYTES).unwrap_or(value.len())
}
