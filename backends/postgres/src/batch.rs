//! [`Statement`]: a batch as the arrays that the server's commit function takes.

use bytes::Bytes;
use sqlx::{
    Arguments, PgConnection, Row as _,
    error::{BoxDynError, Error as SqlError},
    postgres::{PgArguments, PgRow},
    query_with,
};
use statehold_core::{Batch, Cell, Condition, Form, Marker, Model, Mutation, Result, Revision, StateId};

use crate::{
    bits::{expiry, flip},
    catalog::{self, Forms, form_in},
    error,
    place::{RowKey, stripe},
    plain,
    pool::Work,
};

pub(crate) fn slices(bytes: &[Bytes]) -> Vec<&[u8]> {
    bytes.iter().map(|b| &b[..]).collect()
}

fn optional(bytes: &[Option<Bytes>]) -> Vec<Option<&[u8]>> {
    bytes.iter().map(Option::as_deref).collect()
}

#[derive(Default)]
struct Conditions {
    key: Vec<RowKey>,
    sub: Vec<Bytes>,
    heads: Vec<bool>,
    kind: Vec<i16>,
    revision: Vec<Option<i64>>,
    value: Vec<Option<Bytes>>,
}

#[derive(Default)]
pub(crate) struct Puts {
    pub(crate) key: Vec<RowKey>,
    /// `None` is an element to append.
    pub(crate) sub: Vec<Option<Bytes>>,
    pub(crate) value: Vec<Bytes>,
    pub(crate) expires: Vec<Option<i64>>,
    index: Vec<Option<i32>>,
    draw: Vec<Option<i64>>,
}

/// Key, sub, value and expiry of a record.
pub(crate) type Only<'a> = (&'a RowKey, &'a [u8], &'a [u8], Option<i64>);

impl Puts {
    /// The record, if there is one and no other.
    pub(crate) fn only(&self) -> Option<Only<'_>> {
        let ([key], [sub], [value], [expires]) = (&self.key[..], &self.sub[..], &self.value[..], &self.expires[..])
        else {
            return None;
        };
        Some((key, sub.as_deref().unwrap_or_default(), value, *expires))
    }
}

/// Numbers that a batch draws from its stripes.
#[derive(Default)]
struct Draws {
    /// How many each stripe gives; nothing if none does.
    by_stripe: Vec<i64>,
}

impl Draws {
    /// The next `count` of a stripe: how many were drawn before.
    fn draw(&mut self, stripes: usize, stripe: usize, count: i64) -> i64 {
        self.by_stripe.resize(stripes, 0);
        let before = self.by_stripe[stripe];
        self.by_stripe[stripe] += count;
        before
    }

    fn given(&self) -> Option<&[i64]> {
        (!self.by_stripe.is_empty()).then_some(&self.by_stripe)
    }
}

/// The stripes that `batch` locks, ascending; one that touches no group locks the first.
fn stripes(batch: &Batch) -> Vec<i16> {
    let mut stripes: Vec<i16> = batch.groups().into_iter().map(stripe).collect();
    stripes.sort_unstable();
    stripes.dedup();
    if stripes.is_empty() {
        stripes.push(0);
    }
    stripes
}

/// One commit, ready to be sent any number of times.
#[derive(Default)]
pub(crate) struct Statement {
    pub(crate) store: i32,
    pub(crate) epoch: i64,
    pub(crate) session: i64,
    pub(crate) now: i64,
    pub(crate) stripes: Vec<i16>,
    /// That the forms are of; a commit under a later one looks whether the states are still there.
    pub(crate) incarnation: i32,
    states: Vec<i32>,
    marker: Option<Marker>,
    conditions: Conditions,
    ranges: (Vec<RowKey>, Vec<Bytes>, Vec<Option<Bytes>>),
    trims: (Vec<RowKey>, Vec<i64>),
    deletes: (Vec<RowKey>, Vec<Bytes>),
    heads: Vec<RowKey>,
    pub(crate) puts: Puts,
    revisions: Draws,
    ordinals: Draws,
    /// Which revision each mutation drew: stripe (an index) and place, from 1.
    drawn: Vec<Option<(usize, u64)>>,
}

impl Statement {
    /// Checks and translates `batch`, which is sorted.
    pub(crate) fn new(batch: &Batch, forms: &Forms) -> Result<Self> {
        let mut out = Self { stripes: stripes(batch), ..Self::default() };
        let mut states: Vec<StateId> = batch.mutations.iter().map(|m| m.at().state).collect();
        states.extend(batch.conditions.iter().map(|(at, _)| at.state));
        states.sort_unstable();
        states.dedup();
        out.states = states.into_iter().map(catalog::id).collect();
        out.marker.clone_from(&batch.marker);
        for (at, condition) in &batch.conditions {
            let form = form_in(forms, at.state)?;
            form.check(&at.key, &at.sub)?;
            out.conditions.push(form, at, condition)?;
        }
        for mutation in &batch.mutations {
            let form = form_in(forms, mutation.at().state)?;
            form.check_mutation(mutation)?;
            if form.model == Model::List && matches!(mutation, Mutation::Put(..)) {
                return Err(error::numbered());
            }
            let stripe = out.stripes.binary_search(&stripe(mutation.at().group)).unwrap_or(0);
            let drawn = form.revisions.then(|| (stripe, 1 + out.revisions.draw(out.stripes.len(), stripe, 1) as u64));
            out.drawn.push(drawn);
            out.push(form, stripe, mutation, drawn);
        }
        Ok(out)
    }

    fn push(&mut self, form: Form, stripe: usize, mutation: &Mutation, drawn: Option<(usize, u64)>) {
        // The server counts from 1. There are few stripes.
        let index = Some(stripe as i32 + 1);
        let at = mutation.at();
        let key = RowKey::new(form.id, at.group, at.key.clone());
        match mutation {
            Mutation::Put(_, cell) => {
                let draw = drawn.map(|(_, place)| place as i64);
                self.puts.push(key, Some(at.sub.clone()), cell, index.zip(draw));
            }
            Mutation::Delete(_) => {
                self.deletes.0.push(key);
                self.deletes.1.push(at.sub.clone());
            }
            Mutation::DeleteSubs { until, .. } => {
                // A list's head goes only with the whole list.
                let spared = form.has_heads() && at.sub.is_empty() && until.is_some();
                let from = if spared { Bytes::from_static(b"\0") } else { at.sub.clone() };
                self.ranges.0.push(key);
                self.ranges.1.push(from);
                self.ranges.2.push(until.clone());
            }
            Mutation::Append { cells, .. } => {
                let Some(first) = cells.first() else { return };
                if form.has_heads() {
                    self.heads.push(key.clone());
                    let head = Cell { expires_at: first.expires_at, ..Cell::default() };
                    self.puts.push(key.clone(), Some(Bytes::new()), &head, None);
                }
                let draw = self.ordinals.draw(self.stripes.len(), stripe, cells.len() as i64);
                for (draw, cell) in (draw..).zip(cells) {
                    self.puts.push(key.clone(), None, cell, index.map(|i| (i, draw)));
                }
            }
            Mutation::TrimFront { count, .. } => {
                self.trims.0.push(key);
                self.trims.1.push(i64::try_from(*count).unwrap_or(i64::MAX));
            }
            // `Form::check_mutation` knows all kinds that there are.
            _ => {}
        }
    }

    /// Only puts of whole records that take no number from their stripes, under no condition and without a marker.
    fn is_plain(&self) -> bool {
        let others = [&self.conditions.key, &self.ranges.0, &self.trims.0, &self.deletes.0, &self.heads];
        let drawn = self.revisions.given().or(self.ordinals.given());
        self.marker.is_none() && drawn.is_none() && others.iter().all(|keys| keys.is_empty())
    }

    /// The revisions of the commit, mutation by mutation; nothing if no state of it keeps any.
    pub(crate) fn revisions(&self, incarnation: i32, bases: Option<&[i64]>) -> Vec<Revision> {
        let Some(bases) = bases.filter(|_| self.drawn.iter().any(Option::is_some)) else { return Vec::new() };
        let incarnation = u32::try_from(incarnation).unwrap_or_default();
        let revision = |drawn: &Option<(usize, u64)>| match drawn {
            Some((stripe, place)) => {
                Revision::new(incarnation, bases.get(*stripe).map_or(0, |base| *base as u64) + place)
            }
            None => Revision::NONE,
        };
        self.drawn.iter().map(revision).collect()
    }

    fn arguments(&self) -> Result<PgArguments, BoxDynError> {
        let mut to = PgArguments::default();
        to.add(self.store)?;
        to.add(self.epoch)?;
        to.add(self.session)?;
        to.add(self.now)?;
        to.add(&self.stripes[..])?;
        to.add(self.revisions.given())?;
        to.add(self.ordinals.given())?;
        to.add(&self.states[..])?;
        let marker = self.marker.as_ref();
        to.add(marker.map(|m| m.writer.0.to_be_bytes().to_vec()))?;
        to.add(marker.map(|m| flip(m.sequence)))?;
        to.add(marker.and_then(|m| m.position.as_deref()))?;
        let c = &self.conditions;
        to.add(&c.key[..])?;
        to.add(slices(&c.sub))?;
        to.add(&c.heads[..])?;
        to.add(&c.kind[..])?;
        to.add(&c.revision[..])?;
        to.add(optional(&c.value))?;
        to.add(&self.ranges.0[..])?;
        to.add(slices(&self.ranges.1))?;
        to.add(optional(&self.ranges.2))?;
        to.add(&self.trims.0[..])?;
        to.add(&self.trims.1[..])?;
        to.add(&self.deletes.0[..])?;
        to.add(slices(&self.deletes.1))?;
        to.add(&self.heads[..])?;
        let p = &self.puts;
        to.add(&p.key[..])?;
        to.add(optional(&p.sub))?;
        to.add(slices(&p.value))?;
        to.add(&p.expires[..])?;
        to.add(&p.index[..])?;
        to.add(&p.draw[..])?;
        Ok(to)
    }
}

impl Conditions {
    fn push(&mut self, form: Form, at: &statehold_core::Address, condition: &Condition) -> Result<()> {
        let (kind, revision, value) = match condition {
            Condition::Absent => (0, None, None),
            Condition::Present => (1, None, None),
            Condition::RevisionIs(_) if !form.revisions => return Err(error::no_revisions()),
            Condition::RevisionIs(revision) => (2, Some(flip(revision.0)), None),
            Condition::ValueIs(payload) => (3, None, Some(payload.clone())),
        };
        self.key.push(RowKey::new(form.id, at.group, at.key.clone()));
        self.sub.push(at.sub.clone());
        self.heads.push(form.has_heads());
        self.kind.push(kind);
        self.revision.push(revision);
        self.value.push(value);
        Ok(())
    }
}

impl Puts {
    fn push(&mut self, key: RowKey, sub: Option<Bytes>, cell: &Cell, draw: Option<(i32, i64)>) {
        self.key.push(key);
        self.sub.push(sub);
        self.value.push(cell.value.clone());
        self.expires.push(expiry(cell.expires_at));
        self.index.push(draw.map(|(index, _)| index));
        self.draw.push(draw.map(|(_, draw)| draw));
    }
}

/// What the commit function answers.
#[derive(Default)]
pub(crate) struct Answer {
    /// The catalog that the statement was made from is not the store's any more.
    pub(crate) stale: bool,
    pub(crate) outcome: String,
    pub(crate) incarnation: Option<i32>,
    pub(crate) bases: Option<Vec<i64>>,
    pub(crate) failed: Option<Vec<i64>>,
    pub(crate) last: Option<i64>,
    pub(crate) floor: Option<i64>,
}

const SQL: &str = "SELECT * FROM statehold_commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
    $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)";

impl Work for Statement {
    type Out = Answer;

    async fn run(&self, on: &mut PgConnection) -> Result<Answer, SqlError> {
        if self.is_plain() && plain::is_put(self, on).await? {
            return Ok(Answer { outcome: "committed".to_owned(), ..Answer::default() });
        }
        let arguments = self.arguments().map_err(SqlError::Encode)?;
        let row: PgRow = query_with(SQL, arguments).fetch_one(on).await?;
        Ok(Answer {
            // Plain puts were refused before.
            stale: self.is_plain(),
            outcome: row.try_get("outcome")?,
            incarnation: row.try_get("incarnation")?,
            bases: row.try_get("bases")?,
            failed: row.try_get("failed")?,
            last: row.try_get("last")?,
            floor: row.try_get("floor")?,
        })
    }
}
