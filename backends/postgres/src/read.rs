//! Point reads: one statement, hence one point in time, on a store's pool or on a snapshot's connection.

use std::{collections::HashSet, slice, sync::Arc};

use bytes::Bytes;
use sqlx::{PgConnection, error::Error as SqlError, query_as};
use statehold_core::{Address, Cell, Millis, Model, Op, Result, Revision, StateId};

use crate::{
    batch::{group_number, slices},
    bits::flop,
    catalog, error,
    pool::Work,
    store::{Forms, Inner, form_in},
};

/// Value, revision and expiry as the server holds them.
pub(crate) fn cell(value: Vec<u8>, revision: Option<i64>, expires_at: Option<i64>) -> Cell {
    Cell {
        value: Bytes::from(value),
        revision: Revision(revision.map_or(0, flop)),
        expires_at: expires_at.map(|at| Millis(flop(at))),
    }
}

/// One record of a state that has no list heads.
struct GetOne {
    at: Address,
}

type MaybeRow = (Option<Vec<u8>>, Option<i64>, Option<i64>);

const ONE: &str = "SELECT e.value, e.revision, e.expires_at FROM states s
    LEFT JOIN entries e ON e.state = s.id AND e.grp = $2 AND e.key = $3 AND e.sub = $4
    WHERE s.id = $1 AND s.phase = 'live'";

impl Work for GetOne {
    /// `None` if the state is gone.
    type Out = Option<Option<Cell>>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let at = &self.at;
        let query = query_as(ONE).bind(catalog::id(at.state)).bind(group_number(at.group));
        let found: Option<MaybeRow> = query.bind(&at.key[..]).bind(&at.sub[..]).fetch_optional(on).await?;
        Ok(found.map(|(value, revision, expires_at)| value.map(|value| cell(value, revision, expires_at))))
    }
}

/// Records, and the heads of the lists that they are elements of.
pub(crate) struct Wanted {
    states: Vec<i32>,
    groups: Vec<i16>,
    keys: Vec<Bytes>,
    subs: Vec<Bytes>,
    /// Model, head's place if it has one, record's place.
    records: Vec<(Model, Option<usize>, usize)>,
    /// The states, each once.
    pub(crate) named: Vec<StateId>,
}

const MANY: &str = "SELECT w.n, e.value, e.revision, e.expires_at
    FROM unnest($1::int4[], $2::int2[], $3::bytea[], $4::bytea[]) WITH ORDINALITY w (state, grp, key, sub, n)
    JOIN entries e ON e.state = w.state AND e.grp = w.grp AND e.key = w.key AND e.sub = w.sub
    WHERE (SELECT count(*) FROM states s WHERE s.id = ANY ($5) AND s.phase = 'live') = cardinality($5)";

/// Place among those wanted, from 1, and what is there.
pub(crate) type Numbered = (i64, Vec<u8>, Option<i64>, Option<i64>);

impl Wanted {
    pub(crate) fn new(at: &[Address], forms: &Forms) -> Result<Self> {
        let mut wanted = Self {
            states: Vec::with_capacity(at.len()),
            groups: Vec::with_capacity(at.len()),
            keys: Vec::with_capacity(at.len()),
            subs: Vec::with_capacity(at.len()),
            records: Vec::with_capacity(at.len()),
            named: at.iter().map(|at| at.state).collect::<HashSet<_>>().into_iter().collect(),
        };
        for at in at {
            let form = form_in(forms, at.state)?;
            form.check(&at.key, &at.sub)?;
            let head = form.has_heads().then(|| wanted.add(at, Bytes::new()));
            let record = wanted.add(at, at.sub.clone());
            wanted.records.push((form.model, head, record));
        }
        Ok(wanted)
    }

    fn add(&mut self, at: &Address, sub: Bytes) -> usize {
        self.states.push(catalog::id(at.state));
        self.groups.push(group_number(at.group));
        self.keys.push(at.key.clone());
        self.subs.push(sub);
        self.subs.len() - 1
    }

    /// The live records, in the order asked. The elements of a list live as long as its head.
    pub(crate) fn live(&self, rows: Vec<Numbered>, now: Millis) -> Vec<Option<Cell>> {
        let mut cells: Vec<Option<Cell>> = vec![None; self.subs.len()];
        for (n, value, revision, expires_at) in rows {
            let place = usize::try_from(n - 1).ok().and_then(|n| cells.get_mut(n));
            if let Some(place) = place {
                *place = Some(cell(value, revision, expires_at));
            }
        }
        let lives = |cell: &Option<Cell>| cell.as_ref().is_some_and(|c| c.is_live(now));
        let shown = |(model, head, record): &(Model, Option<usize>, usize)| {
            let there = match head {
                Some(head) => lives(&cells[*head]),
                None => *model == Model::List || lives(&cells[*record]),
            };
            if there { cells[*record].clone() } else { None }
        };
        self.records.iter().map(shown).collect()
    }
}

impl Work for Wanted {
    type Out = Vec<Numbered>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let named: Vec<i32> = self.named.iter().map(|state| catalog::id(*state)).collect();
        let query = query_as(MANY).bind(&self.states).bind(&self.groups).bind(slices(&self.keys));
        query.bind(slices(&self.subs)).bind(named).fetch_all(on).await
    }
}

impl Inner {
    pub(crate) fn get(self: &Arc<Self>, at: &Address) -> Op<'static, Option<Cell>> {
        let (inner, at) = (Arc::clone(self), at.clone());
        self.task(async move {
            inner.pool.check_open()?;
            inner.check_address(&at)?;
            let forms = inner.forms(std::iter::once(at.state)).await?;
            let form = form_in(&forms, at.state)?;
            if form.has_heads() {
                return Ok(inner.read_many(slice::from_ref(&at), &forms).await?.pop().flatten());
            }
            form.check(&at.key, &at.sub)?;
            let now = inner.clock.now();
            let found = inner.pool.read(&GetOne { at }).await?.ok_or_else(error::gone)?;
            Ok(found.filter(|cell| form.model == Model::List || cell.is_live(now)))
        })
    }

    pub(crate) fn get_many(self: &Arc<Self>, at: &[Address]) -> Op<'static, Vec<Option<Cell>>> {
        let (inner, at) = (Arc::clone(self), at.to_vec());
        self.task(async move {
            inner.pool.check_open()?;
            at.iter().try_for_each(|at| inner.check_address(at))?;
            let forms = inner.forms(at.iter().map(|at| at.state)).await?;
            inner.read_many(&at, &forms).await
        })
    }

    async fn read_many(&self, at: &[Address], forms: &Forms) -> Result<Vec<Option<Cell>>> {
        let wanted = Wanted::new(at, forms)?;
        if at.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let rows = self.pool.read(&wanted).await?;
        if rows.is_empty() {
            // None of them is there, or one of the states is not.
            self.still_there(wanted.named.clone()).await?;
        }
        Ok(wanted.live(rows, now))
    }
}
