//! The suite on the Postgres backend: one private server for all cases, or the one that
//! `STATEHOLD_TEST_POSTGRES_URL` names; a schema of its own for each case.

#![allow(clippy::expect_used, reason = "a test program without the harness")]

mod postgres_site;

use std::process::ExitCode;

use statehold::testing::servers::{PostgresServer, postgres};
use statehold_conformance::Subject;

use postgres_site::site;

fn main() -> ExitCode {
    // A child of a crash case finds the URL in the case's directory, and starts no server.
    if let Some(code) = statehold_conformance::crash_child(&Subject::new(|dir| site(dir, ""))) {
        return code;
    }
    let listing = std::env::args().any(|argument| argument == "--list");
    let given = postgres::given_url().expect("the variable is text");
    let server = if listing || given.is_some() {
        None
    } else {
        Some(PostgresServer::builder().fsync(true).start().expect("a server starts"))
    };
    let url = given.or_else(|| server.as_ref().map(PostgresServer::url)).unwrap_or_default();
    statehold_conformance::main(Subject::new(move |dir| site(dir, &url)))
}
