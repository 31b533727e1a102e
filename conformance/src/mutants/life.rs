//! Mutants of LIFE.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use statehold_core::{
    Address, ArchiveSink, ArchiveSource, ArchiveStep, Batch, Cell, Committed, Compacted, Durability, Error, ErrorKind,
    KeyGroups, Millis, Model, Mutation, Op, Page, Reads, Result, ScanRequest, Snapshot, StateId, StateSpec, Store,
    collect, portable,
};

use super::{
    Mutant, Visibility,
    fault::{Fault, batch as batch_of, with},
};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("close loses the last write of a long session", "LIFE-1", |b| with(b, LostAtClose::default()))
        .seen(Visibility::Reopen),
    Mutant::new("finish tells a higher level than it reached", "LIFE-1", |b| with(b, Boasting)),
    Mutant::new("an archive holds writes that came after its cut", "LIFE-2", |b| with(b, LateArchive))
        .seen(Visibility::Beside),
    Mutant::new("one state of a cut is of another instant", "LIFE-2a", |b| with(b, SkewedCut)).seen(Visibility::Beside),
    Mutant::new("recover keeps states that came after the archive", "LIFE-5", |b| with(b, KeepsLaterStates)),
    Mutant::new("recover of some groups empties the others", "LIFE-5", |b| with(b, EmptiesOthers)),
    Mutant::new("a damaged archive makes recover panic", "LIFE-5", |b| with(b, Panics)),
    Mutant::new("recover skips rows without bytes", "LIFE-7", |b| with(b, SkipsEmptyRows)),
    Mutant::new("compact brings a deleted record back", "LIFE-9", |b| with(b, Resurrecting::default())),
    Mutant::new("drop removes a state whose name begins alike", "LIFE-10", |b| with(b, WideDrop)),
    Mutant::new("a second close fails", "LIFE-10", |b| with(b, SecondCloseFails)),
    Mutant::new("the seventh close keeps the lock", "LIFE-10", |b| with(b, LeakyClose::default()))
        .seen(Visibility::Reopen),
];

/// Counts commits since the last close, and keeps the last record put.
#[derive(Default)]
struct LostAtClose(Mutex<(u64, Option<Address>)>);

#[async_trait]
impl Fault for LostAtClose {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        if let Ok(mut kept) = self.0.lock() {
            kept.0 += 1;
            if let [Mutation::Put(at, _)] = &batch.mutations[..] {
                kept.1 = Some(at.clone());
            }
        }
        store.commit(batch)
    }

    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        let kept = self.0.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default();
        if let (64.., Some(at)) = kept {
            // The state may be gone by now; then nothing is lost.
            drop(store.commit(batch_of(vec![Mutation::Delete(at)])).finish().await);
        }
        store.close().await
    }
}

struct Boasting;

#[async_trait]
impl Fault for Boasting {
    async fn finish(&self, store: &dyn Store) -> Result<Durability> {
        store.finish().await?;
        Ok(Durability::Power)
    }
}

/// A cut of which some states are read from the live store.
struct Mixed {
    cut: Box<dyn Snapshot>,
    live: Arc<dyn Store>,
    from_live: Vec<StateId>,
}

impl Mixed {
    fn of(&self, state: StateId) -> &dyn Reads {
        if self.from_live.contains(&state) { &*self.live } else { &*self.cut }
    }
}

impl Reads for Mixed {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        self.of(at.state).get(at)
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        self.cut.get_many(at)
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(async move {
            if self.from_live.contains(&request.state) {
                super::fault::pause().await;
            }
            self.of(request.state).scan(request).finish().await
        })
    }
}

#[async_trait]
impl Snapshot for Mixed {
    fn now(&self) -> Millis {
        self.cut.now()
    }

    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        self.cut.states().await
    }

    fn incarnation(&self) -> u32 {
        self.cut.incarnation()
    }
}

struct LateArchive;

#[async_trait]
impl Fault for LateArchive {
    async fn archive(&self, store: &Arc<dyn Store>, groups: KeyGroups, sink: &mut dyn ArchiveSink) -> Result<()> {
        let cut = store.snapshot().await?;
        let states = cut.states().await?;
        let from_live = states.into_iter().filter(|(_, spec)| spec.model == Model::Kv).map(|(id, _)| id).collect();
        portable::archive(&Mixed { cut, live: store.clone(), from_live }, groups, sink).await
    }
}

struct SkewedCut;

#[async_trait]
impl Fault for SkewedCut {
    async fn snapshot(&self, store: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        let cut = store.snapshot().await?;
        let states = cut.states().await?;
        let kv = states.len() == 3 && states.iter().all(|(_, spec)| spec.model == Model::Kv);
        let from_live = states.iter().skip(2).filter(|_| kv).map(|(id, _)| *id).collect();
        Ok(Box::new(Mixed { cut, live: store.clone(), from_live }))
    }
}

struct KeepsLaterStates;

#[async_trait]
impl Fault for KeepsLaterStates {
    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        let mut before = Vec::new();
        for (id, spec) in store.states().await?.into_iter().filter(|(_, spec)| spec.name == "later") {
            for group in store.groups().iter() {
                before.push((spec.clone(), group, collect(store, ScanRequest::all(id, group)).await?));
            }
        }
        store.recover(groups, source).await?;
        for (spec, group, rows) in before {
            let state = store.register(&spec).await?;
            for row in rows {
                let at = Address { group, state, key: row.key, sub: row.sub };
                store.commit(batch_of(vec![Mutation::Put(at, row.cell)])).finish().await?;
            }
        }
        Ok(())
    }
}

struct EmptiesOthers;

#[async_trait]
impl Fault for EmptiesOthers {
    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        store.recover(groups, source).await?;
        for (state, _) in store.states().await? {
            for group in store.groups().iter().filter(|group| !groups.contains(*group)) {
                let rows = collect(store, ScanRequest::all(state, group)).await?;
                let mut all: Vec<Mutation> = rows
                    .into_iter()
                    .map(|row| Mutation::DeleteSubs {
                        at: Address { group, state, key: row.key, sub: bytes::Bytes::new() },
                        until: None,
                    })
                    .collect();
                all.dedup();
                if !all.is_empty() {
                    store.commit(batch_of(all)).finish().await?;
                }
            }
        }
        Ok(())
    }
}

struct Panics;

#[async_trait]
impl Fault for Panics {
    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        let recovered = store.recover(groups, source).await;
        assert!(!matches!(&recovered, Err(error) if error.kind() == ErrorKind::Corrupt), "what a mess");
        recovered
    }
}

struct SkipsEmptyRows;

/// A source without the rows that have no bytes, of states that are no lists.
struct Skipping<'a> {
    inner: &'a mut dyn ArchiveSource,
    lists: Vec<u32>,
}

#[async_trait]
impl ArchiveSource for Skipping<'_> {
    async fn next(&mut self) -> Result<Option<ArchiveStep>> {
        let mut step = self.inner.next().await?;
        match &mut step {
            Some(ArchiveStep::State(index, spec)) if spec.model == Model::List => self.lists.push(*index),
            Some(ArchiveStep::Rows(index, _, rows)) if !self.lists.contains(index) => {
                rows.retain(|row| !row.cell.value.is_empty());
            }
            _ => {}
        }
        Ok(step)
    }
}

#[async_trait]
impl Fault for SkipsEmptyRows {
    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        store.recover(groups, &mut Skipping { inner: source, lists: Vec::new() }).await
    }
}

/// Keeps the last record that was deleted.
#[derive(Default)]
struct Resurrecting(Mutex<Option<(Address, Cell)>>);

#[async_trait]
impl Fault for Resurrecting {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            if let [Mutation::Delete(at)] = &batch.mutations[..]
                && let (Some(cell), Ok(mut kept)) = (store.get(at).finish().await?, self.0.lock())
            {
                *kept = Some((at.clone(), cell));
            }
            store.commit(batch).finish().await
        })
    }

    async fn compact(&self, store: &dyn Store) -> Result<Compacted> {
        let compacted = store.compact().await?;
        let kept = self.0.lock().ok().and_then(|mut kept| kept.take());
        if let Some((at, cell)) = kept {
            store.commit(batch_of(vec![Mutation::Put(at, cell)])).finish().await?;
        }
        Ok(compacted)
    }
}

struct WideDrop;

#[async_trait]
impl Fault for WideDrop {
    async fn drop_state(&self, store: &dyn Store, state: StateId) -> Result<()> {
        let states = store.states().await?;
        store.drop_state(state).await?;
        let name = states.iter().find(|(id, _)| *id == state).map(|(_, spec)| spec.name.clone()).unwrap_or_default();
        let alike = states.iter().find(|(id, spec)| *id != state && spec.name.starts_with(&name));
        match alike {
            Some((id, _)) => store.drop_state(*id).await,
            None => Ok(()),
        }
    }
}

struct SecondCloseFails;

#[async_trait]
impl Fault for SecondCloseFails {
    async fn close(&self, store: &dyn Store, again: bool) -> Result<()> {
        if again {
            return Err(Error::new(ErrorKind::Unavailable, "the store is closed already"));
        }
        store.close().await
    }
}

/// Counts closes.
#[derive(Default)]
struct LeakyClose(AtomicU64);

#[async_trait]
impl Fault for LeakyClose {
    async fn close(&self, store: &dyn Store, _again: bool) -> Result<()> {
        if self.0.fetch_add(1, Ordering::SeqCst) + 1 == 7 {
            return Ok(());
        }
        store.close().await
    }
}
