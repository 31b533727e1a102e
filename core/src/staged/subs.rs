//! [`Subs`]: the staged rows of one key, by subkey.

use std::{collections::BTreeMap, mem::replace, ops::Bound};

use bytes::Bytes;

use super::Cleared;
use crate::Cell;

/// Up to so many rows lie in order: a tree's first node takes a kilobyte, however few there are, and the rows of a list
/// come in order. Beyond it what an insertion moves would cost more than a tree.
const FEW: usize = 32;

/// Rows by subkey, in order. `None` is a staged removal.
#[derive(Debug, Clone)]
pub(super) enum Subs {
    Few(Vec<(Bytes, Option<Cell>)>),
    Many(BTreeMap<Bytes, Option<Cell>>),
}

impl Default for Subs {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Subs {
    pub(super) fn one(sub: Bytes, cell: Option<Cell>) -> Self {
        Self::Few(vec![(sub, cell)])
    }

    /// The row that was there before.
    pub(super) fn insert(&mut self, sub: Bytes, cell: Option<Cell>) -> Option<Option<Cell>> {
        let few = match self {
            Self::Few(few) => few,
            Self::Many(many) => return many.insert(sub, cell),
        };
        let place = match few.last() {
            Some((last, _)) if *last < sub => Err(few.len()),
            _ => few.binary_search_by(|(known, _)| known.cmp(&sub)),
        };
        match place {
            Ok(at) => Some(replace(&mut few[at].1, cell)),
            Err(at) if few.len() < FEW => {
                few.insert(at, (sub, cell));
                None
            }
            Err(_) => {
                let mut many: BTreeMap<_, _> = std::mem::take(few).into_iter().collect();
                many.insert(sub, cell);
                *self = Self::Many(many);
                None
            }
        }
    }

    pub(super) fn get(&self, sub: &[u8]) -> Option<&Option<Cell>> {
        match self {
            Self::Few(few) => {
                let at = few.binary_search_by(|(known, _)| known[..].cmp(sub)).ok()?;
                few.get(at).map(|(_, cell)| cell)
            }
            Self::Many(many) => many.get(sub),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Bytes, &Option<Cell>)> {
        self.from(Bound::Unbounded)
    }

    /// Rows from there on.
    pub(super) fn from(&self, start: Bound<&Bytes>) -> impl Iterator<Item = (&Bytes, &Option<Cell>)> {
        let (few, many) = match self {
            Self::Few(few) => {
                let before = |sub: &Bytes| match start {
                    Bound::Included(start) => sub < start,
                    Bound::Excluded(start) => sub <= start,
                    Bound::Unbounded => false,
                };
                let first = few.partition_point(|(sub, _)| before(sub));
                (few.get(first..), None)
            }
            Self::Many(many) => (None, Some(many.range::<Bytes, _>((start, Bound::Unbounded)))),
        };
        few.into_iter().flatten().map(|(sub, cell)| (sub, cell)).chain(many.into_iter().flatten())
    }

    /// Removes the rows that `cleared` covers, and shows each to `removed`.
    pub(super) fn clear(&mut self, cleared: &Cleared, mut removed: impl FnMut(&Bytes, Option<&Cell>)) {
        match self {
            Self::Few(few) => {
                let kept = few.partition_point(|(sub, _)| cleared.covers(sub));
                few.drain(..kept).for_each(|(sub, cell)| removed(&sub, cell.as_ref()));
            }
            Self::Many(many) => {
                while let Some(first) = many.first_entry().filter(|e| cleared.covers(e.key())) {
                    let (sub, cell) = first.remove_entry();
                    removed(&sub, cell.as_ref());
                }
            }
        }
    }
}
