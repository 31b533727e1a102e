//! [`Driver`]: does to a store what the model does, and compares.

mod look;

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as _,
    sync::Arc,
};

use bytes::Bytes;
use statehold_core::{
    Batch, Condition, ConditionsFailed, ErrorKind, KeyGroup, Marker, Millis, Mutation, Revision, ScanRequest, Snapshot,
    StateSpec, Store, WriterId,
};

use super::{
    operation::{Ask, Change, Doubt, Mark, Operation, Table, WRITERS, What, payload, subkey},
    reference::{Expected, Reference, folded},
    seen::Seen,
};
use crate::{
    context::Context,
    failure::{Failure, Verdict, ensure, ensure_eq, refused},
    state::{State, bytes, spec},
    tape::Tape,
};

/// Revisions by state, key and subkey, as commits answered them.
type Revisions = BTreeMap<(usize, Bytes, Bytes), Revision>;

/// A writer's identity, sequence, and its last batch with the answer.
#[derive(Debug, Clone)]
struct Sender {
    id: u128,
    sequence: u64,
    last: Option<(Batch, Vec<Revision>)>,
}

pub(super) struct Driver<'a> {
    cx: &'a Context,
    groups: u16,
    store: Arc<dyn Store>,
    states: Vec<State>,
    scan: Option<(usize, ScanRequest)>,
    cuts: Vec<Box<dyn Snapshot>>,
    tapes: Vec<(Tape, Revisions)>,
    revisions: Revisions,
    given: BTreeSet<(KeyGroup, Revision)>,
    senders: [Sender; WRITERS],
    seen: Seen,
}

fn specs(tables: &[Table]) -> Result<Vec<StateSpec>, Failure> {
    let make = |table: &Table| {
        spec(table.name, table.model, |s| {
            (s.key_shape, s.revisions, s.ttl) = (table.shape, table.revisions, table.ttl);
        })
    };
    Ok(tables.iter().map(make).collect::<statehold_core::Result<_>>()?)
}

/// The revision that no record ever has.
const NEVER: Revision = Revision(u64::MAX);

impl<'a> Driver<'a> {
    pub(super) async fn new(cx: &'a Context, tables: &[Table], groups: u16) -> Result<Self, Failure> {
        let all = statehold_core::KeyGroups::all(groups)?;
        let store = cx.open_with(|request| request.groups = all).await?;
        let sender = |id| Sender { id, sequence: 10, last: None };
        let mut driver = Self {
            cx,
            groups,
            store,
            states: Vec::new(),
            scan: None,
            cuts: Vec::new(),
            tapes: Vec::new(),
            revisions: BTreeMap::new(),
            given: BTreeSet::new(),
            senders: [sender(1), sender(2)],
            seen: Seen::default(),
        };
        driver.register(tables).await?;
        Ok(driver)
    }

    async fn register(&mut self, tables: &[Table]) -> Verdict {
        self.states.clear();
        for spec in specs(tables)? {
            self.states.push(State::of_spec(&self.store, spec).await?);
        }
        Ok(())
    }

    /// Does one step; `before` is the model before it, `after` the model after it.
    pub(super) async fn step(&mut self, operation: &Operation, before: &Reference, after: &Reference) -> Verdict {
        match operation {
            Operation::Commit { changes, doubts, mark } => self.commit(changes, doubts, *mark, before).await?,
            Operation::Read { table, records } => self.read(*table, records, after).await?,
            Operation::Scan { table, group, part, rows } => {
                let scan = self.scan_of(*table, *group, *part);
                self.walk(scan.clone(), *rows).await?;
                self.scan = Some((*table, scan));
                self.page(*rows, after).await?;
            }
            Operation::Page { rows } => self.page(*rows, after).await?,
            Operation::List { table, key, rows } => self.list(*table, *key, *rows, after).await?,
            Operation::Advance(_) | Operation::ClockBack(_) => self.cx.clock.set(after.clock),
            Operation::Finish => drop(self.store.finish().await?),
            Operation::Compact => {
                self.store.compact().await?;
                self.check(after).await?;
            }
            Operation::Cut => self.cuts.push(self.store.snapshot().await?),
            Operation::CheckCut => self.check_cut(after).await?,
            Operation::Archive => {
                let tape = Tape::record(&*self.store, self.store.groups()).await?;
                self.seen.tape(&tape);
                self.tapes.push((tape, self.revisions.clone()));
            }
            Operation::Recover => self.recover(after).await?,
            Operation::Drop { table } => self.drop_state(*table, after).await?,
            Operation::Reopen => self.reopen(after).await?,
        }
        ensure_eq!(self.store.now(), after.now(), "the store's time");
        Ok(())
    }

    fn mutation(&self, change: Change, model: &Reference) -> Mutation {
        let (table, state) = (&model.tables[change.table], &self.states[change.table]);
        let key = table.key(change.key);
        let expiry =
            |ttl: Option<u8>| ttl.filter(|_| table.ttl).map(|millis| Millis(model.now().0 + u64::from(millis)));
        match change.what {
            What::Put { sub, payload: number, ttl } => {
                state.putting_until(key, subkey(sub), payload(number), expiry(ttl))
            }
            What::Delete { sub } => state.deleting(key, subkey(sub)),
            What::DeleteSubs { from, until } => {
                Mutation::DeleteSubs { at: state.at(key, subkey(from)), until: until.map(|until| bytes(subkey(until))) }
            }
            What::Append { count, payload: number, ttl } => {
                let payloads: Vec<_> = (0..count).map(|i| payload(number.wrapping_add(i))).collect();
                state.appending(key, &payloads, expiry(ttl))
            }
            What::Trim { count } => state.trimming(key, u64::from(count)),
        }
    }

    fn condition(&self, doubt: &Doubt, model: &Reference) -> (statehold_core::Address, Condition) {
        let (key, sub) = (model.tables[doubt.table].key(doubt.key), subkey(doubt.sub));
        let revision = self.revisions.get(&(doubt.table, bytes(key), bytes(sub))).copied();
        let condition = match doubt.ask {
            Ask::Absent => Condition::Absent,
            Ask::Present => Condition::Present,
            Ask::SameValue => Condition::ValueIs(model.doubted(doubt).cloned().unwrap_or_default()),
            Ask::OtherValue => Condition::ValueIs(bytes("a payload that no record ever has")),
            Ask::SameRevision => Condition::RevisionIs(revision.unwrap_or(NEVER)),
            Ask::OtherRevision => Condition::RevisionIs(NEVER),
        };
        (self.states[doubt.table].at(key, sub), condition)
    }

    async fn commit(&mut self, changes: &[Change], doubts: &[Doubt], mark: Mark, before: &Reference) -> Verdict {
        let expected = before.clone().commit(changes, doubts, mark);
        let mut batch = Batch {
            marker: None,
            conditions: doubts.iter().map(|doubt| self.condition(doubt, before)).collect(),
            mutations: folded(&before.tables, changes).into_iter().map(|c| self.mutation(c, before)).collect(),
        };
        batch.sort();
        if let Mark::Fresh(writer) | Mark::Repeat(writer) | Mark::Older(writer) = mark {
            let sender = &mut self.senders[writer];
            let sequence = match expected {
                Expected::Duplicate => sender.sequence,
                Expected::Outdated => sender.sequence - 1,
                _ => sender.sequence + 1,
            };
            if let (Expected::Duplicate, Some((last, _))) = (&expected, &sender.last) {
                batch = last.clone();
            }
            batch.marker = Some(Marker { writer: WriterId(sender.id), sequence, position: None });
        }
        let answer = self.store.commit(batch.clone()).finish().await;
        self.seen.commit(&answer);
        match expected {
            Expected::Applied => {
                let committed = answer?;
                ensure!(!committed.duplicate, "a new commit passes for a repeated one");
                self.note(&batch, &committed.revisions)?;
                if let Mark::Fresh(writer) | Mark::Repeat(writer) | Mark::Older(writer) = mark {
                    let sequence = self.senders[writer].sequence + 1;
                    let last = Some((batch, committed.revisions));
                    self.senders[writer] = Sender { id: self.senders[writer].id, sequence, last };
                }
            }
            Expected::Failed(failed) => {
                let error = refused(answer, ErrorKind::Conflict, "a commit whose conditions fail")?;
                let cause = error.source().and_then(|source| source.downcast_ref::<ConditionsFailed>());
                ensure_eq!(cause.map(|c| c.failed.clone()), Some(failed), "the failing conditions");
            }
            Expected::Duplicate => {
                let committed = answer?;
                ensure!(committed.duplicate, "a repeated commit passes for a new one");
                if let Mark::Repeat(writer) = mark {
                    let first = self.senders[writer].last.as_ref().map(|(_, revisions)| revisions);
                    ensure_eq!(Some(&committed.revisions), first, "the revisions of a repeated commit");
                }
            }
            Expected::Outdated => drop(refused(answer, ErrorKind::Conflict, "an older marker")?),
        }
        Ok(())
    }

    /// Keeps the revisions that a commit gave, and checks that each is new.
    fn note(&mut self, batch: &Batch, revisions: &[Revision]) -> Verdict {
        let of = |mutation: &Mutation| self.states.iter().position(|state| state.id == mutation.at().state);
        let revised = |table: Option<usize>| table.is_some_and(|table| self.states[table].spec.revisions);
        if !batch.mutations.iter().any(|mutation| revised(of(mutation))) {
            ensure!(revisions.is_empty(), "a batch without revisions is answered {revisions:?}");
            return Ok(());
        }
        ensure_eq!(revisions.len(), batch.mutations.len(), "the number of revisions");
        for (mutation, revision) in batch.mutations.iter().zip(revisions) {
            let Some(table) = of(mutation).filter(|table| revised(Some(*table))) else { continue };
            let at = mutation.at();
            ensure!(self.given.insert((at.group, *revision)), "{revision:?} of group {} is given twice", at.group);
            if let Mutation::Put(..) = mutation {
                self.revisions.insert((table, at.key.clone(), at.sub.clone()), *revision);
            }
        }
        Ok(())
    }

    /// Numbers of states, open scans and commits sent before mean nothing any more.
    fn renew(&mut self) {
        self.scan = None;
        for sender in &mut self.senders {
            *sender = Sender { id: sender.id + WRITERS as u128, sequence: 10, last: None };
        }
    }

    async fn recover(&mut self, model: &Reference) -> Verdict {
        let Some((tape, revisions)) = self.tapes.last().cloned() else { return Ok(()) };
        let old = self.states[0].clone();
        tape.restore(&*self.store, self.store.groups()).await?;
        refused(old.put("a", "late").await, ErrorKind::Fenced, "a write through an older handle")?;
        self.revisions = revisions;
        self.renew();
        self.register(&model.tables).await?;
        self.check(model).await
    }

    async fn drop_state(&mut self, table: usize, model: &Reference) -> Verdict {
        let old = self.states[table].clone();
        self.store.drop_state(old.id).await?;
        refused(old.get(model.tables[table].key(0)).await, ErrorKind::Fenced, "a read of a dropped state")?;
        self.revisions.retain(|(of, _, _), _| *of != table);
        self.renew();
        self.states[table] = old.again(&self.store).await?;
        self.check(model).await
    }

    async fn reopen(&mut self, model: &Reference) -> Verdict {
        self.cuts.clear();
        if !self.cx.capabilities.persistent {
            // Beside others that are opened again it goes on as it is.
            return self.check(model).await;
        }
        self.states.clear();
        self.store.close().await?;
        let all = statehold_core::KeyGroups::all(self.groups)?;
        self.store = self.cx.open_with(|request| request.groups = all).await?;
        self.register(&model.tables).await?;
        if let Some((table, request)) = &mut self.scan {
            request.state = self.states[*table].id;
        }
        self.check(model).await
    }

    /// What was answered since this was last asked.
    pub(super) fn take_seen(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }

    /// Exchanges the last archives: whoever recovers next takes what the other stored.
    pub(super) fn exchange_archives(&mut self, other: &mut Self) {
        if let (Some(one), Some(two)) = (self.tapes.last_mut(), other.tapes.last_mut()) {
            std::mem::swap(one, two);
        }
    }

    /// Compares everything a last time.
    pub(super) async fn end(&mut self, model: &Reference) -> Verdict {
        self.check(model).await?;
        if self.cx.capabilities.snapshots {
            let tape = Tape::record(&*self.store, self.store.groups()).await?;
            self.seen.tape(&tape);
        }
        Ok(())
    }

    pub(super) async fn close(self) -> Verdict {
        self.store.finish().await?;
        Ok(self.store.close().await?)
    }
}
