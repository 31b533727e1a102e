//! [`Contents`]: everything a store or snapshot shows, to be compared with another.

use std::collections::BTreeMap;

use bytes::Bytes;
use statehold_core::{
    Cell, KeyGroup, KeyGroups, Model, Reads, Result, ScanRequest, Snapshot, StateId, StateSpec, Store, collect,
};

/// One row: group, key, subkey, and what it holds.
type Line = (KeyGroup, Bytes, Bytes, Cell);

/// All rows of all states, by state name. Ordinals of lists are left out: the
/// engine may number elements anew, only their order counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents(pub(crate) BTreeMap<String, Vec<Line>>);

impl Contents {
    /// What `store` shows of its own groups.
    pub(crate) async fn of(store: &dyn Store) -> Result<Self> {
        Self::within(store, store.groups()).await
    }

    /// What `store` shows of `groups`.
    pub(crate) async fn within(store: &dyn Store, groups: KeyGroups) -> Result<Self> {
        Self::read(store, store.states().await?, groups).await
    }

    /// What `snapshot` shows.
    pub(crate) async fn cut(snapshot: &dyn Snapshot, groups: KeyGroups) -> Result<Self> {
        Self::read(snapshot, snapshot.states().await?, groups).await
    }

    async fn read(reads: &dyn Reads, states: Vec<(StateId, StateSpec)>, groups: KeyGroups) -> Result<Self> {
        let mut contents = BTreeMap::new();
        for (id, spec) in states {
            let mut lines = Vec::new();
            for group in groups.iter() {
                let rows = collect(reads, ScanRequest::all(id, group)).await?;
                lines.extend(rows.into_iter().map(|row| match spec.model {
                    Model::List => (group, row.key, Bytes::new(), Cell { expires_at: None, ..row.cell }),
                    _ => (group, row.key, row.sub, row.cell),
                }));
            }
            contents.insert(spec.name, lines);
        }
        Ok(Self(contents))
    }

    /// How many rows a state has.
    pub(crate) fn rows(&self, state: &str) -> usize {
        self.0.get(state).map_or(0, Vec::len)
    }
}
