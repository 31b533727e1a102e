//! Loading beside the live data: one transaction on a connection of its own, under state numbers that nobody else
//! sees. What is not published the server takes back by itself.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{PgConnection, error::Error as SqlError, query_as, query_scalar, raw_sql};
use statehold_core::{
    Envelope, Error, ErrorKind, Form, KeyGroup, KeyGroups, Loader, Millis, Model, Result, Revision, Row, StateId,
    StateSpec,
};

use crate::{
    catalog::{number, spec_text},
    connect::Purpose,
    copy::Rows,
    error,
    place::stripe,
    pool::Work,
    store::Inner,
};

/// The greatest incarnation: it has 24 bits.
pub(crate) const MAX_INCARNATION: u32 = (1 << 24) - 1;

/// What was loaded so far.
pub(crate) struct Loading {
    /// In a transaction; dropping it undoes everything.
    pub(crate) connection: PgConnection,
    pub(crate) number: i64,
    pub(crate) groups: KeyGroups,
    pub(crate) states: Vec<(StateId, StateSpec)>,
    pub(crate) now: Millis,
    pub(crate) incarnation: u32,
    /// The number behind the greatest of a list element, by stripe.
    pub(crate) ordinals: BTreeMap<i16, u64>,
    /// Those that are not sent yet.
    rows: Rows,
    /// The last row: the next is behind it.
    last: Option<(StateId, KeyGroup, Bytes, Bytes)>,
    /// The list with TTL whose head came last.
    list: Option<Bytes>,
}

/// The last that was begun may publish.
pub(crate) struct PostgresLoader {
    inner: Arc<Inner>,
    groups: KeyGroups,
    /// Not there while a call is under way, and never again if that call failed or was dropped.
    loading: Option<Box<Loading>>,
}

struct BeginLoad {
    store: i32,
    epoch: i64,
}

impl Work for BeginLoad {
    type Out = Option<(i64,)>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let sql = "UPDATE stores SET loader = loader + 1 WHERE id = $1 AND epoch = $2 RETURNING loader";
        query_as(sql).bind(self.store).bind(self.epoch).fetch_optional(on).await
    }
}

pub(crate) fn superseded() -> Error {
    Error::new(ErrorKind::Conflict, "another load of this store began").advise("load again, one at a time")
}

impl Inner {
    pub(crate) async fn begin_load(self: &Arc<Self>, groups: KeyGroups, ticket: u64) -> Result<PostgresLoader> {
        self.check_writable()?;
        let own = self.groups;
        if own.total() != groups.total() || groups.iter().any(|group| !own.contains(group)) {
            return Err(Error::invalid(format!("the key groups {groups} are not all among the store's {own}"))
                .about("groups")
                .advise("load into the stores that own them"));
        }
        let number = {
            // Of two loads of this handle the one asked for later counts, whichever gets to run first.
            let mut last = self.last_load.lock().await;
            if *last > ticket {
                return Err(superseded());
            }
            *last = ticket;
            let begun = self.pool.write(&BeginLoad { store: self.store, epoch: self.epoch }).await;
            self.lasting(begun)?.ok_or_else(error::fenced)?.0
        };
        let mut connection = self.pool.connector().connect(Purpose::Lifecycle).await?;
        raw_sql("BEGIN; SET LOCAL synchronous_commit = on").execute(&mut connection).await.map_err(error::of)?;
        let loading = Loading {
            connection,
            number,
            groups,
            states: Vec::new(),
            now: Millis(0),
            incarnation: 0,
            ordinals: BTreeMap::new(),
            rows: Rows::default(),
            last: None,
            list: None,
        };
        Ok(PostgresLoader { inner: Arc::clone(self), groups, loading: Some(Box::new(loading)) })
    }

    /// The number of a load, drawn when it is asked for.
    pub(crate) fn ticket(&self) -> u64 {
        self.loads.fetch_add(1, Ordering::AcqRel) + 1
    }
}

impl Loading {
    async fn state(&mut self, inner: &Inner, spec: StateSpec) -> Result<StateId> {
        if let Some((id, known)) = self.states.iter().find(|(_, known)| known.name == spec.name) {
            if *known == spec {
                return Ok(*id);
            }
            return Err(Error::invalid("the state was named already, as something else").in_state(&spec.name));
        }
        spec.check_for(&inner.capabilities, &inner.limits)?;
        let id = self.add(inner, &spec).await?;
        self.states.push((id, spec));
        Ok(id)
    }

    /// A number for a state that this transaction alone sees.
    pub(crate) async fn add(&mut self, inner: &Inner, spec: &StateSpec) -> Result<StateId> {
        let sql = "INSERT INTO states (store, name, spec, phase) VALUES ($1, $2, $3::jsonb, 'loading') RETURNING id";
        let query = query_scalar(sql).bind(inner.store).bind(&spec.name).bind(spec_text(spec)?);
        number(query.fetch_one(&mut self.connection).await.map_err(error::of)?)
    }

    async fn load(&mut self, inner: &Inner, state: StateId, group: KeyGroup, rows: &[Row]) -> Result<()> {
        let (_, spec) = self
            .states
            .iter()
            .find(|(id, _)| *id == state)
            .ok_or_else(|| Error::invalid(format!("state number {} is not of this loader", state.0)))?;
        let (form, name) = (Form::of(state, spec), spec.name.clone());
        for row in rows {
            self.check(inner, form, group, row).map_err(|e| e.in_state(&name))?;
        }
        self.rows.add(state, group, rows, form.revisions);
        if self.rows.is_full() { self.send().await } else { Ok(()) }
    }

    /// Sends the rows that wait.
    pub(crate) async fn send(&mut self) -> Result<()> {
        self.rows.send(&mut self.connection).await.map_err(error::of)
    }

    fn check(&mut self, inner: &Inner, form: Form, group: KeyGroup, row: &Row) -> Result<()> {
        inner.limits.check_key(&row.key, &row.sub)?;
        inner.limits.check_value(row.cell.value.len().saturating_sub(Envelope::BYTES))?;
        form.check_expiry(&row.cell)?;
        let is_head = form.has_heads() && row.sub.is_empty();
        if is_head {
            form.check_shape(&row.key)?;
            self.list = Some(row.key.clone());
        } else {
            form.check(&row.key, &row.sub)?;
        }
        let place = (form.id, group, row.key.clone(), row.sub.clone());
        if self.last.as_ref().is_some_and(|last| (last.0, last.1) == (place.0, place.1) && *last >= place) {
            return Err(Error::invalid("rows are not ascending").advise("load rows in (key, subkey) order"));
        }
        if form.model == Model::List && !is_head {
            if form.has_heads() && self.list.as_ref() != Some(&row.key) {
                return Err(Error::invalid("an element of a list with TTL comes without the list's head")
                    .advise("load the head row, with empty sub and value, before the list's elements"));
            }
            let ordinal = row.sub[..].try_into().map_or(u64::MAX, u64::from_be_bytes);
            let next = ordinal.checked_add(1).ok_or_else(|| {
                Error::invalid("a list element has the greatest number there is")
                    .advise("load an archive of statehold's")
            })?;
            let known = self.ordinals.entry(stripe(group)).or_default();
            *known = next.max(*known);
        }
        // The upper 24 bits fit.
        let incarnation = (row.cell.revision.0 >> Revision::SEQUENCE_BITS) as u32;
        self.incarnation = self.incarnation.max(incarnation);
        self.last = Some(place);
        Ok(())
    }
}

impl PostgresLoader {
    fn take(&mut self) -> Result<Box<Loading>> {
        self.inner.pool.check_open()?;
        self.loading.take().ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "an earlier call to this loader failed or was dropped")
                .advise("drop the loader and load again")
        })
    }
}

#[async_trait]
impl Loader for PostgresLoader {
    async fn state(&mut self, spec: &StateSpec) -> Result<StateId> {
        let mut loading = self.take()?;
        let (inner, spec) = (Arc::clone(&self.inner), spec.clone());
        let work = async move {
            let id = loading.state(&inner, spec).await?;
            Ok((id, loading))
        };
        let (id, loading) = self.inner.task(work).finish().await?;
        self.loading = Some(loading);
        Ok(id)
    }

    async fn load(&mut self, state: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        if !self.groups.contains(group) {
            return Err(self.inner.named(
                Error::invalid(format!("key group {group} is not among the {} being loaded", self.groups))
                    .advise("begin the load for all groups that the rows are of"),
            ));
        }
        let mut loading = self.take()?;
        let inner = Arc::clone(&self.inner);
        let work = async move {
            loading.load(&inner, state, group, &rows).await?;
            Ok(loading)
        };
        self.loading = Some(self.inner.task(work).finish().await?);
        Ok(())
    }

    fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()> {
        if incarnation >= MAX_INCARNATION {
            return Err(Error::invalid(format!("incarnation {incarnation} is above what a store can keep"))
                .advise(format!("incarnations end at {MAX_INCARNATION}")));
        }
        let mut loading = self.take()?;
        loading.now = loading.now.max(now);
        loading.incarnation = loading.incarnation.max(incarnation);
        self.loading = Some(loading);
        Ok(())
    }

    async fn publish(mut self: Box<Self>) -> Result<()> {
        let loading = self.take()?;
        let inner = Arc::clone(&self.inner);
        mem::drop(self);
        let publishing = Arc::clone(&inner);
        inner.task(async move { publishing.publish(*loading).await }).finish().await
    }
}
