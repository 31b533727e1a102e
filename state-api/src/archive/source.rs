//! [`PartSource`]: reads a part's rows back, object by object, checking each before it yields a row of it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    ArchiveSource, ArchiveStep, Error, ErrorKind, KeyGroup, KeyGroups, Millis, Resources, Result, StateSpec,
};

use super::{
    object::Objects,
    parquet::{ArchivedRow, Decoder, StateLabel},
    part::{Object, Part},
};

/// Reads one part, or some of its groups. Holds one object and one row group of it decoded.
pub(super) struct PartSource<'a> {
    objects: &'a Objects,
    resources: &'a Resources,
    groups: KeyGroups,
    labels: Arc<[StateLabel]>,
    waiting: VecDeque<Object>,
    open: Option<Opened>,
    steps: VecDeque<ArchiveStep>,
    last: Option<ArchiveStep>,
    place: Place,
}

struct Opened {
    object: Object,
    decoder: Decoder,
}

impl<'a> PartSource<'a> {
    /// Reads the groups `groups` of `part`.
    pub(super) fn new(objects: &'a Objects, resources: &'a Resources, part: &Part, groups: KeyGroups) -> Self {
        let states = part.states.iter().zip(0..).map(|(s, index)| ArchiveStep::State(index, s.spec.clone()));
        Self {
            objects,
            resources,
            groups,
            labels: part.states.iter().map(|s| StateLabel::of(&s.spec)).collect(),
            waiting: part.objects.iter().filter(|o| o.overlaps(groups)).cloned().collect(),
            open: None,
            steps: states.collect(),
            last: Some(ArchiveStep::Floor(part.floor.now(), part.floor.incarnation)),
            place: Place::default(),
        }
    }

    /// Decodes row groups until there is a step, or nothing is left.
    async fn refill(&mut self) -> Result<()> {
        while self.steps.is_empty() {
            let opened = match self.open.take() {
                Some(opened) => opened,
                None => match self.waiting.pop_front() {
                    Some(object) => self.open(object).await?,
                    None => return Ok(()),
                },
            };
            self.read(opened).await?;
        }
        Ok(())
    }

    async fn open(&self, object: Object) -> Result<Opened> {
        let chunks = self.objects.fetch(&object).await?;
        let rows = object.rows;
        let decoder = self.resources.blocking(move || Decoder::open(chunks, rows)).await;
        Ok(Opened { decoder: decoder.map_err(|e| self.blame(&object, e))?, object })
    }

    async fn read(&mut self, opened: Opened) -> Result<()> {
        let Opened { object, mut decoder } = opened;
        let labels = self.labels.clone();
        let job = move || decoder.read(&labels).map(|rows| (decoder, rows));
        let (decoder, rows) = self.resources.blocking(job).await.map_err(|e| self.blame(&object, e))?;
        let Some(rows) = rows else { return Ok(()) };
        for row in rows {
            self.place.check(&object, &row, self.groups.total()).map_err(|e| self.blame(&object, e))?;
            if self.groups.contains(row.group) {
                self.step(row);
            }
        }
        self.open = Some(Opened { object, decoder });
        Ok(())
    }

    /// Adds a row to the last step if it belongs there.
    fn step(&mut self, row: ArchivedRow) {
        const MAX_ROWS: usize = 4096;
        match self.steps.back_mut() {
            Some(ArchiveStep::Rows(state, group, rows))
                if *state == row.state && *group == row.group && rows.len() < MAX_ROWS =>
            {
                rows.push(row.row);
            }
            _ => self.steps.push_back(ArchiveStep::Rows(row.state, row.group, vec![row.row])),
        }
    }

    /// The same error, naming the object.
    fn blame(&self, object: &Object, cause: Error) -> Error {
        match cause.kind() {
            ErrorKind::Corrupt => self.objects.corrupt(object, cause.message()).because(cause),
            kind => {
                let advice = cause.advice().unwrap_or_default().to_owned();
                let name = self.objects.show(object);
                Error::new(kind, format!("object `{name}` {}", cause.message()))
                    .about(name)
                    .advise(advice)
                    .because(cause)
            }
        }
    }
}

#[async_trait]
impl ArchiveSource for PartSource<'_> {
    async fn next(&mut self) -> Result<Option<ArchiveStep>> {
        self.refill().await?;
        Ok(self.steps.pop_front().or_else(|| self.last.take()))
    }
}

/// Reads several parts of one store, of different owners, as if they were one.
pub(super) struct PartsSource<'a> {
    parts: VecDeque<PartSource<'a>>,
    /// Numbers given to states by name, with what they are.
    states: Vec<StateSpec>,
    /// From the current part's numbers.
    numbers: HashMap<u32, u32>,
    floor: (Millis, u32),
    ended: bool,
}

impl<'a> PartsSource<'a> {
    /// Reads the groups `groups` of `parts`.
    pub(super) fn new(objects: &'a Objects, resources: &'a Resources, parts: &[&Part], groups: KeyGroups) -> Self {
        let parts = parts.iter().map(|part| PartSource::new(objects, resources, part, groups)).collect();
        Self { parts, states: Vec::new(), numbers: HashMap::new(), floor: (Millis(0), 0), ended: false }
    }

    /// The number of a part's state, and whether it is new.
    fn number(&mut self, spec: &StateSpec) -> Result<(u32, bool)> {
        match (0..).zip(&self.states).find(|(_, known)| known.name == spec.name) {
            Some((_, known)) if known != spec => {
                Err(Error::new(ErrorKind::Conflict, "the checkpoint's owners disagree on what the state is")
                    .in_state(&spec.name)
                    .advise("let all owners register it alike, and take a checkpoint then"))
            }
            Some((number, _)) => Ok((number, false)),
            None => {
                self.states.push(spec.clone());
                Ok((self.states.len() as u32 - 1, true))
            }
        }
    }
}

#[async_trait]
impl ArchiveSource for PartsSource<'_> {
    async fn next(&mut self) -> Result<Option<ArchiveStep>> {
        while let Some(part) = self.parts.front_mut() {
            match part.next().await? {
                Some(ArchiveStep::State(index, spec)) => {
                    let (number, new) = self.number(&spec)?;
                    self.numbers.insert(index, number);
                    if new {
                        return Ok(Some(ArchiveStep::State(number, spec)));
                    }
                }
                Some(ArchiveStep::Rows(index, group, rows)) => {
                    let number = self.numbers.get(&index).copied();
                    let number = number.ok_or_else(|| Error::internal("rows of a state that no part names"))?;
                    return Ok(Some(ArchiveStep::Rows(number, group, rows)));
                }
                Some(ArchiveStep::Floor(now, incarnation)) => {
                    self.floor = (self.floor.0.max(now), self.floor.1.max(incarnation));
                }
                None => drop(self.parts.pop_front()),
            }
        }
        if std::mem::replace(&mut self.ended, true) {
            return Ok(None);
        }
        Ok(Some(ArchiveStep::Floor(self.floor.0, self.floor.1)))
    }
}

/// The last row seen, to see that rows ascend.
#[derive(Default)]
struct Place {
    last: Option<(KeyGroup, u32, Bytes, Bytes)>,
}

impl Place {
    /// Refuses a row that does not come next, or is not where its key belongs.
    fn check(&mut self, object: &Object, row: &ArchivedRow, key_groups: u16) -> Result<()> {
        let ArchivedRow { state, group, row } = row;
        let named = object.first_group..=object.last_group;
        if !named.contains(&group.0) || *group != KeyGroup::of(&row.key, key_groups) {
            return Err(Error::corrupt(format!("has key `{}` in group {group}", row.key.escape_ascii())));
        }
        if let Some((g, s, key, sub)) = &self.last
            && (group, state, &row.key, &row.sub) <= (g, s, key, sub)
        {
            return Err(Error::corrupt(format!("has key `{}` out of order", row.key.escape_ascii())));
        }
        self.last = Some((*group, *state, row.key.clone(), row.sub.clone()));
        Ok(())
    }
}
