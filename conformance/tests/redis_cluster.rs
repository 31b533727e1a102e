//! The suite on a Redis Cluster.

mod beside;
mod redis_site;

use statehold_core::{Options, Ownership};

fn main() -> std::process::ExitCode {
    beside::main(redis_site::cluster, redis_site::NOWHERE, |urls| {
        let options = Options::new().with("cluster", true);
        statehold_conformance::main(redis_site::subject(urls, options, Ownership::Exclusive))
    })
}
