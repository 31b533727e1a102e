//! State in the memory of the process: for tests, for development, and to be read first.
//!
//! A [`MemoryBackend`] keeps what its stores hold as long as the backend itself lives, so that a store
//! can be closed and opened again, by this process and nobody else. There are no options.
//!
//! It is not: durable (`Visible` is the only level), bounded in memory, or meant for large states:
//! the first write to a key group after a snapshot copies that group's rows.

mod backend;
mod content;
mod engine;

pub use backend::MemoryBackend;
