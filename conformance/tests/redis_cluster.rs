//! The suite on a Redis Cluster.

mod redis_site;

use statehold_core::{Options, Ownership};

fn main() -> std::process::ExitCode {
    redis_site::main(redis_site::cluster, Options::new().with("cluster", true), Ownership::Exclusive)
}
