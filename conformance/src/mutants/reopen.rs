//! Mutants that behave until their store is closed and opened again.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use statehold_core::{
    Address, ArchiveSource, Backend, Batch, Cell, Clock, Committed, ErrorKind, KeyGroups, Millis, Model, Mutation, Op,
    OpenRequest, Page, Position, Result, Revision, ScanRange, ScanRequest, StateId, StateSpec, Store, Unclean, collect,
};

use super::{
    Mutant, Visibility,
    fault::{Fault, batch as batch_of, with},
};

const fn mutant(name: &'static str, breaks: &'static str, wrap: super::Wrap) -> Mutant {
    Mutant::new(name, breaks, wrap).seen(Visibility::Reopen)
}

pub(super) const MUTANTS: &[Mutant] = &[
    mutant("once reopened, it takes another schema fingerprint for the right one", "NAME-4", |b| {
        with(b, AnySchema::default())
    }),
    mutant("a cursor of an earlier opening skips a row", "KV-4", |b| with(b, OldCursor::default())),
    mutant("revisions begin again when it is reopened", "KV-5", |b| with(b, RestartedRevisions::default())),
    mutant("the floor of time is forgotten by reopen", "KV-6", |b| with(b, NoFloor::default())),
    mutant("once reopened, it appends to the front", "LIST-1", |b| with(b, ToTheFront::default())),
    mutant("what was recovered lacks a record when it is reopened", "LIFE-5", |b| with(b, LosesRecovered::default())),
    mutant("a dropped state is back when it is reopened", "LIFE-10", |b| with(b, BackAgain::default())),
    Mutant::new("a store that was not closed cleanly opens empty", "LIFE-1", |b| with(b, OpensEmpty))
        .seen(Visibility::Reopen)
        .on_disk(),
];

/// Counts closes.
#[derive(Default)]
struct Closes(AtomicU64);

impl Closes {
    fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    async fn close(&self, store: &dyn Store) -> Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        store.close().await
    }
}

#[derive(Default)]
struct AnySchema(Closes);

#[async_trait]
impl Fault for AnySchema {
    async fn register(&self, store: &dyn Store, spec: &StateSpec) -> Result<StateId> {
        match store.register(spec).await {
            Err(error) if error.kind() == ErrorKind::Conflict && self.0.count() > 0 => {
                let states = store.states().await?;
                let same = |other: &StateSpec| StateSpec { fingerprint: spec.fingerprint, ..other.clone() } == *spec;
                states.into_iter().find(|(_, other)| same(other)).map_or(Err(error), |(id, _)| Ok(id))
            }
            answer => answer,
        }
    }

    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        self.0.close(store).await
    }
}

/// Keeps the cursors that it gave, with the opening in which it did.
#[derive(Default)]
struct OldCursor {
    closes: Closes,
    given: Mutex<HashSet<(u64, Position)>>,
}

#[async_trait]
impl Fault for OldCursor {
    fn scan<'a>(&'a self, store: &'a dyn Store, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(async move {
            let mut request = request.clone();
            let before = self.closes.count().checked_sub(1);
            let old = |after: &Position| {
                before
                    .is_some_and(|before| self.given.lock().is_ok_and(|given| given.contains(&(before, after.clone()))))
            };
            if request.after.as_ref().is_some_and(old) {
                let mut one = request.clone();
                one.limit.rows = 1;
                request.after = store.scan(&one).finish().await?.next.or(request.after);
            }
            let page = store.scan(&request).finish().await?;
            if let (Some(next), Ok(mut given)) = (&page.next, self.given.lock()) {
                given.insert((self.closes.count(), next.clone()));
            }
            Ok(page)
        })
    }

    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        self.closes.close(store).await
    }
}

/// Keeps the first revision given.
#[derive(Default)]
struct RestartedRevisions(Closes, Mutex<Option<Revision>>);

#[async_trait]
impl Fault for RestartedRevisions {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            let marked = batch.marker.is_some();
            let mut committed = store.commit(batch).finish().await?;
            if let (false, Ok(mut first), [revision]) = (marked, self.1.lock(), &mut committed.revisions[..]) {
                match *first {
                    Some(first) if self.0.count() > 0 => *revision = first,
                    _ => *first = first.or(Some(*revision)),
                }
            }
            Ok(committed)
        })
    }

    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        self.0.close(store).await
    }
}

/// Keeps the clock that it was opened with.
#[derive(Default)]
struct NoFloor(Closes, Mutex<Option<Arc<dyn Clock>>>);

#[async_trait]
impl Fault for NoFloor {
    async fn open(&self, backend: &dyn Backend, request: OpenRequest) -> Result<Arc<dyn Store>> {
        if let Ok(mut clock) = self.1.lock() {
            *clock = Some(request.resources.clock.clone());
        }
        backend.open(request).await
    }

    fn now(&self, store: &dyn Store) -> Millis {
        let clock = self.1.lock().ok().and_then(|clock| clock.clone());
        clock.filter(|_| self.0.count() > 0).map_or_else(|| store.now(), |clock| clock.now())
    }

    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        self.0.close(store).await
    }
}

#[derive(Default)]
struct ToTheFront(Closes);

#[async_trait]
impl Fault for ToTheFront {
    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            if let [Mutation::Append { at, cells }] = &mut batch.mutations[..]
                && self.0.count() > 0
                && batch.marker.is_none()
            {
                let range = ScanRange::Subs(at.key.clone(), std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
                let rows = collect(store, ScanRequest { range, ..ScanRequest::all(at.state, at.group) }).await?;
                cells.extend(rows.into_iter().map(|row| Cell { revision: Revision::NONE, ..row.cell }));
                let all = Mutation::DeleteSubs { at: at.clone(), until: None };
                batch.mutations.insert(0, all);
            }
            store.commit(batch).finish().await
        })
    }

    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        self.0.close(store).await
    }
}

/// How many closes there were when it recovered.
#[derive(Default)]
struct LosesRecovered(Closes, Mutex<Option<u64>>);

#[async_trait]
impl Fault for LosesRecovered {
    async fn open(&self, backend: &dyn Backend, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let store = backend.open(request).await?;
        let recovered = self.1.lock().ok().and_then(|recovered| *recovered);
        if recovered.is_some_and(|closes| closes < self.0.count()) {
            let kv = store.states().await?.into_iter().find(|(_, spec)| spec.model == Model::Kv);
            for group in store.groups().iter() {
                let Some((state, _)) = kv else { break };
                let mut rows = store.scan(&ScanRequest::all(state, group)).finish().await?.rows;
                if let (2.., Some(row)) = (rows.len(), rows.pop()) {
                    let at = Address { group, state, key: row.key, sub: row.sub };
                    store.commit(batch_of(vec![Mutation::Delete(at)])).finish().await?;
                    break;
                }
            }
        }
        Ok(store)
    }

    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        store.recover(groups, source).await?;
        if let Ok(mut recovered) = self.1.lock() {
            *recovered = Some(self.0.count());
        }
        Ok(())
    }

    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        self.0.close(store).await
    }
}

/// Keeps the state dropped last, and how many closes there were.
#[derive(Default)]
struct BackAgain(Closes, Mutex<Option<(u64, StateSpec)>>);

#[async_trait]
impl Fault for BackAgain {
    async fn open(&self, backend: &dyn Backend, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let store = backend.open(request).await?;
        let dropped = self.1.lock().ok().and_then(|dropped| dropped.clone());
        if let Some((_, spec)) = dropped.filter(|(closes, _)| *closes < self.0.count()) {
            store.register(&spec).await?;
        }
        Ok(store)
    }

    async fn drop_state(&self, store: &dyn Store, state: StateId) -> Result<()> {
        let spec = super::fault::spec_of(store, state).await?;
        store.drop_state(state).await?;
        if let (Ok(mut dropped), Some(spec)) = (self.1.lock(), spec) {
            *dropped = Some((self.0.count(), spec));
        }
        Ok(())
    }

    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        self.0.close(store).await
    }
}

struct OpensEmpty;

#[async_trait]
impl Fault for OpensEmpty {
    async fn open(&self, backend: &dyn Backend, request: OpenRequest) -> Result<Arc<dyn Store>> {
        match backend.open(request.clone()).await {
            Err(error) if error.kind() == ErrorKind::Conflict && request.unclean == Unclean::Refuse => {
                backend.open(OpenRequest { unclean: Unclean::Discard, ..request }).await.map_err(|_| error)
            }
            opened => opened,
        }
    }
}
