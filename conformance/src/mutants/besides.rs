//! Mutants of what recover and compact owe besides rows.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use statehold_core::{
    ArchiveSource, ArchiveStep, Batch, Committed, Compacted, KeyGroups, Marker, Millis, Op, Result, Store, WriterId,
};

use super::{
    Mutant, Visibility,
    fault::{Fault, with},
};

const fn mutant(name: &'static str, breaks: &'static str, wrap: super::Wrap) -> Mutant {
    Mutant::new(name, breaks, wrap).seen(Visibility::Reopen)
}

pub(super) const MUTANTS: &[Mutant] = &[
    mutant("recover goes on below the archive's revisions", "KV-5", |b| with(b, Floors(|now, _| (now, 1)))),
    mutant("recover forgets the time of the cut", "KV-6", |b| with(b, Floors(|_, known| (Millis(1), known)))),
    mutant("recover keeps the markers", "BATCH-4", |b| with(b, KeepsMarkers::default()))
        .and(&[("BATCH-5", "a position is kept with its marker")]),
    Mutant::new("compact raises the floor of time and reclaims nothing", "LIFE-9", |b| with(b, OnlyTheFloor)),
];

/// Tells another floor of time and incarnation than the archive does.
struct Floors(fn(Millis, u32) -> (Millis, u32));

struct Telling<'a>(&'a mut dyn ArchiveSource, &'a Floors);

#[async_trait]
impl ArchiveSource for Telling<'_> {
    async fn next(&mut self) -> Result<Option<ArchiveStep>> {
        Ok(self.0.next().await?.map(|step| match step {
            ArchiveStep::Floor(now, incarnation) => {
                let (now, incarnation) = (self.1.0)(now, incarnation);
                ArchiveStep::Floor(now, incarnation)
            }
            step => step,
        }))
    }
}

#[async_trait]
impl Fault for Floors {
    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        store.recover(groups, &mut Telling(source, self)).await
    }
}

/// The last marker of each writer.
#[derive(Default)]
struct KeepsMarkers(Mutex<HashMap<WriterId, Marker>>);

#[async_trait]
impl Fault for KeepsMarkers {
    fn commit<'a>(&'a self, store: &'a dyn Store, batch: Batch) -> Op<'a, Committed> {
        let marker = batch.marker.clone();
        Op::boxed(async move {
            let committed = store.commit(batch).finish().await?;
            if let (Some(marker), Ok(mut kept)) = (marker, self.0.lock()) {
                kept.insert(marker.writer, marker);
            }
            Ok(committed)
        })
    }

    async fn recover(&self, store: &dyn Store, groups: KeyGroups, source: &mut dyn ArchiveSource) -> Result<()> {
        store.recover(groups, source).await?;
        let kept: Vec<Marker> = self.0.lock().map(|kept| kept.values().cloned().collect()).unwrap_or_default();
        for marker in kept {
            store.commit(Batch { marker: Some(marker), ..Batch::default() }).finish().await?;
        }
        Ok(())
    }
}

struct OnlyTheFloor;

#[async_trait]
impl Fault for OnlyTheFloor {
    async fn compact(&self, store: &dyn Store) -> Result<Compacted> {
        // Refused where a compaction is.
        store.commit(Batch::default()).finish().await?;
        // A cut raises it too.
        drop(store.snapshot().await?);
        Ok(Compacted::default())
    }
}
