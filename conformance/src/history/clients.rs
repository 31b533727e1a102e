//! [`linearisable`]: clients at work, and the judgement of their histories.

use std::{
    ops::Bound,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use statehold_core::{
    Address, Batch, Condition, ConditionsFailed, Error, ErrorKind, Model, Mutation, Result, ScanRange, ScanRequest,
    Store,
};

use super::{
    Action, Answer, Call, Expected, Value,
    check::{MAX_CALLS, order},
};
use crate::{
    Failure,
    dice::Dice,
    failure::{Verdict, ensure},
    poll::poll_then_drop,
    state::State,
};

/// What clients do, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histories {
    /// Where all choices come from. What runs when is the scheduler's.
    pub seed: u64,
    /// How many histories, each on records of its own.
    pub rounds: usize,
    /// Clients at work at once.
    pub clients: usize,
    /// What each client does in a history; clients × calls is at most 128.
    pub calls: usize,
    /// Commits ask conditions of records first.
    pub conditions: bool,
    /// Some commits are dropped at an await.
    pub drops: bool,
    /// Calls may fail because the engine is away: what was refused did not happen, and what was not answered may have.
    pub faults: bool,
}

impl Default for Histories {
    /// Twelve histories of eight clients with twelve calls each: puts, deletes and reads of all kinds.
    fn default() -> Self {
        Self { seed: 0, rounds: 12, clients: 8, calls: 12, conditions: false, drops: false, faults: false }
    }
}

/// Records of a history: few, so that clients meet, in one key group, so that any batch may change them all.
const RECORDS: usize = 3;

/// The clock, and the number that is written next.
#[derive(Default)]
struct Shared {
    clock: AtomicU64,
    value: AtomicU64,
    history: Mutex<Vec<Call>>,
}

/// Lets clients work on records of a state called `histories`, client i through store i modulo their number, and
/// fails if what they were answered has no order. All stores must show the same content.
///
/// ```
/// use statehold_conformance::{Histories, linearisable};
/// # use statehold_core::*;
/// # use std::sync::Arc;
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// # let backend = statehold_memory::MemoryBackend::new();
/// # let store = backend.open(OpenRequest {
/// #     store: "s".into(), namespace: Name::new("n")?, groups: KeyGroups::all(4)?, ownership: Ownership::Exclusive,
/// #     durability: Durability::Visible, limits: Limits::default(), unclean: Unclean::Refuse,
/// #     options: Options::new(), resources: Resources::new(Arc::new(Inline)),
/// # }).await?;
/// linearisable(&[store], Histories { conditions: true, ..Histories::default() }).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The shortest history without an order; what a call failed with that must succeed.
pub async fn linearisable(stores: &[Arc<dyn Store>], what: Histories) -> std::result::Result<(), Failure> {
    ensure!(what.clients * what.calls <= MAX_CALLS, "a history has at most {MAX_CALLS} calls");
    ensure!(!stores.is_empty(), "no store is given");
    let mut states = Vec::new();
    for store in stores {
        states.push(register(store, what.faults).await?);
    }
    let mut dice = Dice::new(what.seed);
    for round in 0..what.rounds {
        let keys = states[0].neighbours(&format!("{:08x}-{round}-", what.seed as u32), RECORDS);
        let shared = Arc::new(Shared::default());
        let clients: Vec<_> = (0..what.clients)
            .map(|id| {
                let dice = Dice::new(dice.next());
                let state = states[id % states.len()].clone();
                tokio::spawn(Client { id, state, keys: keys.clone(), shared: shared.clone(), dice, what }.work())
            })
            .collect();
        for client in clients {
            client.await.map_err(|e| Failure::new(format!("a client did not end well: {e}")))??;
        }
        let mut history = shared.history.lock().map_err(|_| Failure::new("a client panicked"))?.clone();
        history.sort_by_key(|call| call.began);
        judge(&history).map_err(|failure| failure.and(&format!("in history {round} of {}", what.rounds)))?;
    }
    Ok(())
}

/// The state, although its engine may be away for a while: to register it twice is to register it.
async fn register(store: &Arc<dyn Store>, faults: bool) -> Result<State> {
    let mut tries = if faults { 100 } else { 1 };
    loop {
        tries -= 1;
        match State::register(store, "histories", Model::Kv, |_| {}).await {
            Err(error) if tries > 0 && (error.is_retryable() || error.kind() == ErrorKind::Indeterminate) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
}

/// Fails with the beginning of the history that has no order already.
fn judge(history: &[Call]) -> Verdict {
    let Err(_) = order(history, RECORDS) else { return Ok(()) };
    let mut ends: Vec<u64> = history.iter().map(|call| call.ended).filter(|ended| *ended != u64::MAX).collect();
    ends.sort_unstable();
    // What began before an instant, and has an end only if it ended by then.
    let until = |end: u64| -> Vec<Call> {
        let begun = history.iter().filter(|call| call.began < end && (call.ended <= end || !is_read(call)));
        let cut = |call: &Call| match call.ended <= end {
            true => call.clone(),
            false => Call { ended: u64::MAX, answer: Answer::Unknown, ..call.clone() },
        };
        begun.map(cut).collect()
    };
    let shortest = ends.into_iter().map(until).find_map(|part| order(&part, RECORDS).err().map(|stuck| (part, stuck)));
    let Some((part, stuck)) = shortest else { return Err(Failure::new("the history has no order")) };
    let tell = |calls: &[usize]| -> String { calls.iter().map(|i| format!("\n  {:?}", part[*i])).collect() };
    Err(Failure::new(format!(
        "the answers have no order. As far as one goes:{}\nthen the records hold {:?}, and none of these can be next:{}",
        tell(&stuck.done),
        stuck.records,
        tell(&stuck.next),
    )))
}

fn is_read(call: &Call) -> bool {
    !matches!(call.action, Action::Commit(..))
}

struct Client {
    id: usize,
    state: State,
    keys: Vec<Bytes>,
    shared: Arc<Shared>,
    dice: Dice,
    what: Histories,
}

impl Client {
    async fn work(mut self) -> Verdict {
        let mut seen = vec![None; RECORDS];
        for _ in 0..self.what.calls {
            for _ in 0..self.dice.below(3) {
                tokio::task::yield_now().await;
            }
            let action = self.choose(&seen);
            let began = self.shared.clock.fetch_add(1, Ordering::SeqCst);
            let answer = self.call(&action).await;
            let ended = self.shared.clock.fetch_add(1, Ordering::SeqCst);
            let Some(answer) = answer? else { continue };
            match (&action, &answer) {
                (Action::Get(at), Answer::Read(found)) => seen[*at] = found[0],
                (_, Answer::Read(found)) => seen.clone_from(found),
                _ => {}
            }
            let ended = if answer == Answer::Unknown { u64::MAX } else { ended };
            let call = Call { client: self.id, began, ended, action, answer };
            self.shared.history.lock().map_err(|_| Failure::new("a client panicked"))?.push(call);
        }
        Ok(())
    }

    /// What to do next, having read `seen`.
    fn choose(&mut self, seen: &[Value]) -> Action {
        match self.dice.below(8) {
            0 | 1 => Action::Get(self.dice.below(RECORDS)),
            2 => Action::GetMany,
            3 => Action::Scan,
            _ => {
                let conditions = if self.what.conditions { self.conditions(seen) } else { Vec::new() };
                Action::Commit(conditions, self.changes())
            }
        }
    }

    fn conditions(&mut self, seen: &[Value]) -> Vec<(usize, Expected)> {
        let mut conditions = Vec::new();
        for (at, seen) in seen.iter().enumerate() {
            if self.dice.below(2) == 0 {
                let expected = match (seen, self.dice.below(4)) {
                    (_, 0) => Expected::Present,
                    (Some(value), _) => Expected::Is(*value),
                    (None, _) => Expected::Absent,
                };
                conditions.push((at, expected));
            }
        }
        conditions
    }

    fn changes(&mut self) -> Vec<(usize, Value)> {
        let first = self.dice.below(RECORDS);
        let many = if self.dice.below(2) == 0 { 1 } else { RECORDS };
        let places = (first..first + many).map(|at| at % RECORDS);
        let mut changes: Vec<_> = places.map(|at| (at, self.value())).collect();
        changes.sort_unstable();
        changes
    }

    /// A value that nobody has written yet; one in five is none.
    fn value(&mut self) -> Value {
        (self.dice.below(5) > 0).then(|| self.shared.value.fetch_add(1, Ordering::SeqCst))
    }

    fn addresses(&self) -> Vec<Address> {
        self.keys.iter().map(|key| self.state.at(key, b"")).collect()
    }

    /// The answer; `None` if it certainly did not happen.
    async fn call(&mut self, action: &Action) -> std::result::Result<Option<Answer>, Failure> {
        let answer = match action {
            Action::Get(at) => self.state.get(&self.keys[*at]).await.map(|found| vec![found]),
            Action::GetMany => self.state.get_many(&self.addresses()).await,
            Action::Scan => self.scan().await,
            Action::Commit(conditions, changes) => return self.commit(conditions, changes).await,
        };
        match answer {
            Ok(found) => Ok(Some(Answer::Read(found.iter().map(number).collect::<std::result::Result<_, _>>()?))),
            Err(error) if self.what.faults && error.is_retryable() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// All records by one page, which ends behind the last.
    async fn scan(&self) -> Result<Vec<Option<Bytes>>> {
        let (first, last) = (self.keys.iter().min(), self.keys.iter().max());
        let bound = |key: Option<&Bytes>| key.cloned().map_or(Bound::Unbounded, Bound::Included);
        let range = ScanRange::Keys(bound(first), bound(last));
        let request = ScanRequest { range, ..self.state.scan(self.state.group(&self.keys[0])) };
        let (entries, _) = self.state.page(&request).await?;
        let found = |key: &Bytes| entries.iter().find(|entry| entry.key == *key).map(|entry| entry.payload.clone());
        Ok(self.keys.iter().map(found).collect())
    }

    async fn commit(
        &mut self,
        conditions: &[(usize, Expected)],
        changes: &[(usize, Value)],
    ) -> std::result::Result<Option<Answer>, Failure> {
        let condition = |expected: &Expected| match expected {
            Expected::Absent => Condition::Absent,
            Expected::Present => Condition::Present,
            Expected::Is(value) => Condition::ValueIs(value.to_string().into()),
        };
        let mutation = |(at, value): &(usize, Value)| -> Mutation {
            match value {
                Some(value) => self.state.putting(&self.keys[*at], b"", value.to_string()),
                None => self.state.deleting(&self.keys[*at], b""),
            }
        };
        let mut batch = Batch {
            marker: None,
            conditions: conditions.iter().map(|(at, e)| (self.state.at(&self.keys[*at], b""), condition(e))).collect(),
            mutations: changes.iter().map(mutation).collect(),
        };
        batch.sort();
        let committing = self.state.store.commit(batch).finish();
        let committed = if self.what.drops && self.dice.below(6) == 0 {
            match poll_then_drop(committing, 1 + self.dice.below(3)).await {
                Some(committed) => committed,
                None => return Ok(Some(Answer::Unknown)),
            }
        } else {
            committing.await
        };
        match committed {
            Ok(_) => Ok(Some(Answer::Committed)),
            Err(error) => match failed(&error) {
                Some(failed) => Ok(Some(Answer::Refused(failed))),
                None if self.what.faults && error.kind() == ErrorKind::Indeterminate => Ok(Some(Answer::Unknown)),
                None if self.what.faults && error.is_retryable() => Ok(None),
                None => Err(error.into()),
            },
        }
    }
}

/// The conditions that an error names.
fn failed(error: &Error) -> Option<Vec<usize>> {
    let cause = std::error::Error::source(error)?.downcast_ref::<ConditionsFailed>()?;
    let mut failed = cause.failed.clone();
    failed.sort_unstable();
    Some(failed)
}

fn number(payload: &Option<Bytes>) -> std::result::Result<Value, Failure> {
    let Some(payload) = payload else { return Ok(None) };
    let text = std::str::from_utf8(payload).ok();
    let number = text.and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Failure::new(format!("a record holds {payload:?}, which nobody wrote")))
}
