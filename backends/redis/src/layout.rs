//! [`Layout`]: a state's rows as Redis fields and members. Part of the storage format.
//!
//! ```text
//! KV     h<group>.<state>          HASH  key -> row
//! map    k<group>.<state>:<key>    HASH  subkey -> row
//!        x<group>.<state>:<key>    ZSET  the subkeys, once there are more than 512
//! list   k<group>.<state>:<key>    LIST  ordinal u64 ‖ cell value; with TTL the first is 0u64 ‖ expiry
//! all    o<group>.<state>          ZSET  the keys, score 0
//! row    [revision u64 if the state keeps them][expiry u64 if it has a TTL, u64::MAX = never] ‖ cell value
//! ```
//! Numbers within values are big-endian.

use bytes::{Buf, BufMut, Bytes};
use statehold_core::{Cell, Error, Form, KeyGroup, Millis, Model, Result, Revision, StateId};

/// The letter of a model in scripts and in the catalog.
pub(crate) fn letter(model: Model) -> &'static str {
    match model {
        Model::Map => "m",
        Model::List => "l",
        _ => "k",
    }
}

/// What this layout adds to a state's form.
pub(crate) trait Layout: Copy {
    /// `<group>.<state>`, as key names have it.
    fn place(self, group: KeyGroup) -> String;
    /// A row but for its revision, which the commit script puts before it.
    fn row(self, cell: &Cell) -> Bytes;
    /// A row with the revision that the cell carries.
    fn whole_row(self, cell: &Cell) -> Bytes;
    /// The cell in a row.
    fn cell(self, row: Bytes) -> Result<Cell>;
    /// Ordinal and cell of a list's element.
    fn element(self, element: Bytes) -> Result<(Bytes, Cell)>;
    /// The expiry in a list's head; `None` if there is no head, hence no list.
    fn head(self, head: &[u8]) -> Result<Option<Option<Millis>>>;
}

impl Layout for Form {
    fn place(self, group: KeyGroup) -> String {
        place(group, self.id)
    }

    fn row(self, cell: &Cell) -> Bytes {
        if !self.ttl {
            return cell.value.clone();
        }
        let mut out = Vec::with_capacity(8 + cell.value.len());
        out.put_slice(&expiry(cell.expires_at));
        out.put_slice(&cell.value);
        out.into()
    }

    fn whole_row(self, cell: &Cell) -> Bytes {
        let row = self.row(cell);
        if !self.revisions {
            return row;
        }
        [&cell.revision.0.to_be_bytes()[..], &row].concat().into()
    }

    fn cell(self, mut row: Bytes) -> Result<Cell> {
        if row.len() < 8 * (usize::from(self.revisions) + usize::from(self.ttl)) {
            return Err(damaged(self, "row is too short"));
        }
        let revision = if self.revisions { Revision(row.get_u64()) } else { Revision::NONE };
        let expires_at = if self.ttl { expires(row.get_u64()) } else { None };
        Ok(Cell { value: row, revision, expires_at })
    }

    fn element(self, mut element: Bytes) -> Result<(Bytes, Cell)> {
        if element.len() < 8 {
            return Err(damaged(self, "list element is too short"));
        }
        let ordinal = element.split_to(8);
        Ok((ordinal, Cell::new(element)))
    }

    fn head(self, head: &[u8]) -> Result<Option<Option<Millis>>> {
        match <[u8; 8]>::try_from(head) {
            Ok(at) => Ok(Some(expires(u64::from_be_bytes(at)))),
            Err(_) if head.is_empty() => Ok(None),
            Err(_) => Err(damaged(self, "list's head is damaged")),
        }
    }
}

#[cold]
fn damaged(form: Form, what: &str) -> Error {
    Error::corrupt(format!("a {what} in state number {}", form.id.0))
        .advise("recover from a checkpoint; something else may write to the keys of `prefix`")
}

pub(crate) fn place(group: KeyGroup, state: StateId) -> String {
    let mut name = String::with_capacity(10);
    push_place(&mut name, group, state);
    name
}

/// As [`place`], behind what is there. Every request has many of these names.
pub(crate) fn push_place(name: &mut String, group: KeyGroup, state: StateId) {
    let mut digits = itoa::Buffer::new();
    name.push_str(digits.format(group.0));
    name.push('.');
    name.push_str(digits.format(state.0));
}

/// An expiry as rows have it.
pub(crate) fn expiry(at: Option<Millis>) -> [u8; 8] {
    at.map_or(u64::MAX, |at| at.0).to_be_bytes()
}

fn expires(at: u64) -> Option<Millis> {
    Some(at).filter(|&at| at != u64::MAX).map(Millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statehold_core::StateSpec;

    fn form(revisions: bool, ttl: bool) -> Form {
        let spec = StateSpec { revisions, ttl, ..StateSpec::bytes("state", Model::Kv).unwrap() };
        Form::of(StateId(7), &spec)
    }

    #[test]
    fn rows_come_back_as_they_were() {
        for (revisions, ttl) in [(false, false), (true, false), (false, true), (true, true)] {
            let form = form(revisions, ttl);
            let cell = Cell {
                value: Bytes::from_static(b"value"),
                revision: if revisions { Revision::new(3, 5) } else { Revision::NONE },
                expires_at: ttl.then_some(Millis(9)),
            };
            assert_eq!(form.cell(form.whole_row(&cell)).unwrap(), cell);
        }
    }

    #[test]
    fn short_rows_are_corrupt() {
        let short = form(true, true).cell(Bytes::from_static(b"0123456789")).unwrap_err();
        assert_eq!(short.kind(), statehold_core::ErrorKind::Corrupt);
    }

    #[test]
    fn name_5_the_row_format_is_pinned() {
        let cell =
            Cell { value: Bytes::from_static(b"v"), revision: Revision::new(1, 2), expires_at: Some(Millis(258)) };
        let row = form(true, true).whole_row(&cell);
        assert_eq!(&row[..], b"\0\0\x01\0\0\0\0\x02\0\0\0\0\0\0\x01\x02v");
    }
}
