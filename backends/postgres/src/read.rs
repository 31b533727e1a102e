//! Point reads: one statement, hence one point in time, on a store's pool or on a snapshot's connection.

use std::{cmp::Ordering, slice, sync::Arc};

use bytes::Bytes;
use sqlx::{PgConnection, error::Error as SqlError, query_as};
use statehold_core::{Address, Cell, Form, Millis, Model, Op, Result, Revision, StateId};

use crate::{
    batch::slices,
    bits::flop,
    catalog::{self, Forms, form_in},
    error,
    place::RowKey,
    pool::Work,
    store::Inner,
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
    LEFT JOIN entries e ON e.key = $2 AND e.sub = $3
    WHERE s.id = $1 AND s.phase = 'live'";

impl Work for GetOne {
    /// `None` if the state is gone.
    type Out = Option<Option<Cell>>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let at = &self.at;
        let query = query_as(ONE).bind(catalog::id(at.state)).bind(RowKey::new(at.state, at.group, at.key.clone()));
        let found: Option<MaybeRow> = query.bind(&at.sub[..]).fetch_optional(on).await?;
        Ok(found.map(|(value, revision, expires_at)| value.map(|value| cell(value, revision, expires_at))))
    }
}

/// The states of `at`, each once.
fn states_of(at: &[Address]) -> Vec<StateId> {
    let mut states: Vec<StateId> = at.iter().map(|at| at.state).collect();
    states.sort_unstable();
    states.dedup();
    states
}

/// Records, and the heads of the lists that they are elements of.
pub(crate) struct Wanted {
    keys: Vec<RowKey>,
    subs: Vec<Bytes>,
    /// Model, head's place if it has one, record's place.
    records: Vec<(Model, Option<usize>, usize)>,
    /// The states, each once.
    pub(crate) named: Vec<StateId>,
}

const MANY: &str = "SELECT w.n, e.value, e.revision, e.expires_at
    FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY w (key, sub, n)
    JOIN entries e ON e.key = w.key AND e.sub = w.sub
    WHERE (SELECT count(*) FROM states s WHERE s.id = ANY ($3) AND s.phase = 'live') = cardinality($3)";

/// The same for records of one state without subkeys, at two thirds of the price.
const KEYS: &str = "SELECT e.key, e.value, e.revision, e.expires_at FROM entries e
    WHERE e.key = ANY ($1) AND e.sub = ''
        AND EXISTS (SELECT 1 FROM states s WHERE s.id = $2 AND s.phase = 'live')";

/// Place among those wanted, from 1, and what is there.
type Numbered = (i64, Vec<u8>, Option<i64>, Option<i64>);

/// The column `key`, and what is there.
type Keyed = (Vec<u8>, Vec<u8>, Option<i64>, Option<i64>);

/// Place among those wanted, and what is there.
pub(crate) type Found = (usize, Cell);

impl Wanted {
    pub(crate) fn new(at: &[Address], forms: &Forms) -> Result<Self> {
        let mut wanted = Self {
            keys: Vec::with_capacity(at.len()),
            subs: Vec::with_capacity(at.len()),
            records: Vec::with_capacity(at.len()),
            named: states_of(at),
        };
        let mut last = None;
        for at in at {
            // Mostly they are of one state.
            let form = match last {
                Some(form @ Form { id, .. }) if id == at.state => form,
                _ => form_in(forms, at.state)?,
            };
            last = Some(form);
            form.check(&at.key, &at.sub)?;
            let head = form.has_heads().then(|| wanted.add(at, Bytes::new()));
            let record = wanted.add(at, at.sub.clone());
            wanted.records.push((form.model, head, record));
        }
        Ok(wanted)
    }

    fn add(&mut self, at: &Address, sub: Bytes) -> usize {
        self.keys.push(RowKey::new(at.state, at.group, at.key.clone()));
        self.subs.push(sub);
        self.subs.len() - 1
    }

    /// The live records, in the order asked. The elements of a list live as long as its head.
    pub(crate) fn live(&self, found: Vec<Found>, now: Millis) -> Vec<Option<Cell>> {
        let mut cells: Vec<Option<Cell>> = vec![None; self.subs.len()];
        for (n, cell) in found {
            if let Some(place) = cells.get_mut(n) {
                *place = Some(cell);
            }
        }
        let lives = |cell: &Option<Cell>| cell.as_ref().is_some_and(|c| c.is_live(now));
        let shown = |(model, head, record): &(Model, Option<usize>, usize)| {
            let there = match head {
                Some(head) => lives(&cells[*head]),
                None => *model == Model::List || lives(&cells[*record]),
            };
            if there { cells[*record].take() } else { None }
        };
        self.records.iter().map(shown).collect()
    }
}

impl Work for Wanted {
    type Out = Vec<Found>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let named: Vec<i32> = self.named.iter().map(|state| catalog::id(*state)).collect();
        if let [state] = named[..]
            && self.subs.iter().all(Bytes::is_empty)
        {
            let rows = query_as(KEYS).bind(&self.keys).bind(state).fetch_all(on).await?;
            return Ok(self.places_of(rows));
        }
        let query = query_as(MANY).bind(&self.keys).bind(slices(&self.subs));
        let rows: Vec<Numbered> = query.bind(named).fetch_all(on).await?;
        let found = |(n, value, revision, expires_at): Numbered| {
            usize::try_from(n - 1).ok().map(|n| (n, cell(value, revision, expires_at)))
        };
        Ok(rows.into_iter().filter_map(found).collect())
    }
}

impl Wanted {
    /// Finds the places of rows. They mostly come in the index's order, but need not.
    fn places_of(&self, rows: Vec<Keyed>) -> Vec<Found> {
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        order.sort_unstable_by(|a, b| self.keys[*a].cmp(&self.keys[*b]));
        let compare = |place: usize, key: &[u8]| order.get(place).map(|n| self.keys[*n].cmp_held(key));
        let mut found = Vec::with_capacity(rows.len());
        let mut next = 0;
        for (key, value, revision, expires_at) in rows {
            while compare(next, &key) == Some(Ordering::Less) {
                next += 1;
            }
            if compare(next, &key) != Some(Ordering::Equal) {
                next = order.partition_point(|n| self.keys[*n].cmp_held(&key).is_lt());
                if compare(next, &key) != Some(Ordering::Equal) {
                    continue;
                }
            }
            let cell = cell(value, revision, expires_at);
            // The same record may be asked for more than once.
            while compare(next + 1, &key) == Some(Ordering::Equal) {
                found.push((order[next], cell.clone()));
                next += 1;
            }
            if let Some(n) = order.get(next) {
                found.push((*n, cell));
            }
            next += 1;
        }
        found
    }
}

impl Inner {
    pub(crate) fn get(self: &Arc<Self>, at: &Address) -> Op<'static, Option<Cell>> {
        let (inner, at) = (Arc::clone(self), at.clone());
        self.task(async move {
            inner.pool.check_open()?;
            inner.check_address(&at)?;
            let known = inner.known(std::iter::once(at.state)).await?;
            let form = form_in(known.forms(), at.state)?;
            if form.has_heads() {
                return Ok(inner.read_many(slice::from_ref(&at), known.forms()).await?.pop().flatten());
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
            let known = inner.known(states_of(&at).into_iter()).await?;
            inner.read_many(&at, known.forms()).await
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

#[cfg(test)]
mod tests {
    use statehold_core::KeyGroup;

    use super::*;

    #[test]
    fn rows_find_their_places_in_whatever_order_they_come() {
        let asked = [(2, "b"), (1, "z"), (2, "b"), (1, "a"), (3, ""), (2, "b")];
        let key = |(group, key): (u16, &'static str)| RowKey::new(StateId(1), KeyGroup(group), key.into());
        let keys: Vec<RowKey> = asked.into_iter().map(key).collect();
        let wanted = Wanted { keys, subs: Vec::new(), records: Vec::new(), named: Vec::new() };
        let row = |(group, name): (u16, &'static str)| {
            let mut held = Vec::new();
            key((group, name)).write(&mut held);
            (held, name.into(), None, None)
        };
        for there in [
            vec![(1, "a"), (1, "z"), (2, "b")],
            vec![(2, "b"), (1, "z"), (1, "a")],
            vec![(1, "z"), (2, "b"), (1, "a")],
            vec![(3, "")],
            vec![(1, "b"), (2, "b"), (4, "c")],
        ] {
            let mut found = wanted.places_of(there.iter().copied().map(row).collect());
            found.sort_unstable_by_key(|(place, _)| *place);
            let places: Vec<usize> = found.iter().map(|(place, _)| *place).collect();
            let expected: Vec<usize> = (0..asked.len()).filter(|n| there.contains(&asked[*n])).collect();
            assert_eq!(places, expected, "{there:?}");
            assert!(found.iter().all(|(place, cell)| cell.value == asked[*place].1));
        }
    }
}
