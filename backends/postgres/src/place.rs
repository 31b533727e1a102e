//! [`RowKey`]: where a row stands, and [`stripe`], whose lock its commits take.

use std::error::Error as StdError;

use bytes::Bytes;
use sqlx::{
    Encode, Postgres, Type,
    encode::IsNull,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo},
};
use statehold_core::{KeyGroup, StateId};

/// A store's lock rows. Few, because a batch locks one for each of them that it touches, and more than connections,
/// because commits to one of them come one after the other. Part of the layout.
const STRIPES: u16 = 16;

/// The number of bytes in front of a key.
const HEAD: usize = 6;

/// The stripe of a group.
pub(crate) fn stripe(group: KeyGroup) -> i16 {
    // Below 16.
    (group.0 % STRIPES) as i16
}

/// The column `key`: state, group and key. One column, so that the planner looks up a list of them in the index
/// whatever it knows of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowKey {
    head: [u8; HEAD],
    key: Bytes,
}

impl RowKey {
    pub(crate) fn new(state: StateId, group: KeyGroup, key: Bytes) -> Self {
        let ([a, b, c, d], [e, f]) = (state.0.to_be_bytes(), group.0.to_be_bytes());
        Self { head: [a, b, c, d, e, f], key }
    }

    /// Before all keys of a group. The group may be the one behind the last, which is below 65,536 too.
    pub(crate) fn start(state: StateId, group: u16) -> Self {
        Self::new(state, KeyGroup(group), Bytes::new())
    }

    /// Behind all keys of a state. Their numbers are below 2^31.
    pub(crate) fn end(state: StateId) -> Self {
        Self::start(StateId(state.0 + 1), 0)
    }

    /// How it stands to what the column holds.
    pub(crate) fn cmp_held(&self, held: &[u8]) -> std::cmp::Ordering {
        let (head, key) = held.split_at(held.len().min(HEAD));
        self.head[..].cmp(head).then_with(|| self.key[..].cmp(key))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.key);
    }
}

/// The key in what the column holds.
pub(crate) fn key_of(held: Vec<u8>) -> Bytes {
    let held = Bytes::from(held);
    held.slice(HEAD.min(held.len())..)
}

impl Type<Postgres> for RowKey {
    fn type_info() -> PgTypeInfo {
        <[u8] as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for RowKey {
    fn array_type_info() -> PgTypeInfo {
        <&[u8] as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for RowKey {
    fn encode_by_ref(&self, to: &mut PgArgumentBuffer) -> Result<IsNull, Box<dyn StdError + Send + Sync>> {
        self.write(to);
        Ok(IsNull::No)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_as_their_bytes_do() {
        let key = |group, key: &'static [u8]| RowKey::new(StateId(7), KeyGroup(group), Bytes::from_static(key));
        let ascending = [
            RowKey::start(StateId(7), 0),
            key(0, b"\0"),
            key(0, b"\xff\xff"),
            key(1, b""),
            key(255, b"a"),
            key(256, b""),
            RowKey::end(StateId(7)),
        ];
        let held = ascending.clone().map(|key| {
            let mut bytes = Vec::new();
            key.write(&mut bytes);
            bytes
        });
        assert!(ascending.is_sorted() && held.is_sorted());
        for (i, key) in ascending.iter().enumerate() {
            for (j, held) in held.iter().enumerate() {
                assert_eq!(key.cmp_held(held), i.cmp(&j));
            }
            assert_eq!(key_of(held[i].clone()), key.key);
        }
    }
}
