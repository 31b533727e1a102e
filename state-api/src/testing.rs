//! For tests of applications, and our own: a manager in memory, a clock that stands still, faults.

mod fault;
#[cfg(feature = "servers")]
pub mod servers;

pub use fault::{Delay, Fault, FaultBackend, FaultSwitch};
pub use statehold_core::ManualClock;
use statehold_core::{Model, Result};

use crate::{Descriptor, StateDescriptor, StateManager, StoreDescriptor};

/// A manager whose states live in this process's memory, with checkpoints in memory too.
///
/// # Errors
/// `InvalidInput` for a malformed name.
pub async fn memory_manager(states: &[(&str, Model)]) -> Result<StateManager> {
    // Each manager has an archive of its own.
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut descriptor = Descriptor::new("testing")
        .archive(&format!("memory://testing-{number}"))
        .store("memory", StoreDescriptor::new("memory"));
    for (name, model) in states {
        descriptor = descriptor.state(name, StateDescriptor::new(*model));
    }
    StateManager::builder(descriptor).open().await
}
