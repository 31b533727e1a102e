//! What a store writes about itself, under group 0xFFFF: part of the storage format.
//!
//! ```text
//! FFFF 00                head: identity, counters, floors
//! FFFF 01 [state u32]    catalog: one StateSpec; in format 2 the number of its rows behind it
//! FFFF 02 [group u16]    sequence: u64, the last revision's
//! FFFF 03 [writer u128]  marker: a writer's last commit and its answer
//! ```
//! Values other than sequences are sealed: `[format u16][crc32c u32]` before their postcard bytes.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{catalog::State, layout::Table};
use crate::{
    Committed, Error, ErrorKind, KeyGroup, KeyGroups, MAX_MARKED_CHANGES, Marker, Result, Revision, StateId, StateSpec,
    WriterId,
};

/// The newest format of layout and meta rows. Version N reads N-1 and refuses N+1 (contract NAME-5).
/// Every row is written in the oldest format that can hold it.
pub(super) const FORMAT: u16 = 2;
const OLDEST: u16 = 1;

const HEAD: u8 = 0;
const CATALOG: u8 = 1;
const SEQUENCES: u8 = 2;
const MARKERS: u8 = 3;
const GROUP: [u8; 2] = [0xFF, 0xFF];

fn key(tag: u8, rest: &[u8]) -> Vec<u8> {
    [&GROUP[..], &[tag], rest].concat()
}

pub(super) fn head_key() -> Vec<u8> {
    key(HEAD, &[])
}

pub(super) fn catalog_key(state: StateId) -> Vec<u8> {
    key(CATALOG, &state.0.to_be_bytes())
}

/// On the path of every commit to a state with revisions: no allocation.
pub(super) fn sequence_key(group: KeyGroup) -> [u8; 5] {
    let [a, b] = group.0.to_be_bytes();
    [GROUP[0], GROUP[1], SEQUENCES, a, b]
}

pub(super) fn marker_key(writer: WriterId) -> Vec<u8> {
    key(MARKERS, &writer.0.to_be_bytes())
}

/// Everything that is written at all, meta included.
pub(super) fn whole() -> (Vec<u8>, Vec<u8>) {
    (Vec::new(), vec![0xFF, 0xFF, 0xFF])
}

/// All rows of one kind: from, to.
pub(super) struct Kind(u8);

impl Kind {
    pub(super) const CATALOG: Self = Self(CATALOG);
    pub(super) const SEQUENCES: Self = Self(SEQUENCES);
    pub(super) const MARKERS: Self = Self(MARKERS);

    pub(super) fn range(&self) -> (Vec<u8>, Vec<u8>) {
        (key(self.0, &[]), key(self.0 + 1, &[]))
    }
}

/// The number behind the tag of a meta row's key.
pub(super) fn number<const N: usize>(key: &[u8]) -> Result<[u8; N]> {
    key.get(3..).and_then(|rest| rest.try_into().ok()).ok_or_else(|| damaged("the key of a meta row"))
}

#[cold]
fn damaged(what: &str) -> Error {
    Error::corrupt(format!("{what} is damaged"))
        .about(what)
        .advise("recover from a checkpoint; the disk or memory of this machine may be damaged")
}

/// Format, checksum and postcard bytes of `value`.
pub(super) fn seal(value: &impl Serialize) -> Result<Vec<u8>> {
    seal_as(OLDEST, value)
}

fn seal_as(format: u16, value: &impl Serialize) -> Result<Vec<u8>> {
    let mut out = format.to_be_bytes().to_vec();
    out.extend_from_slice(&[0; 4]);
    let mut out = postcard::to_extend(value, out)
        .map_err(|e| Error::internal("a meta row cannot be encoded").because(e.to_string()))?;
    let crc = crc32c::crc32c(&out[6..]) ^ u32::from(format);
    out[2..6].copy_from_slice(&crc.to_be_bytes());
    Ok(out)
}

/// What [`seal`] sealed; `what` names it in errors.
pub(super) fn unseal<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    let (_, body) = checked(what, bytes)?;
    postcard::from_bytes(body).map_err(|_| damaged(what))
}

/// A writer's marker, whose answer can be given.
pub(super) fn unseal_marker(bytes: &[u8]) -> Result<StoredMarker> {
    const WHAT: &str = "a writer's marker";
    let marker: StoredMarker = unseal(WHAT, bytes)?;
    if marker.is_sound() { Ok(marker) } else { Err(damaged(WHAT)) }
}

/// The row of a state in the catalog.
pub(super) fn seal_state(state: &State) -> Result<Vec<u8>> {
    let table = state.form.table;
    if table == Table::of(state.form.id) { seal(&*state.spec) } else { seal_as(2, &(&*state.spec, table.0)) }
}

/// What [`seal_state`] sealed.
pub(super) fn unseal_state(id: StateId, bytes: &[u8]) -> Result<State> {
    const WHAT: &str = "the catalog";
    let (format, body) = checked(WHAT, bytes)?;
    let state = if format == OLDEST {
        postcard::from_bytes(body).map(|spec| State::new(id, spec))
    } else {
        postcard::from_bytes::<(StateSpec, u32)>(body).map(|(spec, table)| State::at(id, Table(table), spec))
    };
    state.map_err(|_| damaged(WHAT))
}

/// Format and postcard bytes of what was sealed.
fn checked<'a>(what: &str, bytes: &'a [u8]) -> Result<(u16, &'a [u8])> {
    let (head, body) = bytes.split_first_chunk::<6>().ok_or_else(|| damaged(what))?;
    let [a, b, crc @ ..] = *head;
    let format = u16::from_be_bytes([a, b]);
    if format > FORMAT {
        return Err(Error::unsupported(format!(
            "{what} has format {format}, written by a newer version; this one reads up to {FORMAT}"
        ))
        .advise("open it with the version that wrote it, or a newer one"));
    }
    if crc32c::crc32c(body) ^ u32::from(format) != u32::from_be_bytes(crc) {
        return Err(damaged(what));
    }
    Ok((format, body))
}

/// Whose data this is, and what never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) key_groups: u16,
    pub(super) start: u16,
    pub(super) end: u16,
    /// Raised by recover and drop; the upper part of revisions.
    pub(super) incarnation: u32,
    /// Millis that the store's `now` is never below.
    pub(super) floor: u64,
    /// Raised by each open and recover; the upper part of ordinals.
    pub(super) session: u32,
    /// The next state's number; numbers begin at 1.
    pub(super) next_state: u32,
    /// States from this number on that are not in the catalog are leftovers of a
    /// load; 0 if no load was under way.
    pub(super) loading: u32,
    /// Nothing that was written before is lost.
    pub(super) clean: bool,
}

impl Head {
    /// The greatest incarnation and session: both have 24 bits.
    pub(super) const MAX_EPOCH: u32 = (1 << 24) - 1;

    pub(super) fn new(groups: KeyGroups) -> Self {
        let range = groups.range();
        Self {
            key_groups: groups.total(),
            start: range.start,
            end: range.end,
            incarnation: 1,
            floor: 0,
            session: 0,
            next_state: 1,
            loading: 0,
            clean: true,
        }
    }

    /// Refuses to be opened for other groups (contract NAME-3).
    pub(super) fn check(&self, groups: KeyGroups) -> Result<()> {
        if self.key_groups != groups.total() {
            return Err(Error::invalid(format!(
                "the store was written with key_groups = {}, and is opened with {}",
                self.key_groups,
                groups.total()
            ))
            .about("key_groups")
            .advise(format!("set key_groups = {}; it is fixed for the life of a namespace", self.key_groups)));
        }
        if (self.start..self.end) != groups.range() {
            return Err(Error::invalid(format!(
                "the store holds the key groups {}..{}, and is opened for {groups}",
                self.start, self.end
            ))
            .about("groups")
            .advise("open it for its own range; rescale by archive and recover"));
        }
        Ok(())
    }

    /// One above `epoch`, if there is one.
    pub(super) fn above(epoch: u32, what: &str) -> Result<u32> {
        if epoch >= Self::MAX_EPOCH {
            return Err(Error::new(ErrorKind::ResourceExhausted, format!("the store's {what} is used up"))
                .advise("archive it, and recover into a new store"));
        }
        Ok(epoch + 1)
    }
}

/// A writer's last commit and its answer (contract BATCH-4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredMarker {
    pub(super) sequence: u64,
    pub(super) position: Option<Vec<u8>>,
    /// The store's session when it was written.
    pub(super) session: u32,
    /// (first revision, how many): ascending by one, or all `NONE`.
    revisions: Vec<(u64, u32)>,
}

impl StoredMarker {
    /// Whether its runs are numbers, and not more than were ever written: a few bytes can claim very many.
    fn is_sound(&self) -> bool {
        let add = |sum: u64, (first, n): &(u64, u32)| {
            first.checked_add(u64::from(*n))?;
            sum.checked_add(u64::from(*n))
        };
        self.revisions.iter().try_fold(0, add).is_some_and(|sum| sum <= MAX_MARKED_CHANGES as u64)
    }

    pub(super) fn new(marker: &Marker, session: u32, answer: &Committed) -> Self {
        let mut runs: Vec<(u64, u32)> = Vec::new();
        for &Revision(revision) in &answer.revisions {
            match runs.last_mut() {
                Some((0, n)) if revision == 0 => *n += 1,
                Some((first, n)) if *first != 0 && revision == *first + u64::from(*n) => *n += 1,
                _ => runs.push((revision, 1)),
            }
        }
        let position = marker.position.as_ref().map(|p| p.to_vec());
        Self { sequence: marker.sequence, position, session, revisions: runs }
    }

    /// The answer that was given, now as a duplicate.
    pub(super) fn answer(&self) -> Committed {
        let run =
            |&(first, n): &(u64, u32)| (0..u64::from(n)).map(move |i| Revision(if first == 0 { 0 } else { first + i }));
        Committed { revisions: self.revisions.iter().flat_map(run).collect(), duplicate: true }
    }
}
