//! [`Catalog`]: the states of a store, in memory.

use std::sync::Arc;

use super::layout::{Form, Table};
use crate::{Error, ErrorKind, Result, StateId, StateSpec};

/// A state as the catalog holds it.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) form: Form,
    pub(super) spec: Arc<StateSpec>,
}

impl State {
    pub(super) fn new(id: StateId, spec: StateSpec) -> Self {
        Self::at(id, Table::of(id), spec)
    }

    /// A state whose rows carry another number than its own.
    pub(super) fn at(id: StateId, table: Table, spec: StateSpec) -> Self {
        Self { form: Form::of(id, table, &spec), spec: Arc::new(spec) }
    }
}

/// All states, ascending by number: a look-up is a few comparisons.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalog {
    states: Vec<State>,
    /// New content is being switched to: neither the old nor the new can be read.
    pub(super) switching: bool,
}

impl Catalog {
    pub(super) fn new(mut states: Vec<State>) -> Self {
        states.sort_unstable_by_key(|s| s.form.id);
        Self { states, switching: false }
    }

    fn index(&self, id: StateId) -> Result<usize, usize> {
        self.states.binary_search_by_key(&id, |s| s.form.id)
    }

    /// How the state is laid out.
    ///
    /// # Errors
    /// `Fenced` if the state is not there any more.
    #[inline]
    pub(super) fn form(&self, id: StateId) -> Result<Form> {
        match self.index(id) {
            Ok(at) if !self.switching => Ok(self.states[at].form),
            _ => Err(self.gone(id)),
        }
    }

    #[cold]
    fn gone(&self, id: StateId) -> Error {
        if self.switching {
            return Error::new(ErrorKind::Unavailable, "the store is switching to recovered content")
                .advise("try again; then open the states again");
        }
        Error::fenced(format!("state number {} was dropped or replaced by recover", id.0))
            .advise("open the state again by its name")
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|s| s.spec.name == name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &State> {
        self.states.iter()
    }

    /// The tables of all states, ascending.
    pub(super) fn tables(&self) -> Vec<Table> {
        let mut tables: Vec<Table> = self.states.iter().map(|s| s.form.table).collect();
        tables.sort_unstable();
        tables
    }

    /// Adds a state, or replaces the one with its number.
    pub(super) fn put(&mut self, state: State) {
        match self.index(state.form.id) {
            Ok(at) => self.states[at] = state,
            Err(at) => self.states.insert(at, state),
        }
    }

    pub(super) fn remove(&mut self, id: StateId) -> Option<State> {
        self.index(id).ok().map(|at| self.states.remove(at))
    }

    /// What [`Store::states`](crate::Store::states) answers.
    pub(super) fn list(&self) -> Vec<(StateId, StateSpec)> {
        let mut all: Vec<_> = self.states.iter().map(|s| (s.form.id, (*s.spec).clone())).collect();
        all.sort_unstable_by(|a, b| a.1.name.cmp(&b.1.name));
        all
    }
}
