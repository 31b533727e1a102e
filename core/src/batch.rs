//! [`Batch`]: the only way anything is written.

use bytes::Bytes;

use crate::{Address, Cell, Error, ErrorKind, KeyGroup, Result, Revision};

/// One change. Within a batch a record is changed at most once, except that
/// [`Mutation::DeleteSubs`] of a key comes before the changes to its records.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mutation {
    /// Sets a record, whatever was there.
    Put(Address, Cell),
    /// Removes a record; removing what is absent succeeds.
    Delete(Address),
    /// Removes every record of the key `at.key` whose subkey is at least `at.sub`
    /// and below `until` (to the key's end if `None`).
    DeleteSubs {
        /// State, group, key, and the first subkey to go.
        at: Address,
        /// The first subkey that stays.
        until: Option<Bytes>,
    },
    /// Puts elements at the end of the list `at.key`; `at.sub` is empty.
    /// All cells carry the same expiry: the list's own.
    Append {
        /// State, group and key.
        at: Address,
        /// The elements, first to last.
        cells: Vec<Cell>,
    },
    /// Removes the first `count` elements of the list `at.key`.
    TrimFront {
        /// State, group and key.
        at: Address,
        /// How many; more than there are is all.
        count: u64,
    },
}

impl Mutation {
    /// The record or key that changes.
    #[inline]
    #[must_use]
    pub fn at(&self) -> &Address {
        match self {
            Self::Put(at, _) | Self::Delete(at) => at,
            Self::DeleteSubs { at, .. } | Self::Append { at, .. } | Self::TrimFront { at, .. } => at,
        }
    }

    /// Order of application within one key: removals of ranges, then trims, then records, then appends.
    #[inline]
    fn rank(&self) -> u8 {
        match self {
            Self::DeleteSubs { .. } => 0,
            Self::TrimFront { .. } => 1,
            Self::Put(..) | Self::Delete(_) => 2,
            Self::Append { .. } => 3,
        }
    }

    /// Bytes this counts towards the batch limit.
    #[inline]
    #[must_use]
    pub fn size(&self) -> usize {
        let at = self.at();
        let head = at.key.len() + at.sub.len();
        match self {
            Self::Put(_, cell) => head + cell.value.len(),
            Self::Append { cells, .. } => head + cells.iter().map(|c| c.value.len()).sum::<usize>(),
            Self::DeleteSubs { until, .. } => head + until.as_ref().map_or(0, Bytes::len),
            Self::Delete(_) | Self::TrimFront { .. } => head,
        }
    }
}

/// What must hold of a record for the batch to be applied (contract BATCH-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is no such record, or it has expired.
    Absent,
    /// There is such a record.
    Present,
    /// The record has this revision; needs a state with revisions.
    RevisionIs(Revision),
    /// The record holds this payload. Expressed over the whole cell value with its first
    /// [`Envelope::BYTES`](crate::Envelope::BYTES) left out: an envelope is never compared.
    ValueIs(Bytes),
}

impl Condition {
    /// Whether the condition holds of `cell`, which the caller has found live or absent.
    #[must_use]
    pub fn holds(&self, cell: Option<&Cell>) -> bool {
        match (self, cell) {
            (Self::Absent, found) => found.is_none(),
            (Self::Present, found) => found.is_some(),
            (Self::RevisionIs(revision), Some(cell)) => cell.revision == *revision,
            (Self::ValueIs(payload), Some(cell)) => crate::Envelope::payload(&cell.value).as_ref() == Some(payload),
            (Self::RevisionIs(_) | Self::ValueIs(_), None) => false,
        }
    }
}

/// Who writes: unique among all writers of a namespace, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterId(pub u128);

/// The greatest size of a marker's position, in bytes.
pub const MAX_POSITION_BYTES: usize = 64 * 1024;

/// The most changes of a batch with a marker, 16,777,216: the engine keeps the answer, a revision each.
pub const MAX_MARKED_CHANGES: usize = 1 << 24;

/// Makes a commit safe to send again (contract BATCH-4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The sender.
    pub writer: WriterId,
    /// Grows by at least one with each commit of the sender.
    pub sequence: u64,
    /// Where the sender stands in its source; at most [`MAX_POSITION_BYTES`].
    pub position: Option<Bytes>,
}

/// What one commit applies: all of it or nothing (contract BATCH-1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Identity of the commit, for exactly-once.
    pub marker: Option<Marker>,
    /// What must hold, else nothing is written.
    pub conditions: Vec<(Address, Condition)>,
    /// What changes; sorted by [`Batch::sort`] before a backend sees it.
    pub mutations: Vec<Mutation>,
}

impl Batch {
    /// Bytes that count towards the batch limit.
    #[inline]
    #[must_use]
    pub fn size(&self) -> usize {
        let conditions = self
            .conditions
            .iter()
            .map(|(at, c)| at.key.len() + at.sub.len() + if let Condition::ValueIs(v) = c { v.len() } else { 0 });
        self.mutations.iter().map(Mutation::size).chain(conditions).sum()
    }

    /// Sorts the mutations into (group, state, key) order, within a key by
    /// kind and subkey, so that two commits take records in the same order everywhere.
    pub fn sort(&mut self) {
        self.mutations.sort_by(|a, b| {
            let (x, y) = (a.at(), b.at());
            (x.group, x.state, &x.key, a.rank(), &x.sub).cmp(&(y.group, y.state, &y.key, b.rank(), &y.sub))
        });
    }

    /// Checks what every backend may rely on: sorted, one change a record.
    ///
    /// # Errors
    /// `InvalidInput` naming the first offence.
    #[inline]
    pub fn check_folded(&self) -> Result<()> {
        for pair in self.mutations.windows(2) {
            let [first, second] = pair else { continue };
            let (x, y) = (first.at(), second.at());
            let a = (x.group, x.state, &x.key, first.rank(), &x.sub);
            let b = (y.group, y.state, &y.key, second.rank(), &y.sub);
            if a > b {
                return Err(Error::invalid("the batch is not sorted").advise("call `Batch::sort` first"));
            }
            // Several ranges of one key are fine: removing twice is removing once.
            if a == b && first.rank() != 0 {
                return Err(Error::invalid("the batch changes one record twice")
                    .advise("fold the changes of a record into one"));
            }
        }
        Ok(())
    }

    /// The groups touched, ascending and without repetition.
    #[must_use]
    pub fn groups(&self) -> Vec<KeyGroup> {
        let mut groups: Vec<KeyGroup> =
            self.mutations.iter().map(|m| m.at().group).chain(self.conditions.iter().map(|(at, _)| at.group)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

/// What a commit answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The revision each mutation gave its record, in the batch's order; empty
    /// if no state in the batch keeps revisions.
    pub revisions: Vec<Revision>,
    /// The marker had been committed before: this is the answer of then.
    pub duplicate: bool,
}

/// The error of a batch whose conditions failed, with every failing record (contract BATCH-2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of the batch's conditions failed", failed.len())]
pub struct ConditionsFailed {
    /// Indices into [`Batch::conditions`], ascending.
    pub failed: Vec<usize>,
}

impl From<ConditionsFailed> for Error {
    fn from(cause: ConditionsFailed) -> Self {
        let shown: Vec<String> = cause.failed.iter().take(16).map(ToString::to_string).collect();
        Self::new(ErrorKind::Conflict, format!("condition {} does not hold; nothing was written", shown.join(", ")))
            .advise("read the records again and decide anew")
            .because(cause)
    }
}

impl Error {
    /// The conditions that failed, if that is what the error is about.
    #[must_use]
    pub fn conditions_failed(&self) -> Option<&ConditionsFailed> {
        std::error::Error::source(self)?.downcast_ref()
    }
}
