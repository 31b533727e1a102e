//! The suite on the Postgres backend: one private server for all cases, or the one that
//! `STATEHOLD_TEST_POSTGRES_URL` names; a schema of its own for each case.

#![allow(clippy::expect_used, reason = "a test program without the harness")]

use std::{fs, path::Path, process::ExitCode};

use statehold::testing::servers::{PostgresServer, postgres};
use statehold_conformance::{Site, Subject};
use statehold_core::Options;
use statehold_postgres::PostgresBackend;

/// Tells the child of a crash case where the server is.
const URL_FILE: &str = "postgres-url";

fn site(dir: &Path, url: &str) -> Site {
    let file = dir.join(URL_FILE);
    let url = fs::read_to_string(&file).unwrap_or_else(|_| url.to_owned());
    fs::write(&file, &url).expect("the directory of a case can be written");
    // The directory's name is random and nobody else's.
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let schema: String =
        name.bytes().map(|b| if b.is_ascii_alphanumeric() { format!("{b:02x}") } else { "_".into() }).collect();
    let options =
        Options::new().with("url", url).with("tls", "disable").with("schema", format!("s{schema}")).with("pool", 4);
    Site::new(PostgresBackend::new(), options)
}

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
