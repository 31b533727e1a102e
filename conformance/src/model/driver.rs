//! [`Driver`]: does to a store what the model does, and compares.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as _,
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use statehold_core::{
    Batch, Cell, Condition, ConditionsFailed, ErrorKind, KeyGroup, Marker, Millis, Mutation, PageLimit, Revision,
    ScanRange, ScanRequest, Snapshot, StateSpec, Store, WriterId,
};

use super::{
    operation::{Ask, Change, Doubt, Mark, Operation, Part, Table, WRITERS, What, payload, subkey},
    reference::{Data, Expected, Reference, folded},
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

    fn check_cell(&self, table: usize, key: &Bytes, sub: &Bytes, cell: Option<&Cell>, model: &Reference) -> Verdict {
        let state = &self.states[table];
        let found = cell.map(|cell| state.open(key, sub, cell)).transpose()?;
        let expected = model.data[table].record_at(&(key.clone(), sub.clone()), model.now());
        ensure_eq!(found.as_ref(), expected, "`{}` ({key:?}, {sub:?})", state.spec.name);
        if let (Some(cell), true) = (cell, state.spec.revisions) {
            let given = self.revisions.get(&(table, key.clone(), sub.clone()));
            ensure_eq!(Some(&cell.revision), given, "the revision of `{}` ({key:?}, {sub:?})", state.spec.name);
        }
        Ok(())
    }

    async fn read(&mut self, table: usize, records: &[(u8, u8)], model: &Reference) -> Verdict {
        let map = model.tables[table].model == statehold_core::Model::Map;
        let place = |(key, sub): &(u8, u8)| {
            self.states[table].at(model.tables[table].key(*key), if map { subkey(*sub) } else { b"" })
        };
        let at: Vec<_> = records.iter().map(place).collect();
        let cells = self.store.get_many(&at).finish().await?;
        ensure_eq!(cells.len(), at.len(), "the number of records read at once");
        self.seen.cells(&cells);
        for (at, cell) in at.iter().zip(&cells) {
            self.check_cell(table, &at.key, &at.sub, cell.as_ref(), model)?;
            ensure_eq!(&self.store.get(at).finish().await?, cell, "get against get_many of {at:?}");
        }
        Ok(())
    }

    fn scan_of(&self, table: usize, group: u16, part: Part) -> ScanRequest {
        let request = self.states[table].scan(KeyGroup(group));
        let spec = &self.states[table].spec;
        let named = Table { name: "", model: spec.model, shape: spec.key_shape, revisions: false, ttl: false };
        let range = match part {
            Part::All => ScanRange::All,
            Part::Keys(from, to) => {
                ScanRange::Keys(Bound::Included(bytes(named.key(from))), Bound::Excluded(bytes(named.key(to))))
            }
            Part::Subs(key, from, to) => ScanRange::Subs(
                bytes(named.key(key)),
                Bound::Excluded(bytes(subkey(from))),
                Bound::Included(bytes(subkey(to))),
            ),
        };
        ScanRequest { range, ..request }
    }

    /// Reads all pages at once, for the comparison with other engines: they may end their pages at different rows,
    /// and so see different things of what is written between two of them.
    async fn walk(&mut self, mut request: ScanRequest, rows: usize) -> Verdict {
        request.limit = PageLimit { rows, ..PageLimit::default() };
        let found = statehold_core::collect(&*self.store, request).await?;
        self.seen.rows(&found);
        Ok(())
    }

    /// Reads the scan's next page; it must be the beginning of what the model has behind the cursor.
    async fn page(&mut self, rows: usize, model: &Reference) -> Verdict {
        let Some((table, mut request)) = self.scan.take() else { return Ok(()) };
        request.limit = PageLimit { rows, ..PageLimit::default() };
        let page = self.store.scan(&request).finish().await?;
        let group = |key: &Bytes| KeyGroup::of(key, self.groups) == request.group;
        let behind =
            |key: &Bytes, sub: &Bytes| request.after.as_ref().is_none_or(|after| (key, sub) > (&after.key, &after.sub));
        let mut left = model.data[table]
            .records_at(model.now())
            .map(|(at, _)| at)
            .filter(|(key, sub)| group(key) && behind(key, sub) && request.range.contains(key, sub));
        ensure!(page.rows.len() <= rows, "a page of {rows} has {} rows", page.rows.len());
        for row in &page.rows {
            let at = (row.key.clone(), row.sub.clone());
            ensure_eq!(Some(&at), left.next(), "the next row of {request:?}");
            self.check_cell(table, &row.key, &row.sub, Some(&row.cell), model)?;
        }
        let next_left = left.next();
        match page.next {
            None => ensure_eq!(next_left, None, "what follows the last page of {request:?}"),
            Some(next) => {
                let skipped = next_left.filter(|(key, sub)| (key, sub) <= (&next.key, &next.sub));
                ensure_eq!(skipped, None, "what the cursor {next:?} passes by");
                ensure!(Some(&next) > request.after.as_ref(), "the cursor of {request:?} does not advance: {next:?}");
                request.after = Some(next);
                self.scan = Some((table, request));
            }
        }
        Ok(())
    }

    async fn list(&self, table: usize, key: u8, rows: usize, model: &Reference) -> Verdict {
        let (state, key) = (&self.states[table], bytes(model.tables[table].key(key)));
        let limit = PageLimit { rows, ..PageLimit::default() };
        let found = state.collect(ScanRequest { limit, ..state.scan_key(&key) }).await?;
        let found: Vec<_> = found.into_iter().map(|entry| entry.payload).collect();
        let expected = model.data[table].lists_at(model.now()).find(|(of, _)| **of == key);
        let expected = expected.map(|(_, list)| list.clone()).unwrap_or_default();
        ensure_eq!(found, expected, "the list {key:?} of `{}`", state.spec.name);
        Ok(())
    }

    /// Compares everything that the store or a cut of it shows with `data` at `now`.
    async fn compare(&self, cut: Option<&dyn Snapshot>, data: &[Data], now: Millis, model: &Reference) -> Verdict {
        for (table, state) in self.states.iter().enumerate() {
            let mut found = match cut {
                Some(cut) => state.entries_of(cut).await?,
                None => state.entries().await?,
            };
            found.sort_by(|a, b| (&a.key, &a.sub).cmp(&(&b.key, &b.sub)));
            let found: Vec<_> = if model.is_list(table) {
                found.into_iter().map(|entry| (entry.key, Bytes::new(), entry.payload)).collect()
            } else {
                found.into_iter().map(|entry| (entry.key, entry.sub, entry.payload)).collect()
            };
            let records = data[table].records_at(now).map(|((key, sub), p)| (key.clone(), sub.clone(), p.clone()));
            let lists = data[table].lists_at(now);
            let elements = lists.flat_map(|(key, list)| list.iter().map(|p| (key.clone(), Bytes::new(), p.clone())));
            let expected: Vec<_> = records.chain(elements).collect();
            ensure_eq!(found, expected, "all entries of `{}`", state.spec.name);
        }
        Ok(())
    }

    /// Compares the whole store with the model.
    pub(super) async fn check(&self, model: &Reference) -> Verdict {
        self.compare(None, &model.data, model.now(), model).await?;
        for (table, data) in model.data.iter().enumerate() {
            for ((key, sub), _) in data.records_at(model.now()) {
                let at = self.states[table].at(key, sub);
                let cell = self.store.get(&at).finish().await?;
                self.check_cell(table, key, sub, cell.as_ref(), model)?;
            }
        }
        let names: Vec<_> = self.store.states().await?.into_iter().map(|(_, spec)| spec.name).collect();
        let expected: Vec<_> = model.tables.iter().map(|table| table.name.to_owned()).collect();
        ensure_eq!(names, expected, "the catalog");
        Ok(())
    }

    async fn check_cut(&self, model: &Reference) -> Verdict {
        for (snapshot, (data, now)) in self.cuts.iter().zip(&model.cuts) {
            ensure_eq!(snapshot.now(), *now, "the instant of the snapshot");
            // States that were dropped or recovered since have other numbers in the store than in the cut.
            let numbers: Vec<_> = snapshot.states().await?.into_iter().map(|(id, _)| id).collect();
            let same = self.states.iter().all(|state| numbers.contains(&state.id));
            if same {
                self.compare(Some(&**snapshot), data, *now, model).await?;
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
