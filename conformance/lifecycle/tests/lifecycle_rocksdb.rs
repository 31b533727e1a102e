//! Checkpoints on the RocksDB backend, in both forms.

use statehold_conformance::{Site, Subject};
use statehold_core::Options;
use statehold_rocksdb::RocksDbBackend;

fn main() -> std::process::ExitCode {
    statehold_lifecycle_tests::main(Subject::new(|dir| {
        Site::new(RocksDbBackend::new(), Options::new().with("path", dir.display().to_string()))
    }))
}
