//! [`Catalog`]: what this handle knows of the states. The server's own rows decide whether a state is still there.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;
use sqlx::{PgConnection, error::Error as SqlError, query_as};
use statehold_core::{Error, Form, Result, StateId, StateSpec};

use crate::{error, pool::Work};

/// Forms by number: a number means one state for ever, so no form in here turns wrong.
#[derive(Clone, Default)]
pub(crate) struct Known {
    forms: Forms,
    /// All of `forms` were there under this incarnation of the store; 0, which none has, if that is not known.
    pub(crate) incarnation: i32,
}

pub(crate) type Forms = HashMap<StateId, Form>;

/// The form of a state that was looked up before.
pub(crate) fn form_in(forms: &Forms, state: StateId) -> Result<Form> {
    forms.get(&state).copied().ok_or_else(error::gone)
}

#[derive(Default)]
pub(crate) struct Catalog(RwLock<Arc<Known>>);

impl Known {
    pub(crate) fn has(&self, mut states: impl Iterator<Item = StateId>) -> bool {
        states.all(|state| self.forms.contains_key(&state))
    }

    pub(crate) fn forms(&self) -> &Forms {
        &self.forms
    }
}

impl Catalog {
    pub(crate) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.0.read())
    }

    /// A state that was there under `incarnation`.
    pub(crate) fn add(&self, id: StateId, spec: &StateSpec, incarnation: i32) {
        let mut known = self.0.write();
        let known = Arc::make_mut(&mut known);
        known.forms.insert(id, Form::of(id, spec));
        if known.incarnation != incarnation {
            known.incarnation = 0;
        }
    }

    pub(crate) fn remove(&self, id: StateId) {
        Arc::make_mut(&mut self.0.write()).forms.remove(&id);
    }

    /// These are all. One that is missing by mistake is looked for on the server again.
    pub(crate) fn replace(&self, states: &[(StateId, StateSpec)], incarnation: i32) {
        let forms = states.iter().map(|(id, spec)| (*id, Form::of(*id, spec))).collect();
        *self.0.write() = Arc::new(Known { forms, incarnation });
    }
}

/// Reads the live states of a store, and its incarnation in each row.
pub(crate) struct States {
    pub(crate) store: i32,
}

const SQL: &str = "SELECT t.id, t.spec::text, s.incarnation
    FROM stores s LEFT JOIN states t ON t.store = s.id AND t.phase = 'live' WHERE s.id = $1";

type Listed = (Option<i32>, Option<String>, i32);

impl Work for States {
    type Out = Vec<Listed>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        query_as(SQL).bind(self.store).fetch_all(on).await
    }
}

/// The states of such rows, by name, and the incarnation, 0 if the store is gone.
pub(crate) fn parse(rows: Vec<Listed>) -> Result<(Vec<(StateId, StateSpec)>, i32)> {
    let mut states = Vec::with_capacity(rows.len());
    let mut of = 0;
    for (id, spec, incarnation) in rows {
        of = incarnation;
        if let (Some(id), Some(spec)) = (id, spec) {
            states.push((number(id)?, parse_spec(&spec)?));
        }
    }
    states.sort_unstable_by(|a, b| a.1.name.cmp(&b.1.name));
    Ok((states, of))
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

#[cfg(test)]
mod tests {
    use statehold_core::Model;

    use super::*;

    /// A commit that trusts `incarnation` writes without a look at the states: it must stand for all of them.
    #[test]
    fn an_incarnation_stands_for_all_states_or_for_none() {
        let spec = |name| StateSpec::bytes(name, Model::Kv).unwrap();
        let catalog = Catalog::default();
        catalog.replace(&[(StateId(1), spec("one"))], 3);
        catalog.add(StateId(2), &spec("two"), 3);
        assert_eq!(catalog.known().incarnation, 3);
        // Somebody dropped a state before this one was registered: the first may be gone.
        catalog.add(StateId(3), &spec("three"), 4);
        assert_eq!(catalog.known().incarnation, 0);
        catalog.add(StateId(4), &spec("four"), 4);
        assert_eq!(catalog.known().incarnation, 0);
        catalog.replace(&[(StateId(3), spec("three")), (StateId(4), spec("four"))], 4);
        assert_eq!(catalog.known().incarnation, 4);
        assert!(catalog.known().has([StateId(3), StateId(4)].into_iter()));
        assert!(!catalog.known().has([StateId(1)].into_iter()));
    }
}
