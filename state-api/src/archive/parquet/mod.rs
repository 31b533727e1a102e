//! The portable form: rows in Parquet files that any engine takes, and that DuckDB, pandas
//! and Spark read too.
//!
//! | column | type | what |
//! |---|---|---|
//! | `state` | string | the state's name |
//! | `model` | string | `kv`, `list`, `map` |
//! | `key_group` | int32 | the key's group |
//! | `key` | binary | the encoded key |
//! | `subkey` | binary, null for KV | a map's subkey; a list element's ordinal, 8 bytes big-endian; empty for a list's head |
//! | `value` | binary | the encoded value |
//! | `schema` | uint8, nullable | the value's schema version |
//! | `crc` | uint32, nullable | the value's checksum |
//! | `revision` | uint64, nullable | the record's revision, where the state keeps them |
//! | `expires_at` | timestamp in ms UTC, nullable | when the record expires |
//!
//! `schema`, `crc` and `value` are the envelope and payload of a cell; a cell too short to have
//! an envelope (a list's head) is whole in `value`, and the other two are null. So every cell
//! comes back byte for byte. Rows are ordered by (key group, state in the catalog's order, key,
//! subkey). The file's metadata has `statehold.format`: version N reads N−1 and refuses N+1.

mod pages;
mod read;
mod row;
mod schema;
mod write;

pub(super) use read::Decoder;
pub(super) use row::{ArchivedRow, StateLabel, row_bytes};
pub(super) use write::{Encoded, Encoder, RowGroup};

#[cfg(test)]
mod tests;
