//! Sites of the Postgres backend: a schema each, on one server.

#![allow(dead_code, reason = "not all binaries start a server")]

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use statehold::testing::servers::{PostgresServer, postgres::given_url};
use statehold_conformance::{Site, Subject};
use statehold_core::{Options, Result};
use statehold_postgres::PostgresBackend;

/// The server that `STATEHOLD_TEST_POSTGRES_URL` names, or a private one that syncs what it acknowledges, or not.
pub(crate) fn server(syncs: bool) -> Result<(Option<Box<dyn std::any::Any>>, String)> {
    if let Some(url) = given_url()? {
        return Ok((None, url));
    }
    let server = PostgresServer::builder().fsync(syncs).start()?;
    let url = server.url();
    Ok((Some(Box::new(server)), url))
}

/// Places on the server at `url`. The same directory is the same place, in this process and in another.
pub(crate) fn subject(url: String) -> Subject {
    Subject::new(move |dir: &Path| {
        let mut hasher = DefaultHasher::new();
        dir.hash(&mut hasher);
        let schema = format!("s{:016x}", hasher.finish());
        let options = Options::new().with("url", &*url).with("tls", "disable").with("schema", schema).with("pool", 4);
        Site::new(PostgresBackend::new(), options)
    })
}
