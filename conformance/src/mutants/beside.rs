//! Mutants that behave while they are alone: two calls at once show them.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use statehold_core::{
    Address, Batch, Cell, Committed, Compacted, Model, Mutation, Op, Page, PageLimit, Result, ScanRange, ScanRequest,
    Store, collect,
};

use super::{
    Mutant, Visibility,
    fault::{Fault, batch as batch_of, pause, spec_of, with},
};

const fn mutant(name: &'static str, breaks: &'static str, wrap: super::Wrap) -> Mutant {
    Mutant::new(name, breaks, wrap).seen(Visibility::Beside)
}

pub(super) const MUTANTS: &[Mutant] = &[
    mutant("while somebody commits, a read answers what it answered before", "KV-1", |b| with(b, Stale::default()))
        .and(&[
            ("BATCH-3", "its histories read too"),
            ("OWN-2", "its histories read too"),
            ("LIFE-9", "it writes beside others, and reads what it wrote"),
        ]),
    mutant("get_many reads its records one by one", "KV-3", |b| with(b, OneByOne)),
    mutant("a page is read in two halves", "KV-4", |b| with(b, TwoHalves)),
    mutant("of two appends at once one is lost", "LIST-1", |b| with(b, LostAppend)),
    mutant("two that send one commit at once both apply it", "BATCH-4", |b| with(b, AppliedTwice)),
    mutant("compact writes back what it read", "LIFE-9", |b| with(b, WritesBack)),
];

/// Counts commits under way, and keeps what was read last.
#[derive(Default)]
struct Stale {
    commits: AtomicUsize,
    read: Mutex<HashMap<Address, Option<Cell>>>,
}

struct Under<'a>(&'a AtomicUsize);

impl<'a> Under<'a> {
    fn way(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Under<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Fault for Stale {
    fn get<'a>(&'a self, store: &'a dyn Store, at: &'a Address) -> Op<'a, Option<Cell>> {
        Op::boxed(async move {
            if self.commits.load(Ordering::SeqCst) > 0
                && let Some(cell) = self.read.lock().ok().and_then(|read| read.get(at).cloned())
            {
                return Ok(cell);
            }
            let cell = store.get(at).finish().await?;
            if let Ok(mut read) = self.read.lock() {
                read.insert(at.clone(), cell.clone());
            }
            Ok(cell)
        })
    }

    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            let _under = Under::way(&self.commits);
            // Every commit passes here: a pause of the timer's would take its time.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            store.commit(batch).finish().await
        })
    }
}

struct OneByOne;

impl Fault for OneByOne {
    fn get_many<'a>(&'a self, store: &'a dyn Store, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        // As many as the case of the clause reads: every other case reads at once.
        if at.len() != 5 {
            return store.get_many(at);
        }
        Op::boxed(async move {
            let mut cells = Vec::with_capacity(at.len());
            for one in at {
                cells.push(store.get(one).finish().await?);
                pause().await;
            }
            Ok(cells)
        })
    }
}

struct TwoHalves;

impl Fault for TwoHalves {
    fn scan<'a>(&'a self, store: &'a dyn Store, request: &'a ScanRequest) -> Op<'a, Page> {
        Op::boxed(async move {
            let mut half = request.clone();
            half.limit.rows = 20;
            let narrow = request.limit.bytes < PageLimit::default().bytes || request.limit.rows < half.limit.rows;
            if narrow || request.range != ScanRange::All {
                return store.scan(request).finish().await;
            }
            let mut page = store.scan(&half).finish().await?;
            if let Some(next) = page.next.take() {
                pause().await;
                let mut rest = ScanRequest { after: Some(next), ..request.clone() };
                rest.limit.rows -= page.rows.len();
                let rest = store.scan(&rest).finish().await?;
                page.rows.extend(rest.rows);
                page.next = rest.next;
            }
            Ok(page)
        })
    }
}

struct LostAppend;

impl Fault for LostAppend {
    fn commit<'a>(&'a self, store: &'a dyn Store, mut batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            if let [Mutation::Append { at, cells }] = &mut batch.mutations[..]
                && batch.marker.is_none()
                && !spec_of(store, at.state).await?.is_some_and(|spec| spec.ttl)
            {
                let range = ScanRange::Subs(at.key.clone(), std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
                let rows = collect(store, ScanRequest { range, ..ScanRequest::all(at.state, at.group) }).await?;
                pause().await;
                cells.splice(0..0, rows.into_iter().map(|row| Cell::new(row.cell.value)));
                let all = Mutation::DeleteSubs { at: at.clone(), until: None };
                batch.mutations.insert(0, all);
            }
            store.commit(batch).finish().await
        })
    }
}

struct AppliedTwice;

impl Fault for AppliedTwice {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        Op::boxed(async move {
            let append = matches!(batch.mutations[..], [Mutation::Append { .. }]) && batch.conditions.is_empty();
            let Some(marker) = batch.marker.clone().filter(|marker| append && marker.position.is_none()) else {
                return store.commit(batch).finish().await;
            };
            let last = store.last_marker(marker.writer).await?.map_or(0, |(sequence, _)| sequence);
            if last >= marker.sequence {
                return store.commit(batch).finish().await;
            }
            pause().await;
            let committed = store.commit(Batch { marker: None, ..batch }).finish().await?;
            store.commit(Batch { marker: Some(marker), ..Batch::default() }).finish().await?;
            Ok(committed)
        })
    }
}

struct WritesBack;

#[async_trait]
impl Fault for WritesBack {
    async fn compact(&self, store: &dyn Store) -> Result<Compacted> {
        let mut back = Vec::new();
        for (state, spec) in store.states().await? {
            if spec.model != Model::Kv || spec.revisions {
                continue;
            }
            for group in store.groups().iter() {
                let rows = collect(store, ScanRequest::all(state, group)).await?;
                let put = |row: statehold_core::Row| {
                    Mutation::Put(Address { group, state, key: row.key, sub: row.sub }, row.cell)
                };
                back.extend(rows.into_iter().map(put));
            }
        }
        let compacted = store.compact().await?;
        pause().await;
        if !back.is_empty() {
            store.commit(batch_of(back)).finish().await?;
        }
        Ok(compacted)
    }
}
