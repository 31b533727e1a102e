//! [`Form`]: what a layout has to know of a state, and what rows a state can have.

use crate::{Address, Cell, Error, KeyShape, Model, Mutation, Result, StateId, StateSpec};

/// What a layout has to know of a state: small, and checked on the path of every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The state's number.
    pub id: StateId,
    /// KV, list or map.
    pub model: Model,
    /// What keys have in common.
    pub shape: KeyShape,
    /// Records carry revisions.
    pub revisions: bool,
    /// Records may expire.
    pub ttl: bool,
}

impl Form {
    /// The form of the state `id` with this spec.
    #[must_use]
    pub fn of(id: StateId, spec: &StateSpec) -> Self {
        Self { id, model: spec.model, shape: spec.key_shape, revisions: spec.revisions, ttl: spec.ttl }
    }

    /// Lists with TTL expire as a whole: their expiry is in a head row, the row (key, nothing).
    #[must_use]
    pub fn has_heads(self) -> bool {
        self.ttl && self.model == Model::List
    }

    /// Checks that a row with this key and sub can be of this state.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn check(self, key: &[u8], sub: &[u8]) -> Result<()> {
        self.check_shape(key)?;
        match self.model {
            Model::Kv if !sub.is_empty() => {
                Err(Error::invalid("a record of a KV state has a subkey").advise("leave `sub` empty, or use a map"))
            }
            Model::List if sub.len() != 8 => {
                Err(Error::invalid(format!("a list element's ordinal has {} bytes", sub.len()))
                    .advise("ordinals are 8 bytes, big-endian; `reserve_ordinals` gives new ones"))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the state can have this key.
    ///
    /// # Errors
    /// `InvalidInput`.
    #[inline]
    pub fn check_shape(self, key: &[u8]) -> Result<()> {
        match self.shape {
            KeyShape::Fixed(n) if key.len() != usize::from(n) => {
                Err(Error::invalid(format!("a key of {} bytes in a state whose keys have {n}", key.len()))
                    .advise("encode keys with the codec that the state was registered with"))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the state can have a record with the cell's expiry.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn check_expiry(self, cell: &Cell) -> Result<()> {
        if cell.expires_at.is_some() && !self.ttl {
            return Err(Error::invalid("a record with an expiry, in a state without TTL")
                .advise("register the state with `ttl = true`"));
        }
        Ok(())
    }

    /// Checks that a list operation can be about `at`.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn check_list(self, at: &Address) -> Result<()> {
        self.check_shape(&at.key)?;
        if self.model != Model::List {
            return Err(
                Error::invalid("a list operation on a state that is no list").advise("register the state as a list")
            );
        }
        if !at.sub.is_empty() {
            return Err(Error::invalid("a list operation with a subkey").advise("leave `sub` empty"));
        }
        Ok(())
    }

    /// Checks everything about a mutation that can be told without looking at the store's content.
    ///
    /// # Errors
    /// `InvalidInput`; `Unsupported` for an element put into a list that expires.
    pub fn check_mutation(self, mutation: &Mutation) -> Result<()> {
        match mutation {
            Mutation::Put(at, cell) => {
                self.check(&at.key, &at.sub)?;
                self.check_expiry(cell)?;
                if self.has_heads() {
                    return Err(Error::unsupported("an element put at an ordinal, in a list state with TTL")
                        .advise("append it: a list expires as a whole, from its last append on"));
                }
                Ok(())
            }
            Mutation::Delete(at) => self.check(&at.key, &at.sub),
            Mutation::DeleteSubs { at, .. } => self.check_shape(&at.key),
            Mutation::Append { at, cells } => {
                self.check_list(at)?;
                let Some(first) = cells.first() else { return Ok(()) };
                if cells.iter().any(|c| c.expires_at != first.expires_at) {
                    return Err(Error::invalid("appended elements differ in expiry")
                        .advise("a list expires as a whole: give all elements the same `expires_at`"));
                }
                self.check_expiry(first)
            }
            Mutation::TrimFront { at, .. } => self.check_list(at),
        }
    }
}
