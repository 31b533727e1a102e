//! Taking a checkpoint: [`Cut`], and [`Archive::write`].

use std::{collections::BTreeSet, time::Instant};

use statehold_core::{Error, ErrorKind, KeyGroups, Name, Result, Snapshot, Store, portable};

use super::{
    Archive,
    checkpoint::{CheckpointId, CheckpointInfo},
    claim::{Claim, check_owned},
    metadata::Metadata,
    part::Part,
    record::{Complete, Entry, PartRef},
    sink::PartSink,
    timeline::Timeline,
};

/// The content of one or more stores at one instant each: what [`Archive::write`] persists.
/// Writes to the stores go on meanwhile and are not in it.
///
/// To make it one instant over all stores, keep writers away until [`Cut::take`] returns.
pub struct Cut {
    stores: Vec<StoreCut>,
    taken: Instant,
}

struct StoreCut {
    name: String,
    groups: KeyGroups,
    snapshot: Box<dyn Snapshot>,
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.stores.iter().map(|s| &s.name)).finish()
    }
}

impl Cut {
    /// Takes the cut of each store, by the name that recover will ask for.
    ///
    /// # Errors
    /// `InvalidInput` for no store, a malformed name or one given twice; or what a store fails with.
    pub async fn take(stores: &[(&str, &dyn Store)]) -> Result<Self> {
        let taken = Instant::now();
        let names: BTreeSet<&str> = stores.iter().map(|(name, _)| *name).collect();
        if names.len() != stores.len() || names.is_empty() {
            return Err(Error::invalid("a checkpoint needs at least one store, and each only once")
                .advise("give each store a name of its own"));
        }
        let mut cuts = Vec::with_capacity(stores.len());
        for (name, store) in stores {
            Name::new(name)?;
            let snapshot = store.snapshot().await.map_err(|e| e.in_store(*name))?;
            cuts.push(StoreCut { name: (*name).to_owned(), groups: store.groups(), snapshot });
        }
        Ok(Self { stores: cuts, taken })
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
    /// Memory is bounded by two objects of about 8 MiB and a row group, not by the store.
    ///
    /// # Errors
    /// - `Fenced`: somebody claimed these groups since; nothing was recorded.
    /// - `Conflict`: the id is taken.
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
        for store in &cut.stores {
            check_owned(claim, store.groups).map_err(|e| e.in_store(&store.name))?;
        }
        may_write(&*self.log.follow().await?, claim, id)?;
        let Cut { stores, taken } = cut;
        let mut parts = Vec::with_capacity(stores.len());
        for StoreCut { name, groups, snapshot } in stores {
            let mut sink = PartSink::new(&self.objects, &self.resources, claim);
            portable::archive(&*snapshot, groups, &mut sink).await.map_err(|e| e.in_store(&name))?;
            // The engine keeps what a cut shows for as long as the cut lives.
            drop(snapshot);
            parts.push(sink.finish(id, &name, groups).await.map_err(|e| e.in_store(&name))?);
        }
        let complete = Complete {
            checkpoint: id,
            parts: Vec::new(),
            new_bytes: parts.iter().flat_map(|p| &p.objects).map(|o| o.bytes).sum(),
            duration_ms: u64::try_from(taken.elapsed().as_millis()).unwrap_or(u64::MAX),
            metadata: metadata.clone(),
        };
        let record = self
            .log
            .append(|timeline, number| {
                may_write(timeline, claim, id)?;
                Ok(entries(number, &parts, &complete))
            })
            .await?;
        let summary = self.log.follow().await?.at(record.number)?;
        tracing::info!(archive = %self.folder, checkpoint = %id, rows = summary.rows, new_bytes = complete.new_bytes, "archived");
        Ok(CheckpointInfo::of(summary, complete, parts))
    }
}

/// Refuses a claim that is superseded, and an id that is taken.
fn may_write(timeline: &Timeline, claim: &Claim, id: CheckpointId) -> Result<()> {
    claim.check(timeline)?;
    match timeline.current(id) {
        None => Ok(()),
        Some(record) => {
            Err(Error::new(ErrorKind::Conflict, format!("checkpoint {id} was completed by log record {record}"))
                .about(id.to_string())
                .advise("choose another id"))
        }
    }
}

/// All parts and what completes them, for the record `number`.
fn entries(number: u64, parts: &[Part], complete: &Complete) -> Vec<Entry> {
    let at = (0..).take(parts.len()).map(|entry| PartRef { record: number, entry });
    let complete = Complete { parts: at.collect(), ..complete.clone() };
    parts.iter().cloned().map(Entry::Part).chain([Entry::Complete(complete)]).collect()
}
