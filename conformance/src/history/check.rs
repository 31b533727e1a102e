//! [`order`]: the search for an order of calls.
//!
//! Wing and Gong's search, with Lowe's memory of the places where it has been ("Testing for linearizability", 2017):
//! a set of calls that are done and the records then.

use std::collections::HashSet;

use super::{Call, Value};

/// The most calls a history may have: one bit each.
pub(super) const MAX_CALLS: usize = 128;

/// Why there is no order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    /// The longest order found, by the calls' places in the history.
    pub(super) done: Vec<usize>,
    /// The records after it.
    pub(super) records: Vec<Value>,
    /// The calls of which one had to come next; none could.
    pub(super) next: Vec<usize>,
}

struct Search<'a> {
    history: &'a [Call],
    been: HashSet<(u128, Vec<Value>)>,
    order: Vec<usize>,
    deepest: Stuck,
}

/// Whether `history`, on records that all begin absent, has an order.
///
/// # Errors
/// How far the search came, if there is none.
pub(super) fn order(history: &[Call], records: usize) -> Result<(), Stuck> {
    let empty = vec![None; records];
    let deepest = Stuck { done: Vec::new(), records: empty.clone(), next: Vec::new() };
    let mut search = Search { history, been: HashSet::new(), order: Vec::new(), deepest };
    if search.goes_on(0, &empty) { Ok(()) } else { Err(search.deepest) }
}

impl Search<'_> {
    /// Whether the calls that are not in `done` can follow on `records`.
    fn goes_on(&mut self, done: u128, records: &[Value]) -> bool {
        let open = |i: &usize| done & (1 << i) == 0;
        let left: Vec<usize> = (0..self.history.len()).filter(open).collect();
        // A call without an outcome need not have happened.
        let Some(first_end) = left.iter().map(|i| &self.history[*i]).filter(|c| c.is_known()).map(|c| c.ended).min()
        else {
            return true;
        };
        if !self.been.insert((done, records.to_vec())) {
            return false;
        }
        let next: Vec<usize> = left.into_iter().filter(|i| self.history[*i].began < first_end).collect();
        if self.order.len() >= self.deepest.done.len() {
            self.deepest = Stuck { done: self.order.clone(), records: records.to_vec(), next: next.clone() };
        }
        for call in next {
            if let Some(after) = self.history[call].applied_to(records) {
                self.order.push(call);
                if self.goes_on(done | 1 << call, &after) {
                    return true;
                }
                self.order.pop();
            }
        }
        false
    }
}
