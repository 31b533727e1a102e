//! Loading content beside the live data, under state numbers that nobody knows yet.

use std::{mem, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    BulkLoad, Engine, EngineBatch, WriteLevel,
    catalog::State,
    erase,
    inner::{Inner, Writer, session_of},
    layout::{Form, PREFIX, Table},
    meta::Head,
};
use crate::{
    Envelope, Error, ErrorKind, KeyGroup, KeyGroups, Loader, Millis, Model, Result, Revision, Row, StateId, StateSpec,
    step,
};

/// What was loaded so far, and what the store has to go on above.
pub(super) struct Loaded {
    pub(super) states: Vec<State>,
    pub(super) now: Millis,
    pub(super) incarnation: u32,
    pub(super) session: u32,
    /// The last row's engine key: one of the same table and group is behind it.
    last: Vec<u8>,
    /// The list with TTL whose head came last.
    list: Option<Bytes>,
    pub(super) bulk: Bulk,
}

/// The engine's own way for the rows of a load.
pub(super) enum Bulk {
    /// No row has come yet.
    Idle,
    /// It takes rows above this one.
    Open(Box<dyn BulkLoad>, Vec<u8>),
    /// It has none.
    Absent,
}

impl Bulk {
    /// Takes a row, or answers `false`.
    fn put<E: Engine>(&mut self, engine: &E, key: &[u8], value: &[u8]) -> Result<bool> {
        if let Self::Idle = self {
            *self = engine.bulk_load()?.map_or(Self::Absent, |load| Self::Open(load, Vec::new()));
        }
        match self {
            Self::Open(load, last) if last.as_slice() < key => {
                load.put(key, value)?;
                last.clear();
                last.extend_from_slice(key);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// One of a store may load at a time: a newer one takes the place of an older one.
pub(super) struct OrderedLoader<E: Engine> {
    inner: Arc<Inner<E>>,
    groups: KeyGroups,
    number: u64,
    /// Not there while a call is under way, and never again if that call was dropped.
    loaded: Option<Loaded>,
}

impl<E: Engine> Inner<E> {
    /// `number` was drawn when the load was asked for: of two, the later one counts, whichever gets to run first.
    pub(super) fn begin_load(self: &Arc<Self>, groups: KeyGroups, number: u64) -> Result<OrderedLoader<E>> {
        self.check_load(groups)?;
        let mut writer = self.lock();
        if writer.loader > number {
            return Err(superseded());
        }
        writer.loader = number;
        self.clear_leftovers(&mut writer)?;
        let head = Head { loading: writer.head.next_state, ..writer.head };
        // Durable before the first row: a crash leaves nothing that is not found again.
        self.write_head(&mut writer, head, WriteLevel::Synced, |_| Ok(()))?;
        step("load.begun");
        let loaded = Some(Loaded {
            states: Vec::new(),
            now: Millis(0),
            incarnation: 0,
            session: 0,
            last: Vec::new(),
            list: None,
            bulk: Bulk::Idle,
        });
        Ok(OrderedLoader { inner: Arc::clone(self), groups, number, loaded })
    }

    /// Whether content of these groups may be loaded into the store.
    pub(super) fn check_load(&self, asked: KeyGroups) -> Result<()> {
        self.check_writable()?;
        let own = self.groups;
        if own.total() != asked.total() || asked.iter().any(|group| !own.contains(group)) {
            return Err(Error::invalid(format!("the key groups {asked} are not all among the store's {own}"))
                .about("groups")
                .advise("load into the stores that own them"));
        }
        Ok(())
    }

    /// Removes what an unpublished load left.
    pub(super) fn clear_leftovers(&self, writer: &mut Writer<E>) -> Result<()> {
        if writer.head.loading == 0 {
            return Ok(());
        }
        let from = Table(writer.head.loading);
        let kept = self.catalog.read().tables();
        let head = Head { loading: 0, ..writer.head };
        self.write_head(writer, head, self.level(), |batch| {
            erase::tables_except(batch, self.groups, from, &kept);
            Ok(())
        })
    }

    /// The writer, while `number` is the loader that may still publish.
    pub(super) fn check_loader(&self, writer: &Writer<E>, number: u64) -> Result<()> {
        if writer.loader == number && writer.head.loading != 0 {
            return Ok(());
        }
        Err(superseded())
    }

    fn load_state(&self, number: u64, loaded: &mut Loaded, spec: StateSpec) -> Result<StateId> {
        if let Some(known) = loaded.states.iter().find(|s| s.spec.name == spec.name) {
            if *known.spec == spec {
                return Ok(known.form.id);
            }
            return Err(Error::invalid("the state was named already, as something else").in_state(&spec.name));
        }
        spec.check_for(&self.capabilities, &self.limits)?;
        let mut writer = self.lock();
        self.check_loader(&writer, number)?;
        // `loading` is durable and leftovers are found from there on: this need not be.
        let id = StateId(writer.head.next_state);
        writer.head.next_state += 1;
        loaded.states.push(State::new(id, spec));
        Ok(id)
    }

    fn load_rows(&self, number: u64, loaded: &mut Loaded, state: StateId, group: KeyGroup, rows: &[Row]) -> Result<()> {
        let State { form, spec } = loaded
            .states
            .iter()
            .find(|s| s.form.id == state)
            .cloned()
            .ok_or_else(|| Error::invalid(format!("state number {} is not of this loader", state.0)))?;
        let engine = self.engine()?;
        let mut batch = engine.batch();
        let (mut key, mut value, mut rest) = (Vec::new(), Vec::new(), false);
        for row in rows {
            self.load_row(loaded, form, group, row, &mut key).map_err(|e| e.in_state(&spec.name))?;
            form.value(row.cell.revision, &row.cell, &mut value);
            if !loaded.bulk.put(&*engine, &key, &value)? {
                batch.put(&key, &value);
                rest = true;
            }
        }
        // Writer before engine: a switch of files waits for the one with the other in hand.
        drop(engine);
        let writer = self.lock();
        self.check_loader(&writer, number)?;
        if rest {
            let engine = self.engine()?;
            self.write(&engine, &mut batch, WriteLevel::Unlogged, true)?;
        }
        step("load.rows");
        Ok(())
    }

    /// Checks a row and puts its engine key into `key`.
    fn load_row(&self, loaded: &mut Loaded, form: Form, group: KeyGroup, row: &Row, key: &mut Vec<u8>) -> Result<()> {
        self.limits.check_key(&row.key, &row.sub)?;
        self.limits.check_value(row.cell.value.len().saturating_sub(Envelope::BYTES))?;
        form.check_expiry(&row.cell)?;
        let is_head = form.has_heads() && row.sub.is_empty();
        if is_head {
            form.check_shape(&row.key)?;
            loaded.list = Some(row.key.clone());
        } else {
            form.check(&row.key, &row.sub)?;
        }
        form.row(group, &row.key, &row.sub, key);
        if loaded.last.get(..PREFIX) == key.get(..PREFIX) && loaded.last >= *key {
            return Err(Error::invalid("rows are not ascending").advise("load rows in (key, subkey) order"));
        }
        if form.model == Model::List && !is_head {
            if form.has_heads() && loaded.list.as_ref() != Some(&row.key) {
                return Err(Error::invalid("an element of a list with TTL comes without the list's head")
                    .advise("load the head row, with empty sub and value, before the list's elements"));
            }
            let ordinal = row.sub[..].try_into().map_or(u64::MAX, u64::from_be_bytes);
            loaded.session = loaded.session.max(session_of(ordinal));
            Head::above(loaded.session, "sessions")?;
        }
        // The upper 24 bits fit.
        let incarnation = (row.cell.revision.0 >> Revision::SEQUENCE_BITS) as u32;
        loaded.incarnation = loaded.incarnation.max(incarnation);
        loaded.last.clone_from(key);
        Ok(())
    }
}

/// Refuses an incarnation that nothing can be above.
pub(super) fn check_incarnation(incarnation: u32) -> Result<()> {
    Head::above(incarnation, "incarnations").map(drop).map_err(|_| {
        Error::invalid(format!("incarnation {incarnation} is above what a store can keep"))
            .advise(format!("incarnations end at {}", Head::MAX_EPOCH))
    })
}

impl<E: Engine> OrderedLoader<E> {
    fn take(&mut self) -> Result<Loaded> {
        self.loaded.take().ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "an earlier call to this loader failed or was dropped")
                .advise("drop the loader and load again")
        })
    }

    /// Does `work` on the pool with what was loaded so far.
    async fn step<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Inner<E>, u64, &mut Loaded) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut loaded = self.take()?;
        let number = self.number;
        let (out, loaded) = self
            .inner
            .run(move |inner| {
                let out = work(inner, number, &mut loaded)?;
                Ok((out, loaded))
            })
            .finish()
            .await?;
        self.loaded = Some(loaded);
        Ok(out)
    }
}

#[async_trait]
impl<E: Engine> Loader for OrderedLoader<E> {
    async fn state(&mut self, spec: &StateSpec) -> Result<StateId> {
        let spec = spec.clone();
        self.step(move |inner, number, loaded| inner.load_state(number, loaded, spec)).await
    }

    async fn load(&mut self, state: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        if !self.groups.contains(group) {
            return Err(self.inner.named(
                Error::invalid(format!("key group {group} is not among the {} being loaded", self.groups))
                    .advise("begin the load for all groups that the rows are of"),
            ));
        }
        self.step(move |inner, number, loaded| inner.load_rows(number, loaded, state, group, &rows)).await
    }

    fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()> {
        check_incarnation(incarnation)?;
        let mut loaded = self.take()?;
        loaded.now = loaded.now.max(now);
        loaded.incarnation = loaded.incarnation.max(incarnation);
        self.loaded = Some(loaded);
        Ok(())
    }

    async fn publish(mut self: Box<Self>) -> Result<()> {
        let loaded = self.take()?;
        let (number, groups) = (self.number, self.groups);
        self.inner.hop(move |inner| inner.publish(number, groups, loaded)).finish().await
    }
}

/// What was not published is removed: now, or by the next open.
impl<E: Engine> Drop for OrderedLoader<E> {
    fn drop(&mut self) {
        let (inner, number) = (Arc::clone(&self.inner), self.number);
        let loaded = self.loaded.take();
        self.inner.resources.pool.spawn(Box::new(move || {
            mem::drop(loaded);
            let mut writer = inner.lock();
            // A store that closes meanwhile is no failure: its next open does it.
            if inner.check_loader(&writer, number).is_ok()
                && let Err(e) = inner.clear_leftovers(&mut writer)
                && inner.check_open().is_ok()
            {
                tracing::warn!(store = %inner.name, error = %e, "leftovers of a load stay until the next open");
            }
        }));
    }
}

pub(super) fn superseded() -> Error {
    Error::new(ErrorKind::Conflict, "another load of this store began").advise("load again, one at a time")
}
