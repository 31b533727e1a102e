//! Rows as the server's binary COPY takes them.

use sqlx::{PgConnection, error::Error as SqlError};
use statehold_core::{KeyGroup, Row, StateId};

use crate::{
    batch::group_number,
    bits::{expiry, flip},
    catalog,
};

const SQL: &str = "COPY entries (revision, expires_at, state, grp, key, sub, value) FROM STDIN (FORMAT binary)";
/// Signature, no flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xFF\r\n\0\0\0\0\0\0\0\0\0";
const COLUMNS: i16 = 7;
/// One message holds about so much.
const MESSAGE: usize = 1 << 20;

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

fn tuple(out: &mut Vec<u8>, state: i32, group: i16, row: &Row, revisions: bool) {
    out.extend_from_slice(&COLUMNS.to_be_bytes());
    field(out, revisions.then(|| flip(row.cell.revision.0).to_be_bytes()).as_ref().map(|b| &b[..]));
    field(out, expiry(row.cell.expires_at).map(i64::to_be_bytes).as_ref().map(|b| &b[..]));
    field(out, Some(&state.to_be_bytes()));
    field(out, Some(&group.to_be_bytes()));
    field(out, Some(&row.key));
    field(out, Some(&row.sub));
    field(out, Some(&row.cell.value));
}

/// Adds rows of one state and group.
pub(crate) async fn rows(
    on: &mut PgConnection,
    state: StateId,
    group: KeyGroup,
    rows: &[Row],
    revisions: bool,
) -> Result<(), SqlError> {
    let mut copy = on.copy_in_raw(SQL).await?;
    let mut out = HEAD.to_vec();
    for row in rows {
        tuple(&mut out, catalog::id(state), group_number(group), row, revisions);
        if out.len() >= MESSAGE {
            copy.send(&out[..]).await?;
            out.clear();
        }
    }
    out.extend_from_slice(&(-1i16).to_be_bytes());
    copy.send(&out[..]).await?;
    copy.finish().await.map(drop)
}
