//! [`Access`] and [`Client`]: what a side implements.

use statehold_core::{Error, Result};

use crate::op::{Op, Step};

/// One task's way to the engine: one operation after the other.
pub trait Client: Send + 'static {
    /// Does `op`, and answers what it adds to the checksum. It may take the values out of `op`; by reference it comes
    /// because moving it costs as much as the rest of the bench.
    ///
    /// # Errors
    /// `Unsupported` if this side has no such operation: the row is then told as skipped, with the reason. Anything
    /// else ends the bench.
    fn apply(&mut self, op: &mut Op) -> impl Future<Output = Result<u64>> + Send;
}

/// An open store.
pub trait Access: Send + Sized {
    /// Its clients.
    type Client: Client;

    /// One more client, for a task of its own.
    ///
    /// # Errors
    /// `Unsupported` if there cannot be another one; what connecting fails with.
    fn client(&mut self) -> impl Future<Output = Result<Self::Client>> + Send;

    /// Ends what `step` will take the place of, outside the clock.
    ///
    /// # Errors
    /// As [`Client::apply`].
    fn ready(&mut self, step: Step) -> impl Future<Output = Result<()>> + Send {
        let _ = step;
        async { Ok(()) }
    }

    /// Does what concerns the whole store; clients from before are gone.
    ///
    /// # Errors
    /// As [`Client::apply`].
    fn step(&mut self, step: Step) -> impl Future<Output = Result<()>> + Send {
        async move { Err(Error::unsupported(format!("no {step:?} here"))) }
    }

    /// What a killed process, or a lost machine, may take with it of what was written.
    fn durability(&self) -> String;

    /// The engine behind it, with its version, e.g. `PostgreSQL 15.8`.
    fn engine(&self) -> Option<String>;

    /// Closes it and removes what it made, where that is not in its folder.
    ///
    /// # Errors
    /// What the engine fails with.
    fn close(self) -> impl Future<Output = Result<()>> + Send;
}
