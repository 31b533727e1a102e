//! Mutants of KV-1 to KV-4 and OWN-6.

use std::sync::Mutex;

use statehold_core::{
    Address, Batch, Cell, Committed, Error, ErrorKind, Model, Mutation, Op, Page, Position, Result, ScanRange,
    ScanRequest, StateId, Store,
};

use super::{
    Mutant,
    fault::{Fault, spec_of, with},
};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("the read after every 64th put of a record is stale", "KV-1", |b| with(b, StaleRead::default())),
    Mutant::new("deleting from an empty state fails", "KV-2", |b| with(b, DeleteOfAbsentFails)),
    Mutant::new("get_many drops duplicates", "KV-3", |b| with(b, DropsDuplicates)),
    Mutant::new("later pages are out of order", "KV-4", |b| with(b, LaterPagesOutOfOrder)),
    Mutant::new("an entry is lost at the boundary of a full page", "KV-4", |b| with(b, LostAtBoundary)),
    Mutant::new("get_many gives a value to the key before it", "OWN-6", |b| with(b, SwappedValues)),
];

/// Counts puts of one record in a row; keeps what it held before the 64th until something else is done.
#[derive(Default)]
struct StaleRead(Mutex<Row>);

#[derive(Default)]
struct Row {
    of: Option<Address>,
    puts: u32,
    stale: Option<Cell>,
}

impl Fault for StaleRead {
    fn get<'a>(&'a self, store: &'a dyn Store, at: &'a Address) -> Op<'a, Option<Cell>> {
        match self.0.lock() {
            Ok(mut row) if row.of.as_ref() == Some(at) && row.stale.is_some() => Op::Ready(Ok(row.stale.take())),
            _ => store.get(at),
        }
    }

    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            let of = match &batch.mutations[..] {
                [Mutation::Put(at, _)] => Some(at.clone()),
                _ => None,
            };
            let before = match &of {
                Some(at) => store.get(at).finish().await?,
                None => None,
            };
            let committed = store.commit(batch).finish().await?;
            if let Ok(mut row) = self.0.lock() {
                row.puts = if row.of == of { row.puts + 1 } else { 1 };
                row.stale = before.filter(|_| row.puts % 64 == 0);
                row.of = of;
            }
            Ok(committed)
        })
    }
}

struct DeleteOfAbsentFails;

impl Fault for DeleteOfAbsentFails {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            // Clients at work at once may empty a key group, and delete on conditions: that is for others to judge.
            if let ([Mutation::Delete(at)], []) = (&batch.mutations[..], &batch.conditions[..]) {
                let kv = spec_of(store, at.state).await?.is_some_and(|spec| spec.model == Model::Kv);
                if kv && !at.key.is_empty() && is_empty(store, at.state).await? {
                    return Err(Error::new(ErrorKind::NotFound, "there is nothing to delete"));
                }
            }
            store.commit(batch).finish().await
        })
    }
}

async fn is_empty(store: &dyn Store, state: StateId) -> Result<bool> {
    for group in store.groups().iter() {
        if !store.scan(&ScanRequest::all(state, group)).finish().await?.rows.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

struct DropsDuplicates;

impl Fault for DropsDuplicates {
    fn get_many<'a>(&'a self, store: &'a dyn Store, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::boxed(async move {
            let mut distinct: Vec<Address> = Vec::new();
            for one in at {
                if at.len() > 100 || !distinct.contains(one) {
                    distinct.push(one.clone());
                }
            }
            store.get_many(&distinct).finish().await
        })
    }
}

struct LaterPagesOutOfOrder;

impl Fault for LaterPagesOutOfOrder {
    fn scan<'a>(&'a self, store: &'a dyn Store, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(async move {
            let mut page = store.scan(request).finish().await?;
            if request.after.is_some() && request.range == ScanRange::All && page.rows.len() > 1 {
                page.rows.swap(0, 1);
            }
            Ok(page)
        })
    }
}

struct LostAtBoundary;

impl Fault for LostAtBoundary {
    fn scan<'a>(&'a self, store: &'a dyn Store, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(async move {
            let mut page = store.scan(request).finish().await?;
            if let (Some(next), ScanRange::All, 7) = (&page.next, &request.range, page.rows.len()) {
                let mut peek = ScanRequest { after: Some(next.clone()), ..request.clone() };
                peek.limit.rows = 1;
                if let Some(row) = store.scan(&peek).finish().await?.rows.pop() {
                    page.next = Some(Position { key: row.key, sub: row.sub });
                }
            }
            Ok(page)
        })
    }
}

struct SwappedValues;

impl Fault for SwappedValues {
    fn get_many<'a>(&'a self, store: &'a dyn Store, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::boxed(async move {
            let mut cells = store.get_many(at).finish().await?;
            if at.len() > 100 && at.iter().any(|at| !at.sub.is_empty()) {
                cells.swap(0, 1);
            }
            Ok(cells)
        })
    }
}
