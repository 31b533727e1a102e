//! Mutants of OWN and CAP.

use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use statehold_core::{
    Backend, Capabilities, Error, ErrorKind, OpenRequest, OptionReader, Result, StateId, StateSpec, Store,
};

use super::{
    Mutant,
    fault::{Fault, with},
};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("a second owner is let in", "OWN-1", |b| with(b, SecondOwner::default())),
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
