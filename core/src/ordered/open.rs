//! Opening: what is found is checked, what a crash left is removed.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc};

use super::{
    Engine, EngineBatch, FileEngine, OrderedStore, WriteLevel,
    catalog::{Catalog, State},
    erase,
    inner::{Inner, Parts},
    layout::Table,
    meta::{self, Head, Kind, StoredMarker},
    native::Native,
};
use crate::{
    Capabilities, Durability, Error, ErrorKind, NativeArchive, OpenRequest, Ownership, Result, StateId, Unclean,
    WriterId, step,
};

impl<E: Engine> OrderedStore<E> {
    /// Opens the store that `engine` holds, or makes one in an empty engine. To be called on the
    /// blocking pool. The engine must be this process's own: its backend holds the lock.
    ///
    /// # Errors
    /// - `Unsupported`: what the request asks for is not in `capabilities`; a newer format.
    /// - `InvalidInput`: other key groups than those it was written with, or an engine full of something else.
    /// - `NotFound`: `ReadOnly`, and there is no store.
    /// - `Conflict`: a `Visible` store that was not closed cleanly, under [`Unclean::Refuse`].
    /// - `Corrupt`: a row of its own does not pass its check.
    pub fn open(engine: E, request: &OpenRequest, capabilities: Capabilities) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { inner: opened(engine, request, capabilities)?, native: None }))
    }

    /// As [`OrderedStore::open`], with native archives of the engine's files.
    ///
    /// # Errors
    /// As [`OrderedStore::open`].
    pub fn open_with_files(engine: E, request: &OpenRequest, capabilities: Capabilities) -> Result<Arc<Self>>
    where
        E: FileEngine,
    {
        let inner = opened(engine, request, capabilities)?;
        let native: Box<dyn NativeArchive> = Box::new(Native::new(Arc::clone(&inner)));
        Ok(Arc::new(Self { inner, native: Some(native) }))
    }
}

fn opened<E: Engine>(engine: E, request: &OpenRequest, capabilities: Capabilities) -> Result<Arc<Inner<E>>> {
    request.check(&capabilities)?;
    let parts = find(engine, request).map_err(|e| e.in_store(&request.store).during("open"))?;
    Ok(Arc::new(Inner::new(parts, request, capabilities)))
}

/// What a store's files say of it.
///
/// # Errors
/// `InvalidInput` if they are no store's.
pub(super) fn head<E: Engine>(engine: &E) -> Result<Head> {
    let raw = engine.get(&meta::head_key())?.ok_or_else(foreign)?;
    meta::unseal("the store's head", &raw)
}

fn find<E: Engine>(engine: E, request: &OpenRequest) -> Result<Parts<E>> {
    let read_only = request.ownership == Ownership::ReadOnly;
    let mut head = match engine.get(&meta::head_key())? {
        Some(raw) => meta::unseal::<Head>("the store's head", &raw)?,
        None if read_only => {
            return Err(Error::new(ErrorKind::NotFound, "there is no store to look at")
                .advise("open it with exclusive ownership once, or look elsewhere"));
        }
        None => fresh(&engine, request)?,
    };
    head.check(request.groups)?;
    if read_only {
        return parts(engine, head, false, request);
    }
    let mut suspect = false;
    if !head.clean {
        match request.unclean {
            Unclean::Refuse => return Err(unclean()),
            Unclean::Recover => suspect = true,
            Unclean::Discard => head = discard(&engine, head, request)?,
        }
    }
    let mut batch = engine.batch();
    if head.loading > 0 {
        let kept = Catalog::new(states(&engine)?).tables();
        erase::tables_except(&mut batch, request.groups, Table(head.loading), &kept);
        head.loading = 0;
    }
    head.session = Head::above(head.session, "sessions")?;
    head.clean = !suspect && (E::IN_MEMORY || request.durability != Durability::Visible);
    batch.put(&meta::head_key(), &meta::seal(&head)?);
    engine.write(&mut batch, WriteLevel::Synced)?;
    step("open.written");
    let mut parts = parts(engine, head, suspect, request)?;
    forget_silent_writers(&parts.engine, &mut parts.markers)?;
    Ok(parts)
}

/// So many writers' markers are kept: each open of a store by a manager is a new writer.
const MAX_WRITERS: usize = 1024;

/// Removes the markers of those who have been silent for the most sessions (contract BATCH-4).
fn forget_silent_writers<E: Engine>(engine: &E, markers: &mut HashMap<WriterId, StoredMarker>) -> Result<()> {
    if markers.len() <= MAX_WRITERS {
        return Ok(());
    }
    let mut writers: Vec<(u32, WriterId)> = markers.iter().map(|(writer, m)| (m.session, *writer)).collect();
    writers.sort_unstable();
    let mut batch = engine.batch();
    for (_, writer) in &writers[..writers.len() - MAX_WRITERS] {
        markers.remove(writer);
        batch.delete(&meta::marker_key(*writer));
    }
    engine.write(&mut batch, WriteLevel::Logged)
}

/// The head of a new store; refuses an engine that holds something else.
fn fresh<E: Engine>(engine: &E, request: &OpenRequest) -> Result<Head> {
    let (from, to) = meta::whole();
    let mut empty = true;
    engine.scan(&from, &to, &mut |_, _| {
        empty = false;
        ControlFlow::Break(())
    })?;
    if empty {
        return Ok(Head::new(request.groups));
    }
    Err(foreign())
}

fn foreign() -> Error {
    Error::invalid("there is data here that is no store of statehold").advise("choose an empty place")
}

fn unclean() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the store has durability `visible` and was not closed cleanly: its last writes are lost",
    )
    .about("unclean")
    .advise("recover it from a checkpoint, or open it with `discard` to begin empty")
}

/// Throws the content away; what never goes back is kept.
fn discard<E: Engine>(engine: &E, head: Head, request: &OpenRequest) -> Result<Head> {
    let head = Head {
        incarnation: Head::above(head.incarnation, "incarnations")?,
        floor: head.floor,
        session: head.session,
        next_state: head.next_state,
        ..Head::new(request.groups)
    };
    let (from, to) = meta::whole();
    let mut batch = engine.batch();
    batch.delete_range(&from, &to);
    batch.put(&meta::head_key(), &meta::seal(&head)?);
    engine.write(&mut batch, WriteLevel::Synced)?;
    Ok(head)
}

fn parts<E: Engine>(engine: E, head: Head, suspect: bool, request: &OpenRequest) -> Result<Parts<E>> {
    let catalog = Catalog::new(states(&engine)?);
    let mut sequences = vec![0; request.groups.count()];
    each(&engine, &Kind::SEQUENCES, |key, value| {
        let group = u16::from_be_bytes(meta::number(key)?);
        let slot = group.checked_sub(request.groups.range().start).and_then(|at| sequences.get_mut(usize::from(at)));
        match (slot, value.try_into()) {
            (Some(slot), Ok(bytes)) => *slot = u64::from_be_bytes(bytes),
            _ => return Err(Error::corrupt(format!("the sequence of key group {group} is damaged"))),
        }
        Ok(())
    })?;
    let mut markers = HashMap::new();
    each(&engine, &Kind::MARKERS, |key, value| {
        let writer = WriterId(u128::from_be_bytes(meta::number(key)?));
        markers.insert(writer, meta::unseal_marker(value)?);
        Ok(())
    })?;
    Ok(Parts { engine, head, catalog, sequences, markers, suspect })
}

/// All states in the catalog.
pub(super) fn states<E: Engine>(engine: &E) -> Result<Vec<State>> {
    let mut states = Vec::new();
    each(engine, &Kind::CATALOG, |key, value| {
        let id = StateId(u32::from_be_bytes(meta::number(key)?));
        states.push(meta::unseal_state(id, value)?);
        Ok(())
    })?;
    Ok(states)
}

fn each<E: Engine>(engine: &E, kind: &Kind, mut take: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
    let (from, to) = kind.range();
    let mut outcome = Ok(());
    engine.scan(&from, &to, &mut |key, value| {
        outcome = take(key, value);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}
