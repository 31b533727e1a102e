//! Checkpoints of several owners: each prepares its part, whoever coordinates them completes or aborts.

use serde::Serialize;
use statehold_core::{Error, ErrorKind, Result};

use super::{
    Archive,
    checkpoint::{CheckpointId, CheckpointInfo},
    claim::Claim,
    metadata::Metadata,
    part::{Groups, total},
    record::{Abort, Complete, Entry},
    timeline::{Prepared, Timeline},
    write::Cut,
};

/// One owner's part of a checkpoint that is not complete yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreparedPart {
    /// The store.
    pub store: String,
    /// Its key groups.
    pub groups: Groups,
    /// The epoch of the owner that prepared it.
    pub claim: u64,
    /// Bytes that it added to the object store.
    pub new_bytes: u64,
}

impl From<Prepared> for PreparedPart {
    fn from(part: Prepared) -> Self {
        Self { store: part.store, groups: part.groups.into(), claim: part.claim, new_bytes: part.new_bytes }
    }
}

impl Archive {
    /// Persists a cut as this owner's part of checkpoint `id`. Nobody sees the checkpoint before
    /// [`Archive::complete`]; what is prepared again takes the place of what was.
    ///
    /// A part goes when its owner's groups are claimed anew, by whomever, or when somebody goes back to an older
    /// checkpoint: then all owners prepare again.
    ///
    /// # Errors
    /// As [`Archive::write`].
    pub async fn prepare(&self, claim: &Claim, id: CheckpointId, cut: Cut) -> Result<Vec<PreparedPart>> {
        let entries = |_, parts: &[super::part::Part]| parts.iter().cloned().map(Entry::Part).collect();
        let record = self.record_parts(claim, id, cut, entries).await.map_err(|e| e.during("prepare"))?;
        let prepared = self.log.follow().await?.prepared(id);
        Ok(prepared.into_iter().filter(|p| p.at.record == record.number).map(PreparedPart::from).collect())
    }

    /// What is prepared for `id` and may be completed.
    ///
    /// # Errors
    /// What the object store fails with.
    pub async fn prepared(&self, id: CheckpointId) -> Result<Vec<PreparedPart>> {
        Ok(self.log.follow().await?.prepared(id).into_iter().map(PreparedPart::from).collect())
    }

    /// Makes a checkpoint of what all owners prepared for `id`, with the coordinator's metadata: in one step, so
    /// that nobody ever sees a part of it.
    ///
    /// # Errors
    /// - `NotFound`: nothing is prepared.
    /// - `Conflict`: the parts do not have all key groups of each store, naming those that lack; or the id is taken.
    /// - `LimitExceeded`: the metadata is larger than [`Metadata::MAX_BYTES`].
    /// - `Indeterminate`: as [`Archive::write`].
    pub async fn complete(&self, id: CheckpointId, metadata: &Metadata) -> Result<CheckpointInfo> {
        metadata.check()?;
        let entries = |timeline: &Timeline, _| {
            not_taken(timeline, id)?;
            let parts = timeline.ready(id)?;
            Ok(vec![Entry::Complete(Complete {
                checkpoint: id,
                parts: parts.iter().map(|p| p.at).collect(),
                new_bytes: total(parts.iter().map(|p| p.new_bytes)),
                duration_ms: parts.iter().map(|p| p.duration_ms).max().unwrap_or(0),
                metadata: metadata.clone(),
            })])
        };
        let completed = async { self.at(self.log.append(entries).await?.number).await };
        let info = completed.await.map_err(|e| e.during("complete"))?;
        tracing::info!(archive = %self.folder, checkpoint = %id, parts = info.summary.parts, "completed");
        Ok(info)
    }

    /// Gives the checkpoint `id` up: what is prepared for it, and what may still come; its objects go at the next
    /// prune. How many parts there were. To try again is to choose another id, so that no checkpoint ever has parts
    /// of two calls.
    ///
    /// # Errors
    /// `Conflict` if the checkpoint is complete or was aborted before; or what the object store fails with.
    pub async fn abort(&self, id: CheckpointId) -> Result<usize> {
        let prepared = std::sync::atomic::AtomicUsize::new(0);
        let entries = |timeline: &Timeline, _| {
            not_taken(timeline, id)?;
            prepared.store(timeline.prepared(id).len(), std::sync::atomic::Ordering::Relaxed);
            Ok(vec![Entry::Abort(Abort { checkpoint: id })])
        };
        self.log.append(entries).await.map_err(|e| e.during("abort"))?;
        Ok(prepared.into_inner())
    }
}

/// Refuses an id that a checkpoint of the current timeline has.
pub(super) fn not_taken(timeline: &Timeline, id: CheckpointId) -> Result<()> {
    if timeline.is_aborted(id) {
        return Err(Error::new(ErrorKind::Conflict, format!("checkpoint {id} was aborted"))
            .about(id.to_string())
            .advise("choose another id: an answer to the call that was given up may still come"));
    }
    match timeline.current(id) {
        None => Ok(()),
        Some(record) => {
            Err(Error::new(ErrorKind::Conflict, format!("checkpoint {id} was completed by log record {record}"))
                .about(id.to_string())
                .advise("choose another id"))
        }
    }
}
