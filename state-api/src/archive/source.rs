//! [`PartSource`]: reads a part's rows back, object by object, checking each before it yields a row of it.

use std::{
    cmp::Ordering,
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use statehold_core::{
    ArchiveSource, ArchiveStep, Error, ErrorKind, KeyGroup, KeyGroups, Millis, Resources, Result, StateSpec,
};

use super::{
    object::Objects,
    parquet::{ArchivedRow, Decoder, StateLabel},
    part::{Object, Part},
};

/// Objects that are fetched and begun to be decoded at once, in order.
const AHEAD: usize = 2;

/// Reads one part, or some of its groups. Holds [`AHEAD`] objects, and of each one row group decoded.
pub(super) struct PartSource<'a> {
    objects: &'a Objects,
    resources: &'a Resources,
    opened: BoxStream<'a, Result<Opened>>,
    current: Option<Opened>,
    steps: VecDeque<ArchiveStep>,
    /// Where the last row was.
    place: Option<Place>,
    last: Option<ArchiveStep>,
}

/// An object that is being decoded, and its next row group.
struct Opened {
    object: Arc<Object>,
    rows: RowGroups,
    next: Option<Decoded>,
}

/// The row groups of an object, and what is wanted of them.
struct RowGroups {
    decoder: Decoder,
    object: Arc<Object>,
    labels: Arc<[StateLabel]>,
    groups: KeyGroups,
}

/// The steps of a row group, and where its rows begin and end.
struct Decoded {
    first: Place,
    last: Place,
    steps: VecDeque<ArchiveStep>,
}

/// Where a row belongs; rows ascend.
type Place = (KeyGroup, u32, Bytes, Bytes);

fn place_of(row: &ArchivedRow) -> Place {
    (row.group, row.state, row.row.key.clone(), row.row.sub.clone())
}

fn out_of_order(key: &[u8]) -> Error {
    Error::corrupt(format!("has key `{}` out of order", key.escape_ascii()))
}

impl RowGroups {
    /// The next row group; `None` behind the last. Takes a while: call it on the pool.
    fn decode(&mut self) -> Result<Option<Decoded>> {
        let Some(rows) = self.decoder.read(&self.labels)? else { return Ok(None) };
        self.check(&rows)?;
        let (Some(first), Some(last)) = (rows.first().map(place_of), rows.last().map(place_of)) else {
            return Err(Error::corrupt("has a row group without rows"));
        };
        let together = |one: &ArchivedRow, next: &ArchivedRow| one.state == next.state && one.group == next.group;
        let runs: Vec<usize> = rows.chunk_by(together).map(<[ArchivedRow]>::len).collect();
        let mut steps = VecDeque::with_capacity(runs.len());
        let mut rows = rows.into_iter();
        for run in runs {
            let mut run = rows.by_ref().take(run).peekable();
            let Some(&ArchivedRow { state, group, .. }) = run.peek() else { continue };
            let wanted = self.groups.contains(group);
            let run: Vec<_> = run.map(|row| row.row).collect();
            if wanted {
                steps.push_back(ArchiveStep::Rows(state, group, run));
            }
        }
        Ok(Some(Decoded { first, last, steps }))
    }

    /// Refuses a row that does not come next, or is not where its key belongs.
    fn check(&self, rows: &[ArchivedRow]) -> Result<()> {
        let named = self.object.first_group..=self.object.last_group;
        for ArchivedRow { group, row, .. } in rows {
            if !named.contains(&group.0) || *group != KeyGroup::of(&row.key, self.groups.total()) {
                return Err(Error::corrupt(format!("has key `{}` in group {group}", row.key.escape_ascii())));
            }
        }
        let place = |row: &ArchivedRow| (row.group, row.state);
        let ascend = |one: &ArchivedRow, next: &ArchivedRow| match place(one).cmp(&place(next)) {
            Ordering::Equal => (&one.row.key, &one.row.sub) < (&next.row.key, &next.row.sub),
            order => order.is_lt(),
        };
        match rows.windows(2).find(|pair| matches!(pair, [one, next] if !ascend(one, next))) {
            Some([_, next]) => Err(out_of_order(&next.row.key)),
            _ => Ok(()),
        }
    }
}

impl<'a> PartSource<'a> {
    /// Reads the groups `groups` of `part`.
    pub(super) fn new(objects: &'a Objects, resources: &'a Resources, part: &Part, groups: KeyGroups) -> Self {
        let states = part.states.iter().zip(0..).map(|(s, index)| ArchiveStep::State(index, s.spec.clone()));
        let labels: Arc<[StateLabel]> = part.states.iter().map(|s| StateLabel::of(&s.spec)).collect();
        let wanted: Vec<_> = part.objects.iter().filter(|o| o.overlaps(groups)).cloned().map(Arc::new).collect();
        let open = move |object| Opened::open(objects, resources, object, Arc::clone(&labels), groups);
        Self {
            objects,
            resources,
            opened: stream::iter(wanted).map(open).buffered(AHEAD).boxed(),
            current: None,
            steps: states.collect(),
            place: None,
            last: Some(ArchiveStep::Floor(part.floor.now(), part.floor.incarnation)),
        }
    }

    /// Decodes row groups until there is a step, or nothing is left.
    async fn refill(&mut self) -> Result<()> {
        while self.steps.is_empty() {
            let mut opened = match self.current.take() {
                Some(opened) => opened,
                None => match self.opened.try_next().await? {
                    Some(opened) => opened,
                    None => return Ok(()),
                },
            };
            if let Some(Decoded { first, last, steps }) = opened.next.take() {
                if self.place.as_ref().is_some_and(|place| *place >= first) {
                    return Err(blame(self.objects, &opened.object, out_of_order(&first.2)));
                }
                (self.place, self.steps) = (Some(last), steps);
                self.current = Some(opened.read(self.objects, self.resources).await?);
            }
        }
        Ok(())
    }
}

impl Opened {
    async fn open(
        objects: &Objects,
        resources: &Resources,
        object: Arc<Object>,
        labels: Arc<[StateLabel]>,
        groups: KeyGroups,
    ) -> Result<Self> {
        let chunks = objects.fetch(&object).await?;
        let wanted = Arc::clone(&object);
        let begin = move || {
            let mut rows = RowGroups { decoder: Decoder::open(chunks, wanted.rows)?, object: wanted, labels, groups };
            let next = rows.decode()?;
            Ok((rows, next))
        };
        let (rows, next) = resources.blocking(begin).await.map_err(|e| blame(objects, &object, e))?;
        Ok(Self { object, rows, next })
    }

    /// Decodes the next row group.
    async fn read(self, objects: &Objects, resources: &Resources) -> Result<Self> {
        let Self { object, mut rows, .. } = self;
        let job = move || rows.decode().map(|next| (rows, next));
        let (rows, next) = resources.blocking(job).await.map_err(|e| blame(objects, &object, e))?;
        Ok(Self { object, rows, next })
    }
}

/// The same error, naming the object.
fn blame(objects: &Objects, object: &Object, cause: Error) -> Error {
    match cause.kind() {
        ErrorKind::Corrupt => objects.corrupt(object, cause.message()).because(cause),
        kind => {
            let advice = cause.advice().unwrap_or_default().to_owned();
            let name = objects.show(object);
            Error::new(kind, format!("object `{name}` {}", cause.message())).about(name).advise(advice).because(cause)
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
