//! Checkpoints on the memory backend: only the archive outlives a killed process.

use statehold_conformance::{Site, Subject};
use statehold_core::Options;
use statehold_memory::MemoryBackend;

fn main() -> std::process::ExitCode {
    statehold_lifecycle_tests::main(Subject::new(|_| Site::new(MemoryBackend::new(), Options::new())))
}
