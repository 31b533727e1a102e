//! What is RocksDB's own: directories, locks, damage, snapshots. The conformance suite tests the rest.

mod damage;
mod directory;
mod reopen;
mod snapshots;
mod support;
