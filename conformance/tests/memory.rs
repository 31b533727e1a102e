//! The suite on the memory backend.

use statehold_conformance::{Site, Subject};
use statehold_core::Options;
use statehold_memory::MemoryBackend;

fn main() -> std::process::ExitCode {
    statehold_conformance::main(Subject::new(|_| Site::new(MemoryBackend::new(), Options::new())))
}
