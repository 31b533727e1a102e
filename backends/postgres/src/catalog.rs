//! [`Catalog`]: what this handle knows of the states. The server's own rows decide whether a state is still there.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;
use sqlx::{PgConnection, error::Error as SqlError, query_as};
use statehold_core::{Error, Form, Result, StateId, StateSpec};

use crate::{error, pool::Work};

/// Forms by number: a number means one state for ever, so nothing in here turns wrong.
#[derive(Default)]
pub(crate) struct Catalog(RwLock<Arc<HashMap<StateId, Form>>>);

impl Catalog {
    pub(crate) fn forms(&self) -> Arc<HashMap<StateId, Form>> {
        Arc::clone(&self.0.read())
    }

    pub(crate) fn add(&self, id: StateId, spec: &StateSpec) {
        Arc::make_mut(&mut self.0.write()).insert(id, Form::of(id, spec));
    }

    pub(crate) fn remove(&self, id: StateId) {
        Arc::make_mut(&mut self.0.write()).remove(&id);
    }

    /// These are all. One that is missing by mistake is looked for on the server again.
    pub(crate) fn replace(&self, states: &[(StateId, StateSpec)]) {
        *self.0.write() = Arc::new(states.iter().map(|(id, spec)| (*id, Form::of(*id, spec))).collect());
    }
}

/// Reads the live states of a store.
pub(crate) struct States {
    pub(crate) store: i32,
}

const SQL: &str = "SELECT id, spec::text FROM states WHERE store = $1 AND phase = 'live'";

impl Work for States {
    type Out = Vec<(i32, String)>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        query_as(SQL).bind(self.store).fetch_all(on).await
    }
}

/// The states of such rows, by name.
pub(crate) fn parse(rows: Vec<(i32, String)>) -> Result<Vec<(StateId, StateSpec)>> {
    let mut states = Vec::with_capacity(rows.len());
    for (id, spec) in rows {
        states.push((number(id)?, parse_spec(&spec)?));
    }
    states.sort_unstable_by(|a, b| a.1.name.cmp(&b.1.name));
    Ok(states)
}

pub(crate) fn parse_spec(spec: &str) -> Result<StateSpec> {
    serde_json::from_str(spec).map_err(|e| {
        Error::corrupt("a state's row in the catalog is damaged")
            .because(e)
            .advise("recover from a checkpoint into another schema")
    })
}

pub(crate) fn spec_text(spec: &StateSpec) -> Result<String> {
    serde_json::to_string(spec).map_err(|e| Error::internal("a spec cannot be written").because(e))
}

pub(crate) fn number(id: i32) -> Result<StateId> {
    u32::try_from(id).map(StateId).map_err(|_| error::answer("a state's number"))
}

/// A state's number as the server has it; numbers come from there, so others are of no state.
pub(crate) fn id(state: StateId) -> i32 {
    i32::try_from(state.0).unwrap_or(-1)
}
