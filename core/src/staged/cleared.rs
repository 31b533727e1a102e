//! [`Cleared`]: how much of a key a staged removal takes away.

use bytes::Bytes;

/// What is gone of a key beneath a staged removal. Greater ones take more away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cleared {
    /// Every record whose subkey is below this.
    Below(Bytes),
    /// Every record.
    All,
}

impl Cleared {
    /// Whether a record with this subkey is gone.
    #[must_use]
    pub fn covers(&self, sub: &[u8]) -> bool {
        match self {
            Self::Below(until) => sub < &until[..],
            Self::All => true,
        }
    }

    /// Bytes of the bound.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Below(until) => until.len(),
            Self::All => 0,
        }
    }

    /// The bound, as [`Mutation::DeleteSubs`](crate::Mutation::DeleteSubs) has it.
    pub(super) fn until(&self) -> Option<Bytes> {
        match self {
            Self::Below(until) => Some(until.clone()),
            Self::All => None,
        }
    }
}
