//! Mutants of KV-5, KV-6, LIST and MAP.

use std::{
    collections::HashSet,
    ops::Bound,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    Address, ArchiveSource, Backend, Batch, Clock, Committed, Condition, KeyGroups, KeyShape, Millis, Model, Mutation,
    Op, OpenRequest, Page, Result, Revision, ScanRange, ScanRequest, StateId, StateSpec, Store, collect,
};

use super::{
    Mutant, Visibility,
    fault::{Fault, batch as batch_of, spec_of, with},
};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("a delete does not advance the revision", "KV-5", |b| with(b, LazyDelete::default())),
    Mutant::new("revisions begin again after recover", "KV-5", |b| with(b, RestartedRevisions::default()))
        .seen(Visibility::Reopen),
    Mutant::new("a record is still there at the instant of its expiry", "KV-6", |b| with(b, LateExpiry)),
    Mutant::new("a condition finds an expired record", "KV-6", |b| with(b, FindsExpired::default())),
    Mutant::new("a long append is reversed", "LIST-1", |b| with(b, ReversedAppend)),
    Mutant::new("trimming nothing trims one", "LIST-2", |b| with(b, EagerTrim)),
    Mutant::new("removing a subkey removes one that begins alike", "MAP-1", |b| with(b, WideSubkey)),
    Mutant::new("removing a large map leaves the end of it", "MAP-2", |b| with(b, HalfRemoved)),
    Mutant::new("a page of one key runs on into the next key", "MAP-2", |b| with(b, RunsOn)),
    Mutant::new("keys of any length pass for keys of one length", "MAP-3", |b| with(b, AnyLength)),
];

/// Keeps the last revision given.
#[derive(Default)]
struct LazyDelete(Mutex<Option<Revision>>);

impl Fault for LazyDelete {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            let delete = matches!(batch.mutations[..], [Mutation::Delete(_)]);
            let mut committed = store.commit(batch).finish().await?;
            if let (Ok(mut last), [revision]) = (self.0.lock(), &mut committed.revisions[..]) {
                match *last {
                    Some(before) if delete => *revision = before,
                    _ => *last = Some(*revision),
                }
            }
            Ok(committed)
        })
    }
}

/// Keeps the first revision given, and whether there was a recovery.
#[derive(Default)]
struct RestartedRevisions(Mutex<(Option<Revision>, bool)>);

#[async_trait]
impl Fault for RestartedRevisions {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            let mut committed = store.commit(batch).finish().await?;
            if let (Ok(mut kept), [revision]) = (self.0.lock(), &mut committed.revisions[..]) {
                match *kept {
                    (Some(first), true) => *revision = first,
                    _ => kept.0 = Some(*revision),
                }
            }
            Ok(committed)
        })
    }

    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        store.recover(groups, source).await?;
        if let Ok(mut kept) = self.0.lock() {
            // A store that gave none before has nothing to begin again from.
            kept.1 = kept.0.is_some();
        }
        Ok(())
    }
}

#[derive(Debug)]
struct LateClock(Arc<dyn Clock>);

impl Clock for LateClock {
    fn now(&self) -> Millis {
        Millis(self.0.now().0.saturating_sub(1))
    }
}

struct LateExpiry;

#[async_trait]
impl Fault for LateExpiry {
    async fn open(&self, backend: &dyn Backend, mut request: OpenRequest) -> Result<Arc<dyn Store>> {
        let clock = Arc::new(LateClock(request.resources.clock.clone()));
        request.resources = request.resources.with_clock(clock);
        backend.open(request).await
    }
}

/// Keeps the places of records that were put with an expiry.
#[derive(Default)]
struct FindsExpired(Mutex<HashSet<Address>>);

impl Fault for FindsExpired {
    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        if let Ok(mut kept) = self.0.lock() {
            batch.conditions.retain(|(at, condition)| *condition != Condition::Present || !kept.contains(at));
            for mutation in &batch.mutations {
                match mutation {
                    Mutation::Put(at, cell) if cell.expires_at.is_some() => kept.insert(at.clone()),
                    other => kept.remove(other.at()),
                };
            }
        }
        store.commit(batch)
    }
}

struct ReversedAppend;

impl Fault for ReversedAppend {
    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        for mutation in &mut batch.mutations {
            match mutation {
                Mutation::Append { cells, .. } if cells.len() > 500 => cells.reverse(),
                _ => {}
            }
        }
        store.commit(batch)
    }
}

struct EagerTrim;

impl Fault for EagerTrim {
    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        for mutation in &mut batch.mutations {
            if let Mutation::TrimFront { count, .. } = mutation {
                *count = (*count).max(1);
            }
        }
        store.commit(batch)
    }
}

struct WideSubkey;

impl Fault for WideSubkey {
    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        if let [Mutation::Delete(at)] = &batch.mutations[..] {
            // Eight bytes are an ordinal of a list.
            if !at.sub.is_empty() && at.sub.len() != 8 {
                let alike = Bytes::from([&at.sub[..], b"\0"].concat());
                let also = Mutation::Delete(Address { sub: alike, ..at.clone() });
                batch.mutations.push(also);
            }
        }
        store.commit(batch)
    }
}

struct HalfRemoved;

impl Fault for HalfRemoved {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            let [Mutation::DeleteSubs { at, until: None }] = &batch.mutations[..] else {
                return store.commit(batch).finish().await;
            };
            let at = at.clone();
            let range = ScanRange::Subs(at.key.clone(), Bound::Unbounded, Bound::Unbounded);
            let rows = collect(store, ScanRequest { range, ..ScanRequest::all(at.state, at.group) }).await?;
            let committed = store.commit(batch).finish().await?;
            let left = rows.into_iter().skip(500);
            let again: Vec<Mutation> =
                left.map(|row| Mutation::Put(Address { sub: row.sub, ..at.clone() }, row.cell)).collect();
            if !again.is_empty() {
                store.commit(batch_of(again)).finish().await?;
            }
            Ok(committed)
        })
    }
}

struct RunsOn;

impl Fault for RunsOn {
    fn scan<'a>(&'a self, store: &'a dyn Store, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(async move {
            let mut page = store.scan(request).finish().await?;
            if spec_of(store, request.state).await?.is_none_or(|spec| spec.model != Model::Map) {
                return Ok(page);
            }
            let room = request.limit.rows.saturating_sub(page.rows.len());
            if let (ScanRange::Subs(key, Bound::Unbounded, Bound::Unbounded), None, 33.., true) =
                (&request.range, &page.next, page.rows.len(), room > 0)
            {
                let range = ScanRange::Keys(Bound::Excluded(key.clone()), Bound::Unbounded);
                let mut next = ScanRequest { range, after: None, ..request.clone() };
                next.limit.rows = 1;
                page.rows.extend(store.scan(&next).finish().await?.rows);
            }
            Ok(page)
        })
    }
}

struct AnyLength;

#[async_trait]
impl Fault for AnyLength {
    async fn register(&self, store: &dyn Store, spec: &StateSpec) -> Result<StateId> {
        let shape = if spec.key_shape == KeyShape::Fixed(2) { KeyShape::Variable } else { spec.key_shape };
        store.register(&StateSpec { key_shape: shape, ..spec.clone() }).await
    }
}
