//! Sites of the Postgres backend: a schema each, on one server that the test binary starts.

#![allow(clippy::expect_used, reason = "a part of test programs")]

use std::{fs, path::Path};

use statehold_conformance::Site;
use statehold_core::Options;
use statehold_postgres::PostgresBackend;

/// Tells the child of a crash case where the server is.
const URL_FILE: &str = "postgres-url";

pub(crate) fn site(dir: &Path, url: &str) -> Site {
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
