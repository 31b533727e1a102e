//! Mutants of NAME.

use std::sync::Arc;

use async_trait::async_trait;
use statehold_core::{
    Address, Backend, Cell, ErrorKind, KeyGroups, Limits, Name, Op, OpenRequest, Result, StateId, StateSpec, Store,
};

use super::{
    Mutant,
    fault::{Fault, with},
};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("reads fall through to states whose name begins alike", "NAME-1", |b| with(b, PrefixLeak)),
    Mutant::new("namespaces are told apart by their first six letters", "NAME-1", |b| with(b, ShortNamespace)),
    Mutant::new("a subkey one byte over the limit is accepted", "NAME-2", |b| with(b, LaxLimit)),
    Mutant::new("another number of key groups is taken for the right one", "NAME-3", |b| with(b, AnyGroups)),
    Mutant::new("another schema fingerprint is taken for the right one", "NAME-4", |b| with(b, AnySchema)),
];

struct PrefixLeak;

impl Fault for PrefixLeak {
    fn get<'a>(&'a self, store: &'a dyn Store, at: &'a Address) -> Op<'a, Option<Cell>> {
        Op::boxed(async move {
            if let Some(cell) = store.get(at).finish().await? {
                return Ok(Some(cell));
            }
            let states = store.states().await?;
            let Some((_, own)) = states.iter().find(|(id, _)| *id == at.state) else { return Ok(None) };
            let alike = |spec: &StateSpec| spec.name.starts_with(&own.name) && spec.model == own.model;
            for (id, _) in states.iter().filter(|(id, spec)| *id != at.state && alike(spec)) {
                let found = store.get(&Address { state: *id, ..at.clone() }).finish().await?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        })
    }
}

struct ShortNamespace;

#[async_trait]
impl Fault for ShortNamespace {
    async fn open(&self, backend: &dyn Backend, mut request: OpenRequest) -> Result<Arc<dyn Store>> {
        let name = request.namespace.as_str();
        request.namespace = Name::new(&name[..name.len().min(6)])?;
        backend.open(request).await
    }
}

struct LaxLimit;

#[async_trait]
impl Fault for LaxLimit {
    async fn open(&self, backend: &dyn Backend, mut request: OpenRequest) -> Result<Arc<dyn Store>> {
        if request.limits.sub == Limits::default().sub {
            request.limits.sub += 1;
        }
        backend.open(request).await
    }
}

struct AnyGroups;

#[async_trait]
impl Fault for AnyGroups {
    async fn open(&self, backend: &dyn Backend, mut request: OpenRequest) -> Result<Arc<dyn Store>> {
        let usual = crate::context::GROUPS;
        if request.groups.total() != usual && request.groups.total() > 1 {
            request.groups = KeyGroups::all(usual)?;
        }
        backend.open(request).await
    }
}

struct AnySchema;

#[async_trait]
impl Fault for AnySchema {
    async fn register(&self, store: &dyn Store, spec: &StateSpec) -> Result<StateId> {
        match store.register(spec).await {
            Err(error) if error.kind() == ErrorKind::Conflict && spec.schema_version == 0 => {
                let states = store.states().await?;
                let same = |other: &StateSpec| StateSpec { fingerprint: spec.fingerprint, ..other.clone() } == *spec;
                states.into_iter().find(|(_, other)| same(other)).map_or(Err(error), |(id, _)| Ok(id))
            }
            answer => answer,
        }
    }
}
