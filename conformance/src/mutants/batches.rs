//! Mutants of BATCH and of cancellation.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    Backend, Batch, Committed, Condition, ConditionsFailed, ErrorKind, Mutation, Op, OpenRequest, Result, Store,
    WriterId,
};

use super::{
    Mutant, Visibility,
    fault::{Fault, batch as batch_of, pause, with},
};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("a batch that is refused leaves its beginning", "BATCH-1", |b| with(b, Torn)),
    Mutant::new("readers see half a batch", "BATCH-1", |b| with(b, TwoSteps)).seen(Visibility::Beside),
    Mutant::new("the third condition and all behind it are ignored", "BATCH-2", |b| with(b, IgnoredCondition)).and(&[
        ("BATCH-3", "its histories tell each refusal from the others"),
        ("OWN-2", "its histories tell each refusal from the others"),
    ]),
    Mutant::new("the error names one failing condition alone", "BATCH-2", |b| with(b, NamesOne)).and(&[
        ("BATCH-3", "its histories tell each refusal from the others"),
        ("OWN-2", "its histories tell each refusal from the others"),
    ]),
    Mutant::new("others may write between condition and commit", "BATCH-3", |b| with(b, CheckThenAct))
        .seen(Visibility::Beside)
        .and(&[("OWN-2", "its histories are conditional too")]),
    Mutant::new("markers are forgotten by reopen", "BATCH-4", |b| with(b, ForgetfulMarkers::default()))
        .seen(Visibility::Reopen),
    Mutant::new("an older marker is accepted", "BATCH-4", |b| with(b, OlderAccepted)),
    Mutant::new("the position in the marker is lost", "BATCH-5", |b| with(b, LostPosition)),
    Mutant::new("a large commit that is dropped stays half done", "OWN-2", |b| with(b, HalfDropped))
        .seen(Visibility::Beside),
];

/// Commits one by one.
async fn one_by_one(store: &dyn Store, mutations: Vec<Mutation>) -> Result<Committed> {
    for mutation in mutations {
        store.commit(batch_of(vec![mutation])).finish().await?;
        pause().await;
    }
    Ok(Committed::default())
}

struct Torn;

impl Fault for Torn {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        let appends = batch.mutations.iter().any(|m| matches!(m, Mutation::Append { .. }));
        let puts = batch.mutations.iter().any(|m| matches!(m, Mutation::Put(..)));
        if appends && puts && batch.marker.is_none() && batch.conditions.is_empty() {
            return Op::boxed(one_by_one(store, batch.mutations));
        }
        store.commit(batch)
    }
}

struct TwoSteps;

impl Fault for TwoSteps {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        // Eight and sixteen records: what the cases write beside a reader.
        if [8, 16].contains(&batch.mutations.len()) && batch.check_folded().is_ok() {
            return Op::boxed(one_by_one(store, batch.mutations));
        }
        store.commit(batch)
    }
}

struct IgnoredCondition;

impl Fault for IgnoredCondition {
    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        batch.conditions.truncate(2);
        store.commit(batch)
    }
}

struct NamesOne;

impl Fault for NamesOne {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            let answer = store.commit(batch).finish().await;
            let failed = |error: &statehold_core::Error| {
                let cause = error.source().and_then(|source| source.downcast_ref::<ConditionsFailed>());
                cause.and_then(|cause| cause.failed.first().copied())
            };
            answer.map_err(|error| match failed(&error) {
                Some(first) => ConditionsFailed { failed: vec![first] }.into(),
                None => error,
            })
        })
    }
}

struct CheckThenAct;

impl Fault for CheckThenAct {
    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        let by_revision = batch.conditions.iter().any(|(_, c)| matches!(c, Condition::RevisionIs(_)));
        if batch.marker.is_some() || batch.conditions.is_empty() || by_revision {
            return store.commit(batch);
        }
        Op::boxed(async move {
            let conditions = std::mem::take(&mut batch.conditions);
            let mut failed = Vec::new();
            for (i, (at, condition)) in conditions.iter().enumerate() {
                if !condition.holds(store.get(at).finish().await?.as_ref()) {
                    failed.push(i);
                }
            }
            if !failed.is_empty() {
                return Err(ConditionsFailed { failed }.into());
            }
            pause().await;
            store.commit(batch).finish().await
        })
    }
}

/// Counts openings; each has writers of its own.
#[derive(Default)]
struct ForgetfulMarkers(AtomicU64);

impl ForgetfulMarkers {
    fn salted(writer: WriterId, opening: u64) -> WriterId {
        WriterId(writer.0 ^ (u128::from(opening) << 64))
    }
}

#[async_trait]
impl Fault for ForgetfulMarkers {
    async fn open(&self, backend: &dyn Backend, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let store = backend.open(request).await?;
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(store)
    }

    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        if let Some(marker) = &mut batch.marker {
            marker.writer = Self::salted(marker.writer, self.0.load(Ordering::SeqCst));
        }
        store.commit(batch)
    }

    async fn last_marker(&self, store: &dyn Store, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        for opening in (0..=self.0.load(Ordering::SeqCst)).rev() {
            if let Some(last) = store.last_marker(Self::salted(writer, opening)).await? {
                return Ok(Some(last));
            }
        }
        Ok(None)
    }
}

struct OlderAccepted;

impl Fault for OlderAccepted {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        if batch.marker.is_none() {
            return store.commit(batch);
        }
        Op::boxed(async move {
            match store.commit(batch.clone()).finish().await {
                Err(error) if error.kind() == ErrorKind::Conflict && error.source().is_none() => {
                    store.commit(Batch { marker: None, ..batch }).finish().await
                }
                answer => answer,
            }
        })
    }
}

struct LostPosition;

#[async_trait]
impl Fault for LostPosition {
    async fn last_marker(&self, store: &dyn Store, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        Ok(store.last_marker(writer).await?.map(|(sequence, _)| (sequence, None)))
    }
}

struct HalfDropped;

impl Fault for HalfDropped {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        if batch.size() > 500_000 && batch.mutations.len() == 3 {
            return Op::boxed(one_by_one(store, batch.mutations));
        }
        store.commit(batch)
    }
}
