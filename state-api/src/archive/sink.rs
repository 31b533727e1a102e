//! [`PartSink`]: takes a cut's rows, and stores them as objects while it takes more.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, Either, select},
    stream::FuturesOrdered,
};
use statehold_core::{ArchiveSink, Error, KeyGroup, KeyGroups, Millis, Resources, Result, Row, StateId, StateSpec};

use super::{
    checkpoint::CheckpointId,
    claim::Claim,
    object::Objects,
    parent::Shared,
    parquet::{ArchivedRow, Encoded, Encoder, RowGroup, StateLabel, row_bytes},
    part::{Floor, Form, Object, Part, PartState},
};

/// An object is ended when it has reached this size, so it is at most this and one row group.
const OBJECT_BYTES: usize = 8 << 20;
/// An object ends with a key group once it has so many bytes of rows: what changes in one group is not to be
/// uploaded with the others, and nobody wants a file for each group of a tiny state.
const GROUP_BYTES: usize = 64 << 10;
/// Objects that are uploaded at once, and their bytes.
const UPLOADS: usize = 8;
const UPLOAD_BYTES: usize = 8 << 20;

/// Writes one part. Holds one row group, another that is being encoded with its object, and at most [`UPLOAD_BYTES`]
/// and one object that are being uploaded, however much the store has.
///
/// An object whose content the parent has already is shared with it. So that content is met again, an object ends
/// where the parent's object that began with the same group did.
pub(super) struct PartSink<'a> {
    objects: &'a Objects,
    resources: &'a Resources,
    claim: &'a Claim,
    shared: &'a Shared,
    ids: HashMap<StateId, u32>,
    states: Vec<PartState>,
    labels: Vec<StateLabel>,
    group: RowGroup,
    /// Begun, so that more rows are taken meanwhile.
    encoding: Option<BoxFuture<'a, Result<Step>>>,
    encoder: Option<Encoder>,
    /// First and last group of the object that is being encoded, and bytes of its rows.
    open: Option<(u16, u16)>,
    open_bytes: usize,
    uploads: FuturesOrdered<BoxFuture<'a, Result<Uploaded>>>,
    upload_bytes: usize,
    objects_done: Vec<Object>,
    new_bytes: u64,
    floor: Option<Floor>,
}

/// The object that is being encoded, and one that is full.
type Step = (Option<Encoder>, Option<Encoded>);

struct Uploaded {
    object: Object,
    /// It was not shared.
    new: bool,
    /// Of memory that is free again.
    bytes: usize,
}

impl<'a> PartSink<'a> {
    pub(super) fn new(objects: &'a Objects, resources: &'a Resources, claim: &'a Claim, shared: &'a Shared) -> Self {
        Self {
            objects,
            resources,
            claim,
            shared,
            ids: HashMap::new(),
            states: Vec::new(),
            labels: Vec::new(),
            group: RowGroup::default(),
            encoding: None,
            encoder: None,
            open: None,
            open_bytes: 0,
            uploads: FuturesOrdered::new(),
            upload_bytes: 0,
            objects_done: Vec::new(),
            new_bytes: 0,
            floor: None,
        }
    }

    /// Stores what is left. On `Ok` all objects of the part are confirmed.
    ///
    /// # Errors
    /// What the object store fails with.
    pub(super) async fn finish(mut self, checkpoint: CheckpointId, store: &str, groups: KeyGroups) -> Result<Part> {
        self.encode(true).await?;
        self.encoded().await?;
        self.upload_until(|_| false).await?;
        let floor = self.floor.ok_or_else(|| Error::internal("a cut ended without its floor").in_store(store))?;
        Ok(Part {
            checkpoint,
            store: store.to_owned(),
            form: Form::Portable,
            groups: groups.into(),
            claim: self.claim.epoch(),
            floor,
            sizes: None,
            cut: 0,
            new_bytes: self.new_bytes,
            duration_ms: 0,
            states: self.states,
            objects: self.objects_done,
        })
    }

    /// Begins to encode the row group; it is the `last` of its object, or that ends where it is full.
    async fn encode(&mut self, last: bool) -> Result<()> {
        self.encoded().await?;
        let (encoder, group, labels) = (self.encoder.take(), std::mem::take(&mut self.group), self.labels.clone());
        self.encoding = Some(self.resources.blocking(move || encode(encoder, &group, &labels, last)).boxed());
        if last {
            (self.open, self.open_bytes) = (None, 0);
        }
        Ok(())
    }

    /// Waits for what is being encoded, and begins to upload the object if it is full.
    async fn encoded(&mut self) -> Result<()> {
        let Some(job) = self.encoding.take() else { return Ok(()) };
        let (encoder, full) = self.beside_uploads(job).await?;
        self.encoder = encoder;
        if let Some(full) = full {
            let size = full.chunks.size();
            self.upload_until(|sink| sink.uploads.len() < UPLOADS && sink.upload_bytes + size <= UPLOAD_BYTES).await?;
            self.upload_bytes += size;
            self.uploads.push_back(upload(self.objects, self.claim, self.shared, full).boxed());
        }
        Ok(())
    }

    /// Does `work` and lets the uploads go on meanwhile.
    async fn beside_uploads(&mut self, mut work: BoxFuture<'a, Result<Step>>) -> Result<Step> {
        while !self.uploads.is_empty() {
            match select(&mut work, self.uploads.next()).await {
                Either::Left((done, _)) => return done,
                Either::Right((uploaded, _)) => self.uploaded(uploaded)?,
            }
        }
        work.await
    }

    /// Lets the uploads go on: nobody else asks for them while rows are scanned.
    fn poll_uploads(&mut self) -> Result<()> {
        while let Some(Some(uploaded)) = self.uploads.next().now_or_never() {
            self.uploaded(Some(uploaded))?;
        }
        Ok(())
    }

    /// Waits for uploads until there is `room`, or none is left.
    async fn upload_until(&mut self, room: impl Fn(&Self) -> bool) -> Result<()> {
        while !self.uploads.is_empty() && !room(self) {
            let uploaded = self.uploads.next().await;
            self.uploaded(uploaded)?;
        }
        Ok(())
    }

    fn uploaded(&mut self, uploaded: Option<Result<Uploaded>>) -> Result<()> {
        let Some(Uploaded { object, new, bytes }) = uploaded.transpose()? else { return Ok(()) };
        self.upload_bytes -= bytes;
        self.new_bytes += if new { object.bytes } else { 0 };
        self.objects_done.push(object);
        Ok(())
    }

    /// Whether the object that is being encoded ends before the rows of `group`.
    fn ends_before(&self, group: KeyGroup) -> bool {
        let Some((first, _)) = self.open.filter(|(_, last)| *last != group.0) else { return false };
        match self.shared.end_of(first) {
            // One that grew is divided all the same, and one that shrank is joined with the next.
            Some(end) if group.0 > end => self.open_bytes >= GROUP_BYTES / 4,
            Some(_) => self.open_bytes >= 4 * GROUP_BYTES,
            None => self.open_bytes >= GROUP_BYTES,
        }
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
        self.states.push(PartState { spec: spec.clone(), rows: Some(0), bytes: Some(0) });
        Ok(())
    }

    async fn rows(&mut self, id: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        let state = self.index(id)?;
        self.poll_uploads()?;
        if self.ends_before(group) {
            self.encode(true).await?;
        }
        for row in rows {
            let (tally, bytes) = (&mut self.states[state as usize], row_bytes(&row));
            tally.rows = tally.rows.map(|rows| rows + 1);
            tally.bytes = tally.bytes.map(|all| all + bytes as u64);
            self.open_bytes += bytes;
            self.open = Some((self.open.map_or(group.0, |(first, _)| first), group.0));
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
fn encode(encoder: Option<Encoder>, group: &RowGroup, labels: &[StateLabel], last: bool) -> Result<Step> {
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

async fn upload(objects: &Objects, claim: &Claim, shared: &Shared, encoded: Encoded) -> Result<Uploaded> {
    let Encoded { chunks, hash, rows, first_group, last_group } = encoded;
    let bytes = chunks.size();
    let object = Object { name: claim.name(hash), file: None, bytes: bytes as u64, rows, first_group, last_group };
    if let Some(there) = shared.find(&object)
        && objects.is_there(there).await?
    {
        return Ok(Uploaded { object: there.clone(), new: false, bytes });
    }
    objects.put(&object, chunks).await?;
    Ok(Uploaded { object, new: true, bytes })
}
