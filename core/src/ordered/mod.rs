//! A ready store over any ordered key-value engine within the process.
//!
//! An engine implements [`Engine`] (point reads, ordered scans, atomic batches, frozen images);
//! [`OrderedStore`] makes it a [`Store`](crate::Store): catalog, conditions, revisions, markers,
//! TTL, lists, snapshots, loading beside, fencing. A [`Backend`](crate::Backend) then only finds
//! or makes the engine and calls [`OrderedStore::open`] on the blocking pool. An engine that keeps its
//! content in immutable files and implements [`FileEngine`] too has native archives besides.
//!
//! It is not: a cache (reads that an engine can answer at once are answered on the caller's
//! thread, all others cost one hop to the blocking pool), nor a lock on the engine's files.

mod catalog;
mod commit;
mod compact;
mod engine;
mod erase;
mod files;
mod inner;
mod layout;
mod load;
mod meta;
mod native;
mod open;
mod operate;
pub mod place;
mod publish;
mod read;
mod scan;
mod snapshot;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod translate;

pub use engine::{BulkLoad, Engine, EngineBatch, EngineRead, Visit, WriteLevel};
pub use files::{Access, FileEngine, NotReplaced, PutRow, RowRange, Run, Share};
pub use store::OrderedStore;
