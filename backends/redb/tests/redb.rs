//! The suite on the redb backend.

use statehold_conformance::{Site, Subject};
use statehold_core::Options;
use statehold_redb::RedbBackend;

fn main() -> std::process::ExitCode {
    statehold_conformance::main(Subject::new(|dir| {
        Site::new(RedbBackend, Options::new().with("path", dir.display().to_string()))
    }))
}
