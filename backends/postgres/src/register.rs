//! Registering a state: the catalog's row decides, whoever comes first.

use sqlx::{PgConnection, error::Error as SqlError, query, query_as, query_scalar};
use statehold_core::{Error, ErrorKind, Result, SpecChange, StateId, StateSpec};

use crate::{
    catalog::{self, number, parse_spec, spec_text},
    error,
    pool::Work,
    store::Inner,
};

/// So often another process may come in between.
const ATTEMPTS: usize = 100;

impl Inner {
    pub(crate) async fn register(&self, spec: &StateSpec) -> Result<StateId> {
        self.pool.check_open()?;
        spec.check_for(&self.capabilities, &self.limits)?;
        for _ in 0..ATTEMPTS {
            let found = self.pool.read(&Find { store: self.store, name: &spec.name }).await?;
            let registered = match found {
                Some((id, stored, incarnation)) => match parse_spec(&stored)?.check(spec)? {
                    SpecChange::Same => Some((number(id)?, incarnation)),
                    SpecChange::Upgrade => {
                        self.check_writable().map_err(|e| e.in_state(&spec.name))?;
                        self.upgrade(id, &stored, spec).await?.map(|id| (id, incarnation))
                    }
                },
                None => {
                    self.check_writable().map_err(|e| e.in_state(&spec.name))?;
                    self.add(spec).await?
                }
            };
            if let Some((id, incarnation)) = registered {
                self.catalog.add(id, spec, incarnation);
                return Ok(id);
            }
        }
        Err(Error::new(ErrorKind::Conflict, "others change the catalog all the time")
            .in_state(&spec.name)
            .advise("try again"))
    }

    /// `None` if somebody else changed it first.
    async fn upgrade(&self, id: i32, stored: &str, spec: &StateSpec) -> Result<Option<StateId>> {
        let work = Upgrade { claim: self.claim(), id, stored, spec: spec_text(spec)? };
        let changed = self.lasting(self.pool.write(&work).await)?;
        if changed {
            return number(id).map(Some);
        }
        self.check_owner().await.map(|()| None)
    }

    /// `None` if somebody else added one first.
    async fn add(&self, spec: &StateSpec) -> Result<Option<(StateId, i32)>> {
        let work = Add { claim: self.claim(), name: &spec.name, spec: spec_text(spec)? };
        let added = self.lasting(self.pool.write(&work).await)?;
        if let Some((id, incarnation)) = added {
            return Ok(Some((number(id)?, incarnation)));
        }
        self.check_owner().await.map(|()| None)
    }

    /// What repeats without harm is unavailable rather than unknown.
    pub(crate) fn lasting<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|e| match e.kind() {
            ErrorKind::Indeterminate => Error::new(ErrorKind::Unavailable, e.message().to_owned())
                .advise("do it again: doing it twice is doing it once"),
            _ => e,
        })
    }

    pub(crate) fn claim(&self) -> Claim {
        Claim { store: self.store, epoch: self.epoch }
    }

    /// Refuses a handle whose store has another owner.
    pub(crate) async fn check_owner(&self) -> Result<()> {
        if self.pool.read(&self.claim()).await? { Ok(()) } else { Err(error::fenced()) }
    }
}

/// What the row of the first stripe tells of the owner.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    store: i32,
    epoch: i64,
}

impl Work for Claim {
    type Out = bool;

    async fn run(&self, on: &mut PgConnection) -> Result<bool, SqlError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM stripes WHERE store = $1 AND stripe = 0 AND epoch = $2)";
        query_scalar(sql).bind(self.store).bind(self.epoch).fetch_one(on).await
    }
}

struct Find<'a> {
    store: i32,
    name: &'a str,
}

impl Work for Find<'_> {
    /// Number, spec and the store's incarnation.
    type Out = Option<(i32, String, i32)>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let sql = "SELECT t.id, t.spec::text, s.incarnation FROM states t JOIN stores s ON s.id = t.store
            WHERE t.store = $1 AND t.name = $2 AND t.phase = 'live'";
        query_as(sql).bind(self.store).bind(self.name).fetch_optional(on).await
    }
}

struct Add<'a> {
    claim: Claim,
    name: &'a str,
    spec: String,
}

impl Work for Add<'_> {
    /// Number and the store's incarnation, or an earlier one.
    type Out = Option<(i32, i32)>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let sql = "INSERT INTO states (store, name, spec) SELECT $1, $3, $4::jsonb
            FROM (SELECT 1 FROM stripes WHERE store = $1 AND stripe = 0 AND epoch = $2 FOR SHARE) owned
            ON CONFLICT DO NOTHING RETURNING id, (SELECT s.incarnation FROM stores s WHERE s.id = $1)";
        let Claim { store, epoch } = self.claim;
        query_as(sql).bind(store).bind(epoch).bind(self.name).bind(&self.spec).fetch_optional(on).await
    }
}

struct Upgrade<'a> {
    claim: Claim,
    id: i32,
    stored: &'a str,
    spec: String,
}

impl Work for Upgrade<'_> {
    type Out = bool;

    async fn run(&self, on: &mut PgConnection) -> Result<bool, SqlError> {
        let sql = "UPDATE states SET spec = $5::jsonb
            FROM (SELECT 1 FROM stripes WHERE store = $1 AND stripe = 0 AND epoch = $2 FOR SHARE) owned
            WHERE id = $3 AND phase = 'live' AND spec = $4::jsonb";
        let Claim { store, epoch } = self.claim;
        let query = query(sql).bind(store).bind(epoch).bind(self.id).bind(self.stored).bind(&self.spec);
        Ok(query.execute(on).await?.rows_affected() > 0)
    }
}

impl Inner {
    /// Whether all of `states` are in the catalog.
    pub(crate) async fn still_there(&self, states: Vec<StateId>) -> Result<()> {
        let ids: Vec<i32> = states.iter().map(|state| catalog::id(*state)).collect();
        if self.pool.read(&Live { ids }).await? { Ok(()) } else { Err(error::gone()) }
    }
}

/// Whether states, each named once, are all live.
struct Live {
    ids: Vec<i32>,
}

impl Work for Live {
    type Out = bool;

    async fn run(&self, on: &mut PgConnection) -> Result<bool, SqlError> {
        let sql = "SELECT count(*) = cardinality($1) FROM states WHERE id = ANY ($1) AND phase = 'live'";
        query_scalar(sql).bind(&self.ids).fetch_one(on).await
    }
}
