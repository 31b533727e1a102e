//! Taking a checkpoint: [`Cut`], and [`Archive::write`].

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use statehold_core::{Error, KeyGroups, Limits, Name, NativeCut, Result, Snapshot, Store, portable};

use super::{
    Archive,
    checkpoint::{CheckpointForm, CheckpointId, CheckpointInfo},
    claim::{Claim, check_owned},
    metadata::Metadata,
    parent::{Parent, Shared},
    part::{Part, total},
    prepare::not_taken,
    record::{Complete, Entry, PartRef, Record},
    show::Loaded,
    sink::PartSink,
    timeline::Timeline,
};

/// The content of one or more stores at one instant each: what [`Archive::write`] persists.
/// Writes to the stores go on meanwhile and are not in it.
///
/// To make it one instant over all stores, keep writers away until [`Cut::take`] returns.
pub struct Cut {
    /// Greater than that of every cut that this process took before.
    number: u64,
    stores: Vec<StoreCut>,
    taken: Instant,
}

struct StoreCut {
    name: String,
    groups: KeyGroups,
    content: Content,
}

/// A store's content at the cut.
enum Content {
    Rows(Box<dyn Snapshot>),
    /// With the store's limits.
    Files(&'static str, Box<dyn NativeCut>, Limits),
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.stores.iter().map(|s| &s.name)).finish()
    }
}

impl Cut {
    /// Takes the cut of each store, by the name that recover will ask for, to be kept in portable form.
    ///
    /// # Errors
    /// `InvalidInput` for no store, a malformed name or one given twice; or what a store fails with.
    pub async fn take(stores: &[(&str, &dyn Store)]) -> Result<Self> {
        Self::take_as(CheckpointForm::Portable, stores).await
    }

    /// As [`Cut::take`], to be kept in the form `form`.
    ///
    /// # Errors
    /// As [`Cut::take`].
    pub async fn take_as(form: CheckpointForm, stores: &[(&str, &dyn Store)]) -> Result<Self> {
        static CUTS: AtomicU64 = AtomicU64::new(1);
        let taken = Instant::now();
        let names: BTreeSet<&str> = stores.iter().map(|(name, _)| *name).collect();
        if names.len() != stores.len() || names.is_empty() {
            return Err(Error::invalid("a checkpoint needs at least one store, and each only once")
                .advise("give each store a name of its own"));
        }
        let mut cuts = Vec::with_capacity(stores.len());
        for (name, store) in stores {
            Name::new(name)?;
            let native = store.native().filter(|_| form == CheckpointForm::Native);
            let content = match native {
                Some(native) => native.cut().await.map(|cut| Content::Files(native.format(), cut, store.limits())),
                None => store.snapshot().await.map(Content::Rows),
            };
            let content = content.map_err(|e| e.in_store(*name))?;
            cuts.push(StoreCut { name: (*name).to_owned(), groups: store.groups(), content });
        }
        // Behind the cut: of two that are taken one after the other, the later has the greater number.
        Ok(Self { number: CUTS.fetch_add(1, Ordering::Relaxed), stores: cuts, taken })
    }
}

impl Archive {
    /// Persists a cut as checkpoint `id`, with the caller's metadata (contract LIFE-2).
    ///
    /// On `Ok` every object is stored, its size and hash confirmed, and the checkpoint is in the
    /// log; before that nobody sees it. After an error, or when the future is dropped, earlier
    /// checkpoints are as they were and the id can be tried again. An id of the current timeline
    /// cannot be taken twice; one that was rolled back can, and the newer checkpoint then has it.
    ///
    /// Objects whose content the latest checkpoint has are shared with it and not stored again.
    ///
    /// Memory is bounded by three objects of about 8 MiB, two row groups and two pages, not by the store.
    ///
    /// # Errors
    /// - `Fenced`: somebody claimed these groups since; nothing was recorded.
    /// - `Conflict`: the id is taken or was aborted; or a later cut of this owner is a checkpoint already.
    /// - `InvalidInput`: a store has groups that are not claimed.
    /// - `LimitExceeded`: the metadata is larger than [`Metadata::MAX_BYTES`].
    /// - `Indeterminate`: the object store does not tell whether it took the record: when it
    ///   answers again, [`Archive::show`] has the checkpoint or has not. Trying the id again is
    ///   safe: `Conflict` then means that it was taken.
    pub async fn write(
        &self,
        claim: &Claim,
        id: CheckpointId,
        metadata: &Metadata,
        cut: Cut,
    ) -> Result<CheckpointInfo> {
        self.write_cut(claim, id, metadata, cut).await.map_err(|e| e.during("archive"))
    }

    async fn write_cut(
        &self,
        claim: &Claim,
        id: CheckpointId,
        metadata: &Metadata,
        cut: Cut,
    ) -> Result<CheckpointInfo> {
        metadata.check()?;
        let record = self.record_parts(claim, id, cut, |number, parts| entries(number, parts, id, metadata)).await?;
        let info = self.at(record.number).await?;
        let summary = &info.summary;
        tracing::info!(archive = %self.folder, checkpoint = %id, rows = summary.rows, new_bytes = summary.new_bytes, "archived");
        Ok(info)
    }

    /// What the record `number` completed.
    pub(super) async fn at(&self, number: u64) -> Result<CheckpointInfo> {
        let summary = self.log.follow().await?.at(number)?;
        let Loaded { summary, parts } = self.load_summary(summary).await?;
        Ok(CheckpointInfo::of(summary, parts))
    }

    /// Stores the cut, and appends the record that `make` makes of its parts.
    pub(super) async fn record_parts(
        &self,
        claim: &Claim,
        id: CheckpointId,
        cut: Cut,
        make: impl Fn(u64, &[Part]) -> Vec<Entry> + Send + Sync,
    ) -> Result<Record> {
        for store in &cut.stores {
            check_owned(claim, store.groups).map_err(|e| e.in_store(&store.name))?;
        }
        // Nobody takes this attempt's objects for leftovers.
        let _writing = claim.writing.read().await;
        may_write(&*self.log.follow().await?, claim, id)?;
        loop {
            let parent = self.parent().await?;
            let parts = self.store_parts(claim, id, &cut, &parent).await?;
            let entries = |timeline: &Timeline, number| {
                may_write(timeline, claim, id)?;
                timeline.check_cut(claim.epoch(), cut.number)?;
                parent.check(timeline)?;
                Ok(make(number, &parts))
            };
            match self.log.append(entries).await {
                // Its objects may be gone: everything is stored anew, the cut is still there.
                Err(_) if parent.check(&*self.log.follow().await?).is_err() => {}
                appended => return appended,
            }
        }
    }

    async fn store_parts(&self, claim: &Claim, id: CheckpointId, cut: &Cut, parent: &Parent) -> Result<Vec<Part>> {
        let mut parts = Vec::with_capacity(cut.stores.len());
        for StoreCut { name, groups, content } in &cut.stores {
            let shared = parent.of_store(name, *groups);
            let part = match content {
                Content::Rows(snapshot) => self.store_rows(claim, id, name, *groups, &**snapshot, &shared).await,
                Content::Files(format, files, limits) => {
                    let part = self.store_native(claim, id, name, *groups, (format, &**files), &shared).await;
                    part.map(|part| Part { sizes: Some((*limits).into()), ..part })
                }
            };
            let part = part.map_err(|e| e.in_store(name))?;
            let duration_ms = u64::try_from(cut.taken.elapsed().as_millis()).unwrap_or(u64::MAX);
            parts.push(Part { cut: cut.number, duration_ms, ..part });
        }
        Ok(parts)
    }

    async fn store_rows(
        &self,
        claim: &Claim,
        id: CheckpointId,
        store: &str,
        groups: KeyGroups,
        snapshot: &dyn Snapshot,
        shared: &Shared,
    ) -> Result<Part> {
        let mut sink = PartSink::new(&self.objects, &self.resources, claim, shared);
        portable::archive(snapshot, groups, &mut sink).await?;
        sink.finish(id, store, groups).await
    }
}

/// Refuses a claim that is superseded, and an id that is taken.
fn may_write(timeline: &Timeline, claim: &Claim, id: CheckpointId) -> Result<()> {
    claim.check(timeline)?;
    not_taken(timeline, id)
}

/// All parts and what completes them, for the record `number`.
fn entries(number: u64, parts: &[Part], id: CheckpointId, metadata: &Metadata) -> Vec<Entry> {
    let complete = Complete {
        checkpoint: id,
        parts: (0..).take(parts.len()).map(|entry| PartRef { record: number, entry }).collect(),
        new_bytes: total(parts.iter().map(|p| p.new_bytes)),
        duration_ms: parts.iter().map(|p| p.duration_ms).max().unwrap_or(0),
        metadata: metadata.clone(),
    };
    parts.iter().cloned().map(Entry::Part).chain([Entry::Complete(complete)]).collect()
}
