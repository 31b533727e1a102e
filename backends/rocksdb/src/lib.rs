//! State in RocksDB: larger than memory, on a local disk, private to one process.
//!
//! One store is one RocksDB directory, `<path>/<namespace>/groups-<start>-<end>`, held by RocksDB's own lock
//! file. [`RocksDbBackend`] documents the options. Durability: `visible` writes no log, `process` writes
//! one, `power` syncs it with every commit.
//!
//! Reads that the block cache or a memtable can answer are answered on the caller's thread; those that
//! need the disk take one hop to the blocking pool.
//!
//! It is not: shared between processes (a second one may only look, with `ReadOnly`), or replicated.

mod backend;
mod batch;
mod bulk;
mod config;
mod engine;
mod error;
mod files;
mod image;
mod ingest;
mod memory;
mod open;

pub use backend::RocksDbBackend;
