//! Checkpoints on a Redis Cluster.

#[path = "../../tests/beside/mod.rs"]
mod beside;
#[path = "../../tests/redis_site/mod.rs"]
mod redis_site;

use statehold_core::{Options, Ownership};

fn main() -> std::process::ExitCode {
    beside::main(redis_site::cluster, redis_site::NOWHERE, |urls| {
        let options = Options::new().with("cluster", true);
        statehold_lifecycle_tests::main(redis_site::subject(urls, options, Ownership::Exclusive))
    })
}
