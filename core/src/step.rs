//! [`step`]: where a change becomes durable, told to whoever listens.

/// The target of the events.
pub const STEPS: &str = "statehold::step";

/// Says that the work under way is at this step, as a trace event of the target [`STEPS`] with the field `step`.
///
/// A test that kills the process at each of them in turn finds them by listening: before and behind whatever
/// changes a disk, a server or an object store while content is archived, recovered or deleted. Without a listener
/// it costs the load of one number.
pub fn step(name: &'static str) {
    tracing::trace!(target: STEPS, step = name);
}
