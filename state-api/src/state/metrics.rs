//! Counters of one state, under the names of `docs/src/metrics.md`.

use metrics::Counter;

/// Made once a handle, so that counting costs one atomic addition, or nothing without a recorder.
pub(crate) struct StateMetrics {
    pub(crate) reads: Counter,
    pub(crate) hits: Counter,
    pub(crate) writes: Counter,
    pub(crate) deletes: Counter,
    pub(crate) conflicts: Counter,
}

impl StateMetrics {
    pub(crate) fn of(store: &str, state: &str) -> Self {
        let counter =
            |name: &'static str| metrics::counter!(name, "store" => store.to_owned(), "state" => state.to_owned());
        Self {
            reads: counter("statehold_reads_total"),
            hits: counter("statehold_cache_hits_total"),
            writes: counter("statehold_writes_total"),
            deletes: counter("statehold_deletes_total"),
            conflicts: counter("statehold_conflicts_total"),
        }
    }
}
