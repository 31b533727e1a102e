//! Rows as the server's binary COPY takes them.

use sqlx::{PgConnection, error::Error as SqlError};
use statehold_core::{KeyGroup, Row, StateId};

use crate::{
    bits::{expiry, flip},
    place::RowKey,
};

const SQL: &str = "COPY entries (revision, expires_at, key, sub, value) FROM STDIN (FORMAT binary)";
/// Signature, no flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xFF\r\n\0\0\0\0\0\0\0\0\0";
const COLUMNS: i16 = 5;
/// One COPY holds about so much.
const FULL: usize = 8 << 20;

fn field(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        // A field is far below 2 GiB.
        Some(bytes) => {
            out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
            out.extend_from_slice(bytes);
        }
        None => out.extend_from_slice(&(-1i32).to_be_bytes()),
    }
}

fn tuple(out: &mut Vec<u8>, key: &[u8], row: &Row, revisions: bool) {
    out.extend_from_slice(&COLUMNS.to_be_bytes());
    field(out, revisions.then(|| flip(row.cell.revision.0).to_be_bytes()).as_ref().map(|b| &b[..]));
    field(out, expiry(row.cell.expires_at).map(i64::to_be_bytes).as_ref().map(|b| &b[..]));
    field(out, Some(key));
    field(out, Some(&row.sub));
    field(out, Some(&row.cell.value));
}

/// Rows for one COPY. Each costs a pause of about 40 ms, whatever it holds: its last two messages are small, and the
/// system keeps the second back until the server has acknowledged the first (Nagle; sqlx 0.9 cannot turn it off).
#[derive(Default)]
pub(crate) struct Rows(Vec<u8>);

impl Rows {
    /// Adds rows of one state and group.
    pub(crate) fn add(&mut self, state: StateId, group: KeyGroup, rows: &[Row], revisions: bool) {
        if self.0.is_empty() {
            self.0.extend_from_slice(HEAD);
        }
        let mut key = Vec::new();
        for row in rows {
            key.clear();
            RowKey::new(state, group, row.key.clone()).write(&mut key);
            tuple(&mut self.0, &key, row, revisions);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= FULL
    }

    /// Sends what there is, and is empty then.
    pub(crate) async fn send(&mut self, on: &mut PgConnection) -> Result<(), SqlError> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.extend_from_slice(&(-1i16).to_be_bytes());
        let mut copy = on.copy_in_raw(SQL).await?;
        copy.send(&self.0[..]).await?;
        self.0.clear();
        copy.finish().await.map(drop)
    }
}
