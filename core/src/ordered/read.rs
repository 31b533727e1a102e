//! Point reads, of a store and of an image.

use std::{cell::RefCell, ops::Range, sync::Arc};

use bytes::Bytes;

use super::{
    Engine, EngineRead,
    inner::Inner,
    layout::{self, Form},
};
use crate::{Address, Cell, Millis, Op, Result, StateId};

/// So many keys are looked up on the caller's thread at most.
const QUICK_KEYS: usize = 128;

thread_local! {
    /// A row's key while it is looked up: a read allocates nothing but its value.
    static KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The live record at `at`. `None` if `fetch` had to wait for one of the rows.
pub(super) fn record(
    form: Form,
    at: &Address,
    now: Millis,
    key: &mut Vec<u8>,
    fetch: impl Fn(&[u8]) -> Result<Option<Option<Bytes>>>,
) -> Result<Option<Option<Cell>>> {
    form.check(&at.key, &at.sub)?;
    if form.has_heads() {
        form.row(at.group, &at.key, &[], key);
        let Some(head) = fetch(key)? else { return Ok(None) };
        if !head_lives(form, head, now)? {
            return Ok(Some(None));
        }
    }
    form.row(at.group, &at.key, &at.sub, key);
    let Some(raw) = fetch(key)? else { return Ok(None) };
    Ok(Some(shown(form, raw, now)?))
}

/// Whether the list of this head is there.
pub(super) fn head_lives(form: Form, head: Option<Bytes>, now: Millis) -> Result<bool> {
    Ok(match head {
        None => false,
        Some(raw) => form.cell(raw)?.is_live(now),
    })
}

/// A row's cell, unless it has expired. The elements of a list live as long as its head.
fn shown(form: Form, raw: Option<Bytes>, now: Millis) -> Result<Option<Cell>> {
    let Some(raw) = raw else { return Ok(None) };
    let cell = form.cell(raw)?;
    Ok((form.model == crate::Model::List || cell.is_live(now)).then_some(cell))
}

/// Rows to be looked up together.
pub(super) struct Wanted {
    keys: Vec<u8>,
    /// The form, its head's key if it has one, the record's key.
    records: Vec<(Form, Option<Range<usize>>, Range<usize>)>,
}

impl Wanted {
    pub(super) fn new(at: &[Address], mut form_of: impl FnMut(StateId) -> Result<Form>) -> Result<Self> {
        let bytes = at.iter().map(|at| layout::PREFIX + at.key.len() + at.sub.len()).sum();
        let mut wanted = Self { keys: Vec::with_capacity(bytes), records: Vec::with_capacity(at.len()) };
        let mut key = Vec::new();
        let mut last: Option<Form> = None;
        for at in at {
            let form = match last {
                Some(form) if form.id == at.state => form,
                _ => form_of(at.state)?,
            };
            last = Some(form);
            form.check(&at.key, &at.sub)?;
            let mut add = |sub: &[u8]| {
                form.row(at.group, &at.key, sub, &mut key);
                let start = wanted.keys.len();
                wanted.keys.extend_from_slice(&key);
                start..wanted.keys.len()
            };
            let head = form.has_heads().then(|| add(&[]));
            let record = add(&at.sub);
            wanted.records.push((form, head, record));
        }
        Ok(wanted)
    }

    fn look_up(
        &self,
        fetch: impl FnOnce(&[&[u8]]) -> Result<Option<Vec<Option<Bytes>>>>,
        now: Millis,
    ) -> Result<Option<Vec<Option<Cell>>>> {
        let mut keys: Vec<&[u8]> = Vec::with_capacity(self.records.len());
        for (_, head, record) in &self.records {
            keys.extend(head.iter().chain([record]).map(|range| &self.keys[range.clone()]));
        }
        let Some(rows) = fetch(&keys)? else { return Ok(None) };
        let mut rows = rows.into_iter();
        let mut cells = Vec::with_capacity(self.records.len());
        for (form, head, _) in &self.records {
            let lives = match head {
                Some(_) => head_lives(*form, rows.next().flatten(), now)?,
                None => true,
            };
            let cell = shown(*form, rows.next().flatten(), now)?;
            cells.push(cell.filter(|_| lives));
        }
        Ok(Some(cells))
    }

    fn states(&self) -> impl Iterator<Item = StateId> {
        self.records.iter().map(|(form, ..)| form.id)
    }

    /// Their live records, at one point in time.
    pub(super) fn read(&self, reader: &impl EngineRead, now: Millis) -> Result<Vec<Option<Cell>>> {
        Ok(self.look_up(|keys| reader.get_many(keys).map(Some), now)?.unwrap_or_default())
    }
}

impl<E: Engine> Inner<E> {
    pub(super) fn get(self: &Arc<Self>, at: &Address) -> Op<'static, Option<Cell>> {
        match self.get_at_hand(at) {
            Ok(Some(found)) => Op::Ready(Ok(found)),
            Err(e) => Op::Ready(Err(self.named(e))),
            Ok(None) => {
                let at = at.clone();
                self.hop(move |inner| inner.get_waiting(&at))
            }
        }
    }

    fn get_at_hand(&self, at: &Address) -> Result<Option<Option<Cell>>> {
        self.check_address(at)?;
        self.read_one(at, |engine, key| engine.get_cached(key), |engine, keys| engine.get_many_cached(keys))
    }

    fn get_waiting(&self, at: &Address) -> Result<Option<Cell>> {
        let found =
            self.read_one(at, |engine, key| engine.get(key).map(Some), |engine, keys| engine.get_many(keys).map(Some))?;
        Ok(found.flatten())
    }

    fn read_one(
        &self,
        at: &Address,
        get: impl Fn(&E, &[u8]) -> Result<Option<Option<Bytes>>>,
        get_many: impl FnOnce(&E, &[&[u8]]) -> Result<Option<Vec<Option<Bytes>>>>,
    ) -> Result<Option<Option<Cell>>> {
        let before = self.generation();
        let form = self.form(at.state)?;
        let engine = self.engine()?;
        let now = if form.ttl { self.clock.now() } else { Millis(0) };
        let found = if form.has_heads() {
            // The element and its list's head, at one point in time.
            let wanted = Wanted::new(std::slice::from_ref(at), |_| Ok(form))?;
            let found = wanted.look_up(|keys| get_many(&engine, keys), now);
            found.map(|cells| cells.map(|mut cells| cells.pop().flatten()))
        } else {
            KEY.with_borrow_mut(|key| record(form, at, now, key, |key| get(&engine, key)))
        };
        self.still_there(before, [at.state])?;
        found
    }

    pub(super) fn get_many(self: &Arc<Self>, at: &[Address]) -> Op<'static, Vec<Option<Cell>>> {
        match self.get_many_at_hand(at) {
            Ok(Ok(found)) => Op::Ready(Ok(found)),
            Err(e) => Op::Ready(Err(self.named(e))),
            Ok(Err((before, wanted))) => self.hop(move |inner| {
                let found = wanted.read(&*inner.engine()?, inner.clock.now());
                inner.still_there(before, wanted.states())?;
                found
            }),
        }
    }

    /// The records, or what it takes to read them where that has to wait.
    #[allow(clippy::type_complexity, reason = "both outcomes are used once, next door")]
    fn get_many_at_hand(&self, at: &[Address]) -> Result<std::result::Result<Vec<Option<Cell>>, (u64, Wanted)>> {
        self.check_open()?;
        at.iter().try_for_each(|at| self.check_address(at))?;
        let before = self.generation();
        let wanted = {
            let catalog = self.catalog.read();
            Wanted::new(at, |state| catalog.form(state))?
        };
        let engine = self.engine()?;
        let now = self.clock.now();
        if !E::IN_MEMORY && at.len() > QUICK_KEYS {
            return Ok(Err((before, wanted)));
        }
        let found = wanted.look_up(|keys| engine.get_many_cached(keys), now);
        self.still_there(before, wanted.states())?;
        Ok(found?.ok_or((before, wanted)))
    }
}
