//! Mutants of OWN and CAP.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use statehold_core::{
    ArchiveSource, Backend, Batch, Capabilities, Committed, Error, ErrorKind, KeyGroups, Mutation, Op, OpenRequest,
    OptionReader, Result, StateId, StateSpec, Store,
};

use super::{
    Mutant, Visibility,
    fault::{Fault, with},
};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("a second owner is let in", "OWN-1", |b| with(b, SecondOwner::default())),
    Mutant::new("older handles go on after a recover", "LIFE-5", |b| with(b, Zombie::default()))
        .seen(Visibility::Reopen),
    Mutant::new("an error does not say what to do", "OWN-3", |b| with(b, NoAdvice)),
    Mutant::new("an error shows the text of an option", "OWN-4", |b| with(b, Talkative)),
    Mutant::new("what is not declared is answered all the same", "CAP-1", |b| with(b, UndeclaredTtl)),
    Mutant::new("revisions are declared and not given", "CAP-1", |b| with(b, NoRevisions)).and(&[
        ("KV-5", "the clause is about the revisions that are not there"),
        ("BATCH-2", "a condition on a revision has nothing to compare"),
        ("BATCH-3", "increments by revision need them"),
        ("BATCH-4", "the answer that is given again holds revisions"),
        ("LIFE-7", "rows are recovered with their revisions"),
        ("NAME-4", "a spec with revisions no longer differs from one without"),
    ]),
];

/// Keeps the store opened last.
#[derive(Default)]
struct SecondOwner(Mutex<Option<Weak<dyn Store>>>);

#[async_trait]
impl Fault for SecondOwner {
    async fn open(&self, backend: &dyn Backend, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let opened = backend.open(request).await;
        let mut kept = self.0.lock().map_err(|_| Error::internal("a thread panicked"))?;
        match opened {
            Err(error) if error.kind() == ErrorKind::Conflict => kept.as_ref().and_then(Weak::upgrade).ok_or(error),
            Ok(store) => {
                *kept = Some(Arc::downgrade(&store));
                Ok(store)
            }
            other => other,
        }
    }
}

/// Keeps which state each number was, and whether there was a recovery.
#[derive(Default)]
struct Zombie(Mutex<HashMap<StateId, StateSpec>>, AtomicBool);

impl Zombie {
    /// What the state of that number is called now.
    async fn now(&self, store: &dyn Store, old: StateId) -> Result<StateId> {
        let spec = self.0.lock().ok().and_then(|kept| kept.get(&old).cloned());
        let states = store.states().await?;
        let found = states.into_iter().find(|(_, now)| spec.as_ref() == Some(now)).map(|(id, _)| id);
        found.ok_or_else(|| Error::new(ErrorKind::Fenced, "the state is gone"))
    }
}

#[async_trait]
impl Fault for Zombie {
    async fn register(&self, store: &dyn Store, spec: &StateSpec) -> Result<StateId> {
        let id = store.register(spec).await?;
        if let Ok(mut kept) = self.0.lock() {
            kept.insert(id, spec.clone());
        }
        Ok(id)
    }

    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            match (store.commit(batch.clone()).finish().await, &mut batch.mutations[..]) {
                (Err(error), [Mutation::Put(at, _)])
                    if error.kind() == ErrorKind::Fenced && self.1.load(Ordering::SeqCst) =>
                {
                    at.state = self.now(store, at.state).await.map_err(|_| error)?;
                    store.commit(batch).finish().await
                }
                (answer, _) => answer,
            }
        })
    }

    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        store.recover(groups, source).await?;
        self.1.store(true, Ordering::SeqCst);
        Ok(())
    }
}

struct NoAdvice;

#[async_trait]
impl Fault for NoAdvice {
    async fn drop_state(&self, store: &dyn Store, state: StateId) -> Result<()> {
        store.drop_state(state).await.map_err(|error| Error::new(error.kind(), error.message()))
    }
}

struct Talkative;

#[async_trait]
impl Fault for Talkative {
    async fn open(&self, backend: &dyn Backend, request: OpenRequest) -> Result<Arc<dyn Store>> {
        let options = request.options.clone();
        backend.open(request).await.map_err(|error| {
            match OptionReader::new(backend.kind(), &options).text("no_such_option") {
                Ok(Some(text)) => error.advise(format!("`{text}` is of no use here")),
                _ => error,
            }
        })
    }
}

struct UndeclaredTtl;

impl Fault for UndeclaredTtl {
    fn declare(&self, honest: Capabilities) -> Capabilities {
        Capabilities { ttl: false, ..honest }
    }
}

struct NoRevisions;

#[async_trait]
impl Fault for NoRevisions {
    async fn register(&self, store: &dyn Store, spec: &StateSpec) -> Result<StateId> {
        store.register(&StateSpec { revisions: false, ..spec.clone() }).await
    }
}
