//! [`PartSink`]: takes a cut's rows, and stores them as objects while it takes more.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::future::{BoxFuture, Either, FutureExt, select};
use statehold_core::{ArchiveSink, Error, KeyGroup, KeyGroups, Millis, Resources, Result, Row, StateId, StateSpec};

use super::{
    checkpoint::CheckpointId,
    claim::Claim,
    object::Objects,
    parquet::{ArchivedRow, Encoded, Encoder, RowGroup, StateLabel, row_bytes},
    part::{Floor, Form, Object, Part, PartState},
};

/// An object is ended when it has reached this size, so it is at most this and one row group.
const OBJECT_BYTES: usize = 8 << 20;

/// Writes one part. Holds one row group, the object that is being encoded and the object that
/// is being uploaded, however much the store has.
pub(super) struct PartSink<'a> {
    objects: &'a Objects,
    resources: &'a Resources,
    claim: &'a Claim,
    ids: HashMap<StateId, u32>,
    states: Vec<PartState>,
    labels: Vec<StateLabel>,
    group: RowGroup,
    encoder: Option<Encoder>,
    upload: Option<BoxFuture<'a, Result<Object>>>,
    uploaded: Vec<Object>,
    floor: Option<Floor>,
}

impl<'a> PartSink<'a> {
    pub(super) fn new(objects: &'a Objects, resources: &'a Resources, claim: &'a Claim) -> Self {
        Self {
            objects,
            resources,
            claim,
            ids: HashMap::new(),
            states: Vec::new(),
            labels: Vec::new(),
            group: RowGroup::default(),
            encoder: None,
            upload: None,
            uploaded: Vec::new(),
            floor: None,
        }
    }

    /// Stores what is left. On `Ok` all objects of the part are confirmed.
    ///
    /// # Errors
    /// What the object store fails with.
    pub(super) async fn finish(mut self, checkpoint: CheckpointId, store: &str, groups: KeyGroups) -> Result<Part> {
        self.encode(true).await?;
        self.uploaded().await?;
        let floor = self.floor.ok_or_else(|| Error::internal("a cut ended without its floor").in_store(store))?;
        Ok(Part {
            checkpoint,
            store: store.to_owned(),
            form: Form::Portable,
            groups: groups.into(),
            claim: self.claim.epoch(),
            floor,
            states: self.states,
            objects: self.uploaded,
        })
    }

    /// Encodes the row group, and begins to upload the object if it is full or the `last`.
    async fn encode(&mut self, last: bool) -> Result<()> {
        let (encoder, group, labels) = (self.encoder.take(), std::mem::take(&mut self.group), self.labels.clone());
        let job = self.resources.blocking(move || encode(encoder, &group, &labels, last));
        let (encoder, full) = self.beside_upload(job).await?;
        self.encoder = encoder;
        if let Some(full) = full {
            self.uploaded().await?;
            self.upload = Some(upload(self.objects, self.claim, full).boxed());
        }
        Ok(())
    }

    /// Does `work` and lets the upload go on meanwhile.
    async fn beside_upload<T>(&mut self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let Some(upload) = self.upload.take() else { return work.await };
        match select(Box::pin(work), upload).await {
            Either::Left((done, upload)) => {
                self.upload = Some(upload);
                done
            }
            Either::Right((uploaded, work)) => {
                self.uploaded.push(uploaded?);
                work.await
            }
        }
    }

    /// Waits for the upload.
    async fn uploaded(&mut self) -> Result<()> {
        if let Some(upload) = self.upload.take() {
            self.uploaded.push(upload.await?);
        }
        Ok(())
    }

    fn index(&self, id: StateId) -> Result<u32> {
        self.ids.get(&id).copied().ok_or_else(|| Error::internal(format!("a cut has rows of unnamed state {}", id.0)))
    }
}

#[async_trait]
impl ArchiveSink for PartSink<'_> {
    async fn state(&mut self, id: StateId, spec: &StateSpec) -> Result<()> {
        let index = u32::try_from(self.states.len()).map_err(|_| Error::internal("a cut has too many states"))?;
        self.ids.insert(id, index);
        self.labels.push(StateLabel::of(spec));
        self.states.push(PartState { spec: spec.clone(), rows: 0, bytes: 0 });
        Ok(())
    }

    async fn rows(&mut self, id: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        let state = self.index(id)?;
        for row in rows {
            let tally = &mut self.states[state as usize];
            tally.rows += 1;
            tally.bytes += row_bytes(&row) as u64;
            if let Some(back) = self.group.push(ArchivedRow { state, group, row }) {
                self.encode(false).await?;
                // An empty group takes any row.
                self.group.push(back);
            }
        }
        Ok(())
    }

    async fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()> {
        self.floor = Some(Floor::new(now, incarnation));
        Ok(())
    }
}

/// The part of [`PartSink::encode`] that needs a processor.
fn encode(
    encoder: Option<Encoder>,
    group: &RowGroup,
    labels: &[StateLabel],
    last: bool,
) -> Result<(Option<Encoder>, Option<Encoded>)> {
    let mut encoder = match encoder {
        Some(encoder) => encoder,
        None if group.is_empty() => return Ok((None, None)),
        None => Encoder::new()?,
    };
    if !group.is_empty() {
        encoder.write(group, labels)?;
    }
    if last || encoder.size() >= OBJECT_BYTES { Ok((None, encoder.finish()?)) } else { Ok((Some(encoder), None)) }
}

async fn upload(objects: &Objects, claim: &Claim, encoded: Encoded) -> Result<Object> {
    let Encoded { chunks, hash, rows, first_group, last_group } = encoded;
    let object = Object { name: claim.name(hash), bytes: chunks.size() as u64, rows, first_group, last_group };
    objects.put(&object, chunks).await?;
    Ok(object)
}
