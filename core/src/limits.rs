//! Size limits, the same on every engine by default (contract NAME-2).

use bytes::Bytes;

use crate::{Address, Batch, Error, ErrorKind, MAX_MARKED_CHANGES, MAX_POSITION_BYTES, Mutation, Result};

/// The most a store accepts, in bytes. At the limit it works; one byte over is `LimitExceeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// An encoded key.
    pub key: usize,
    /// A subkey.
    pub sub: usize,
    /// A label of an edge.
    pub label: usize,
    /// A value's payload, without its envelope.
    pub value: usize,
    /// A batch: keys, subkeys and values together.
    pub batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { key: 1024, sub: 1024, label: 255, value: 16 << 20, batch: 64 << 20 }
    }
}

fn over(what: &str, got: usize, limit: usize) -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("{what} of {got} bytes is over the limit of {limit}"))
        .advise("nothing was written; split it, or raise the limit in the descriptor if the engine allows more")
}

impl Limits {
    /// Whether everything that `other` admits is admitted here too.
    #[must_use]
    pub fn admit(&self, other: &Self) -> bool {
        self.key >= other.key
            && self.sub >= other.sub
            && self.label >= other.label
            && self.value >= other.value
            && self.batch >= other.batch
    }

    /// Checks a key and subkey.
    ///
    /// # Errors
    /// `InvalidInput` for an empty key, `LimitExceeded` for one over the limit.
    #[inline]
    pub fn check_key(&self, key: &[u8], sub: &[u8]) -> Result<()> {
        if key.is_empty() {
            return Err(Error::invalid("the key is empty").advise("keys have at least one byte"));
        }
        if key.len() > self.key {
            return Err(over("a key", key.len(), self.key));
        }
        if sub.len() > self.sub {
            return Err(over("a subkey", sub.len(), self.sub));
        }
        Ok(())
    }

    /// Checks a payload.
    ///
    /// # Errors
    /// `LimitExceeded`.
    #[inline]
    pub fn check_value(&self, payload: usize) -> Result<()> {
        if payload > self.value { Err(over("a value", payload, self.value)) } else { Ok(()) }
    }

    /// Checks a whole batch: every address, every value, the sum. What every
    /// backend calls first in `commit`.
    ///
    /// # Errors
    /// `InvalidInput` or `LimitExceeded`; nothing has been written.
    #[inline]
    pub fn check_batch(&self, batch: &Batch) -> Result<()> {
        let address = |at: &Address| self.check_key(&at.key, &at.sub);
        let cell = |value: &[u8]| self.check_value(value.len().saturating_sub(crate::Envelope::BYTES));
        let position = batch.marker.as_ref().and_then(|m| m.position.as_ref()).map_or(0, Bytes::len);
        if position > MAX_POSITION_BYTES {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("a marker's position of {position} bytes is over the limit of {MAX_POSITION_BYTES}"),
            )
            .advise("nothing was written; keep the position elsewhere and put its name into the marker"));
        }
        let changes = batch.mutations.len();
        if batch.marker.is_some() && changes > MAX_MARKED_CHANGES {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("a batch with a marker has {changes} changes, over the limit of {MAX_MARKED_CHANGES}"),
            )
            .advise("nothing was written; commit it in pieces, each under a marker of its own"));
        }
        for (at, _) in &batch.conditions {
            address(at)?;
        }
        for mutation in &batch.mutations {
            address(mutation.at())?;
            match mutation {
                Mutation::Put(_, c) => cell(&c.value)?,
                Mutation::Append { cells, .. } => cells.iter().try_for_each(|c| cell(&c.value))?,
                _ => {}
            }
        }
        let size = batch.size();
        if size > self.batch { Err(over("a batch", size, self.batch)) } else { Ok(()) }
    }
}
