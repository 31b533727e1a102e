//! Looking at checkpoints: list, show, verify. None of it needs a store.

use statehold_core::{ArchiveSource, ArchiveStep, Cell, Envelope, Error, Model, Result, Row};

use super::{
    Archive,
    checkpoint::{CheckpointInfo, CheckpointSummary, ObjectInfo, Select, StateInfo, StoreInfo},
    part::{Form, Part, sum, total},
    record::Entry,
    source::PartSource,
};

/// A checkpoint as its records describe it.
pub(super) struct Loaded {
    pub(super) summary: CheckpointSummary,
    pub(super) parts: Vec<Part>,
}

/// What [`Archive::verify`] read.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Verified {
    /// The checkpoint.
    pub checkpoint: CheckpointSummary,
    /// Objects read.
    pub objects: u64,
    /// Bytes of these objects.
    pub object_bytes: u64,
    /// Rows read; not known where a part is an engine's own files.
    pub rows: Option<u64>,
}

impl Archive {
    /// All checkpoints, in the order of their completion, superseded ones too.
    ///
    /// # Errors
    /// `Corrupt` or `Unsupported` naming a log record, or what the object store fails with.
    pub async fn list(&self) -> Result<Vec<CheckpointSummary>> {
        Ok(self.log.follow().await.map_err(|e| e.during("list"))?.list())
    }

    /// Which checkpoint is meant.
    ///
    /// # Errors
    /// `NotFound`, naming the nearest ids; or as [`Archive::list`].
    pub async fn resolve(&self, select: Select) -> Result<CheckpointSummary> {
        self.log.follow().await?.resolve(select)
    }

    /// Everything about a checkpoint.
    ///
    /// # Errors
    /// As [`Archive::resolve`].
    pub async fn show(&self, select: Select) -> Result<CheckpointInfo> {
        let Loaded { summary, parts } = self.load(select).await.map_err(|e| e.during("show"))?;
        Ok(CheckpointInfo::of(summary, parts))
    }

    /// Reads a whole checkpoint back and checks all of it: hashes, sizes, row counts, order,
    /// each row's group and each value's checksum.
    ///
    /// # Errors
    /// `Corrupt` naming the first object or value at fault; else as [`Archive::resolve`].
    pub async fn verify(&self, select: Select) -> Result<Verified> {
        self.verify_all(select).await.map_err(|e| e.during("verify"))
    }

    async fn verify_all(&self, select: Select) -> Result<Verified> {
        let Loaded { summary, parts, .. } = self.load(select).await?;
        let objects = || parts.iter().flat_map(|p| &p.objects);
        let mut verified = Verified {
            checkpoint: summary,
            objects: objects().count() as u64,
            object_bytes: total(objects().map(|o| o.bytes)),
            rows: Some(0),
        };
        for part in &parts {
            let rows = self.verify_part(part).await.map_err(|e| e.in_store(&part.store))?;
            verified.rows = sum([verified.rows, rows].into_iter());
        }
        Ok(verified)
    }

    async fn verify_part(&self, part: &Part) -> Result<Option<u64>> {
        if let Form::Native(_) = part.form {
            // The engine alone reads its files; every byte of them is covered by a hash.
            for object in &part.objects {
                self.objects.confirm(object).await?;
            }
            return Ok(None);
        }
        let mut source = PartSource::new(&self.objects, &self.resources, part, part.groups.checked()?);
        let mut counts = vec![0_u64; part.states.len()];
        while let Some(step) = source.next().await? {
            let ArchiveStep::Rows(state, _, rows) = step else { continue };
            let (Some(count), Some(state)) = (counts.get_mut(state as usize), part.states.get(state as usize)) else {
                return Err(Error::internal("a source yields a state that its part has not"));
            };
            *count += rows.len() as u64;
            let (name, model) = (state.spec.name.clone(), state.spec.model);
            self.resources.blocking(move || check_values(&name, model, &rows)).await?;
        }
        for (state, count) in part.states.iter().zip(&counts) {
            if state.rows != Some(*count) {
                return Err(Error::corrupt(format!("the objects have {count} rows, and the log says otherwise"))
                    .in_state(&state.spec.name)
                    .advise("recover another checkpoint"));
            }
        }
        Ok(part.rows())
    }

    /// The records of a checkpoint.
    pub(super) async fn load(&self, select: Select) -> Result<Loaded> {
        let summary = self.log.follow().await?.resolve(select)?;
        self.load_summary(summary).await
    }

    /// The records of this checkpoint.
    pub(super) async fn load_summary(&self, summary: CheckpointSummary) -> Result<Loaded> {
        let places = self.log.follow().await?.parts(summary.record).to_vec();
        let last = self.log.read(summary.record).await?;
        let mut parts = Vec::with_capacity(places.len());
        for at in places {
            let other = if at.record == last.number { None } else { Some(self.log.read(at.record).await?) };
            match other.as_ref().unwrap_or(&last).entries.get(at.entry as usize) {
                Some(Entry::Part(part)) => parts.push(part.clone()),
                _ => return Err(Error::corrupt(format!("log record {} has changed since it was read", at.record))),
            }
        }
        Ok(Loaded { summary, parts })
    }
}

/// Opens each envelope. A list's head has none.
fn check_values(state: &str, model: Model, rows: &[Row]) -> Result<()> {
    let envelope = Envelope::of_state(state);
    for row in rows.iter().filter(|row| model != Model::List || !row.cell.value.is_empty()) {
        if model == Model::List {
            // An element's identity is its list's: neither ordinal nor expiry.
            envelope.open(&row.key, b"", Cell::new(row.cell.value.clone()))?;
        } else {
            envelope.open(&row.key, &row.sub, row.cell.clone())?;
        }
    }
    Ok(())
}

impl CheckpointInfo {
    pub(super) fn of(summary: CheckpointSummary, parts: Vec<Part>) -> Self {
        Self { summary, contents: parts.into_iter().map(StoreInfo::of).collect() }
    }
}

impl StoreInfo {
    fn of(part: Part) -> Self {
        let state = |s: super::part::PartState| StateInfo { spec: s.spec, rows: s.rows, bytes: s.bytes };
        let object = |o: super::part::Object| ObjectInfo {
            name: o.name.to_string(),
            file: o.file,
            bytes: o.bytes,
            rows: o.rows,
        };
        Self {
            groups: part.groups,
            form: match part.form {
                Form::Portable => "portable".into(),
                Form::Native(format) => format,
            },
            name: part.store,
            states: part.states.into_iter().map(state).collect(),
            objects: part.objects.into_iter().map(object).collect(),
        }
    }
}
