//! The suite on a Redis server.

mod redis_site;

use statehold_core::{Options, Ownership};

fn main() -> std::process::ExitCode {
    redis_site::main(redis_site::single, Options::new(), Ownership::Exclusive)
}
