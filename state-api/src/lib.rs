//! Managed state for Rust applications, stream and graph engines, actors and services: typed states, and a
//! configuration that says which engine holds them.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> statehold::Result<()> {
//! use statehold::{Descriptor, Model, StateDescriptor, StateManager, StoreDescriptor};
//! use statehold::archive::{CheckpointId, Metadata};
//!
//! // From code here; `StateManager::open("statehold.toml")` reads the same from a file.
//! let descriptor = Descriptor::new("shop")
//!     .archive("memory://shop")
//!     .store("local", StoreDescriptor::new("memory"))
//!     .state("counts", StateDescriptor::new(Model::Kv));
//! let manager = StateManager::builder(descriptor).open().await?;
//!
//! let counts = manager.key_value::<String, u64>("counts").await?;
//! counts.update("apple", |n| Ok(n.unwrap_or(0) + 1)).await?;
//! manager.archive(CheckpointId(1), &Metadata::new().with("offset", 17)).await?;
//!
//! counts.put("apple", 99).await?;
//! manager.recover(CheckpointId(1)).await?;
//! let counts = manager.key_value::<String, u64>("counts").await?;
//! assert_eq!(counts.get("apple").await?, Some(1));
//! # manager.close().await }
//! ```
//!
//! It is: typed states ([`KeyValueState`], [`KeyListState`], [`KeyMapState`]) over any engine that keeps the
//! contract, a write buffer and a cache over engines that one process owns, and [checkpoints](archive).
//!
//! It is not: a database, a query engine, a stream processor, or a replacement for your source's offsets:
//! a checkpoint keeps them for you, and your program goes on from them.

pub mod archive;
#[cfg(doctest)]
mod book;
mod config;
mod manager;
mod pool;
mod registry;
mod runtime;
mod state;
pub mod testing;

pub use config::{ArchiveDescriptor, Descriptor, MemoryDescriptor, StateDescriptor, StoreDescriptor, parse_duration};
pub use manager::{ManagerBuilder, MemoryUse, PendingCheckpoint, RecoverFrom, StateManager, StoreMemory};
pub use pool::TokioPool;
pub use registry::Registry;
pub use state::{
    Codec, Json, KeyListState, KeyMapState, KeyValueState, MapCursor, Postcard, Raw, ScanOrder, Source, Summary, Value,
    ValueType, Versioned, WriteBatch,
};
pub use statehold_core::{
    self as core, Clock, Count, Durability, Error, ErrorKind, KeyGroup, KeyGroups, Limits, Model, Ownership, Resources,
    Result, Revision, key,
};
