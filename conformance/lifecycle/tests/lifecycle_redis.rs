//! Checkpoints on a Redis server.

#[path = "../../tests/beside/mod.rs"]
mod beside;
#[path = "../../tests/redis_site/mod.rs"]
mod redis_site;

use statehold_core::{Options, Ownership};

fn main() -> std::process::ExitCode {
    beside::main(redis_site::single, redis_site::NOWHERE, |urls| {
        statehold_lifecycle_tests::main(redis_site::subject(urls, Options::new(), Ownership::Exclusive))
    })
}
