//! A cut: a read-only transaction on a connection of its own, which shows one instant for as long as it lasts.

use std::{collections::HashMap, slice, sync::Arc};

use async_trait::async_trait;
use sqlx::{Connection, PgConnection, error::Error as SqlError, query_as, raw_sql};
use statehold_core::{
    Address, Cell, Form, Millis, Op, Page, Reads, Result, Revision, ScanRequest, Snapshot, StateId, StateSpec,
};
use tokio::sync::Mutex;

use crate::{
    bits::{flip, flop},
    catalog::{self, Forms, States, form_in},
    connect::Purpose,
    error,
    pool::Work,
    read::Wanted,
    scan::PageOf,
    store::Inner,
};

/// The transaction's connection, taken away when the store closes. One statement at a time.
pub(crate) struct Session(Mutex<Option<PgConnection>>);

impl Session {
    /// Ends the transaction and the connection; waits for a read that is under way.
    pub(crate) async fn end(&self) {
        if let Some(connection) = self.0.lock().await.take() {
            // The server ends the session either way.
            let _ = connection.close().await;
        }
    }

    async fn read<W: Work>(&self, work: &W) -> Result<W::Out> {
        let mut held = self.0.lock().await;
        let connection = held.as_mut().ok_or_else(error::closed)?;
        work.run(connection).await.map_err(error::of)
    }
}

struct Cut {
    inner: Arc<Inner>,
    session: Arc<Session>,
    states: Vec<(StateId, StateSpec)>,
    forms: Forms,
    now: Millis,
    incarnation: u32,
}

pub(crate) struct PostgresSnapshot(Arc<Cut>);

/// Numbers of the store at the cut.
struct Heights {
    store: i32,
}

impl Work for Heights {
    type Out = (i32, i64);

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let sql = "SELECT s.incarnation, (SELECT max(g.ordinal) FROM stripes g WHERE g.store = s.id)
            FROM stores s WHERE s.id = $1";
        query_as(sql).bind(self.store).fetch_one(on).await
    }
}

/// Raises the floor of time; answers what it is now, or nothing if the store has another owner.
pub(crate) struct RaiseFloor {
    pub(crate) store: i32,
    pub(crate) epoch: i64,
    pub(crate) now: Millis,
}

impl Work for RaiseFloor {
    type Out = Option<(i64,)>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let sql = "UPDATE stores SET floor = greatest(floor, $3) WHERE id = $1 AND epoch = $2 RETURNING floor";
        query_as(sql).bind(self.store).bind(self.epoch).bind(flip(self.now.0)).fetch_optional(on).await
    }
}

impl Inner {
    /// Makes the store's time at least `now`, for ever (contract KV-6).
    pub(crate) async fn raise_floor(&self, now: Millis) -> Result<Millis> {
        let work = RaiseFloor { store: self.store, epoch: self.epoch, now };
        let (floor,) = self.lasting(self.pool.write(&work).await)?.ok_or_else(error::fenced)?;
        self.clock.raise(Millis(flop(floor)));
        Ok(self.clock.now())
    }

    pub(crate) async fn cut(self: &Arc<Self>) -> Result<PostgresSnapshot> {
        self.pool.check_open()?;
        let mut now = self.clock.now();
        if self.read_only {
            self.clock.raise(now);
        } else {
            now = self.raise_floor(now).await?;
        }
        let mut connection = self.pool.connector().connect(Purpose::Lifecycle).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        raw_sql(begin).execute(&mut connection).await.map_err(error::of)?;
        let rows = States { store: self.store }.run(&mut connection).await.map_err(error::of)?;
        let (states, _) = catalog::parse(rows)?;
        let (incarnation, ordinal) = Heights { store: self.store }.run(&mut connection).await.map_err(error::of)?;
        // Who loads this cut must go on above its revisions and above its ordinals, whose upper bits count likewise.
        let ordinals = u32::try_from(flop(ordinal) >> Revision::SEQUENCE_BITS).unwrap_or(u32::MAX);
        let session = Arc::new(Session(Mutex::new(Some(connection))));
        {
            let mut sessions = self.sessions.lock();
            sessions.retain(|session| session.strong_count() > 0);
            sessions.push(Arc::downgrade(&session));
        }
        // A `close` that came in between did not see the session.
        if let Err(e) = self.pool.check_open() {
            session.end().await;
            return Err(e);
        }
        let forms: HashMap<StateId, Form> = states.iter().map(|(id, spec)| (*id, Form::of(*id, spec))).collect();
        let incarnation = u32::try_from(incarnation).unwrap_or_default().max(ordinals);
        Ok(PostgresSnapshot(Arc::new(Cut { inner: Arc::clone(self), session, states, forms, now, incarnation })))
    }
}

impl Cut {
    async fn get_many(&self, at: &[Address]) -> Result<Vec<Option<Cell>>> {
        at.iter().try_for_each(|at| self.inner.check_address(at))?;
        let wanted = Wanted::new(at, &self.forms)?;
        if at.is_empty() {
            return Ok(Vec::new());
        }
        Ok(wanted.live(self.session.read(&wanted).await?, self.now))
    }

    async fn scan(&self, request: &ScanRequest) -> Result<Page> {
        self.inner.check_group(request.group)?;
        let page = PageOf::new(form_in(&self.forms, request.state)?, request, self.now, true);
        Ok(page.page(self.session.read(&page).await?))
    }
}

impl Reads for PostgresSnapshot {
    fn get<'a>(&'a self, at: &'a Address) -> Op<'a, Option<Cell>> {
        let (cut, at) = (Arc::clone(&self.0), at.clone());
        self.0.inner.task(async move { Ok(cut.get_many(slice::from_ref(&at)).await?.pop().flatten()) })
    }

    fn get_many<'a>(&'a self, at: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        let (cut, at) = (Arc::clone(&self.0), at.to_vec());
        self.0.inner.task(async move { cut.get_many(&at).await })
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        let (cut, request) = (Arc::clone(&self.0), request.clone());
        self.0.inner.task(async move { cut.scan(&request).await })
    }
}

#[async_trait]
impl Snapshot for PostgresSnapshot {
    fn now(&self) -> Millis {
        self.0.now
    }

    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        self.0.inner.pool.check_open().map_err(|e| self.0.inner.named(e))?;
        Ok(self.0.states.clone())
    }

    fn incarnation(&self) -> u32 {
        self.0.incarnation
    }
}
