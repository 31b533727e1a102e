//! Histories: clients at work on a few records at once, and whether what they were answered has an order.
//!
//! A history is linearisable if every call can be given one instant between its begin and its end, so that calls in
//! the order of their instants answer what a store with one client answers (Herlihy and Wing, 1990). A call whose
//! outcome nobody knows has no end: it may have happened at any time since its begin, or never.

mod check;
mod clients;
#[cfg(test)]
mod tests;

use std::fmt;

pub use clients::{Histories, linearisable};

/// A record's content: a number that nobody else wrote, or nothing.
type Value = Option<u64>;

/// What a commit asks of a record before it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Absent,
    Present,
    Is(u64),
}

impl Expected {
    fn holds(self, found: Value) -> bool {
        match self {
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::Is(value) => found == Some(value),
        }
    }
}

/// What a client asks, of records by their place in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Get(usize),
    /// All records by `get_many`.
    GetMany,
    /// All records by one page.
    Scan,
    /// Conditions on records, and what each changed record then holds.
    Commit(Vec<(usize, Expected)>, Vec<(usize, Value)>),
}

/// What it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// The records read.
    Read(Vec<Value>),
    Committed,
    /// The conditions at these places failed.
    Refused(Vec<usize>),
    /// Nobody knows whether it happened.
    Unknown,
}

/// One call of one client.
#[derive(Clone, PartialEq, Eq)]
struct Call {
    client: usize,
    /// When it began, on a clock that all clients share.
    began: u64,
    /// When it ended. `u64::MAX` if its outcome is unknown.
    ended: u64,
    action: Action,
    answer: Answer,
}

impl Call {
    fn is_known(&self) -> bool {
        self.answer != Answer::Unknown
    }

    /// The records after the call, if it may have found `records` and been answered as it was.
    fn applied_to(&self, records: &[Value]) -> Option<Vec<Value>> {
        match (&self.action, &self.answer) {
            (Action::Get(at), Answer::Read(found)) => (found[..] == records[*at..=*at]).then(|| records.to_vec()),
            (Action::GetMany | Action::Scan, Answer::Read(found)) => (found == records).then(|| records.to_vec()),
            (Action::Commit(conditions, changes), answer) => {
                let failed: Vec<usize> = conditions
                    .iter()
                    .enumerate()
                    .filter(|(_, (at, expected))| !expected.holds(records[*at]))
                    .map(|(i, _)| i)
                    .collect();
                let mut after = records.to_vec();
                if failed.is_empty() {
                    changes.iter().for_each(|(at, value)| after[*at] = *value);
                }
                match answer {
                    Answer::Committed => failed.is_empty().then_some(after),
                    Answer::Refused(told) => (!failed.is_empty() && *told == failed).then_some(after),
                    Answer::Unknown => Some(after),
                    Answer::Read(_) => None,
                }
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, began, ended, action, answer } = self;
        match answer {
            Answer::Unknown => write!(f, "[{began:4}..    ] client {client}: {action:?} -> unknown"),
            _ => write!(f, "[{began:4}..{ended:4}] client {client}: {action:?} -> {answer:?}"),
        }
    }
}
