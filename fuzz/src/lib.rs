//! What the fuzz targets share.

pub mod engine;
mod memory;
pub mod order;
pub mod panics;
pub mod tape;

use std::sync::Arc;

use statehold_core::{Error, ErrorKind, Inline, ManualClock, Millis, Model, Resources, StateSpec};

/// Everything on the caller's thread, at an instant that stands.
#[must_use]
pub fn resources() -> Resources {
    Resources::new(Arc::new(Inline)).with_clock(Arc::new(ManualClock::new(Millis(1_000))))
}

/// What a decoder may say of bytes that are not what they should be.
pub fn assert_refused(error: &Error) {
    let kind = error.kind();
    assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported), "{error}");
}

/// A state of each model, with expiry.
#[must_use]
pub fn specs() -> Vec<StateSpec> {
    [("counts", Model::Kv), ("queues", Model::List), ("carts", Model::Map)]
        .into_iter()
        .filter_map(|(name, model)| StateSpec::bytes(name, model).ok())
        .map(|spec| StateSpec { ttl: true, revisions: spec.model == Model::Kv, ..spec })
        .collect()
}
