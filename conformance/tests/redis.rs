//! The suite on a Redis server.

mod beside;
mod redis_site;

use statehold_core::{Options, Ownership};

fn main() -> std::process::ExitCode {
    beside::main(redis_site::single, redis_site::NOWHERE, |urls| {
        statehold_conformance::main(redis_site::subject(urls, Options::new(), Ownership::Exclusive))
    })
}
