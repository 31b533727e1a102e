//! Sites of the Redis backend: a prefix each, on one server that the test binary starts.

#![allow(dead_code, reason = "each binary starts one kind of server")]

use std::{
    any::Any,
    path::Path,
    process::{Command, ExitCode},
    sync::Arc,
};

use async_trait::async_trait;
use statehold::testing::servers::{RedisCluster, RedisServer, redis::given_url};
use statehold_conformance::{Site, Subject};
use statehold_core::{Backend, Capabilities, OpenRequest, Options, Ownership, Result, Store};
use statehold_redis::RedisBackend;

/// Where the servers are, for children that crash cases start.
const URLS: &str = "STATEHOLD_REDIS_SITE_URLS";

/// What keeps the servers running, and where they are.
type Servers = (Option<Box<dyn Any>>, String);

pub(crate) fn single() -> Result<Servers> {
    if let Some(url) = given_url()? {
        return Ok((None, url));
    }
    let server = RedisServer::start()?;
    let url = server.url();
    Ok((Some(Box::new(server)), url))
}

pub(crate) fn cluster() -> Result<Servers> {
    let cluster = RedisCluster::start()?;
    let urls = cluster.urls();
    Ok((Some(Box::new(cluster)), urls))
}

/// Runs the suite; stores that write are opened with `ownership`. The suite runs in a child of the process that
/// has the servers, so that children of crash cases are told of them too.
pub(crate) fn main(start: fn() -> Result<Servers>, options: Options, ownership: Ownership) -> ExitCode {
    let lists_only = std::env::args().any(|argument| argument == "--list");
    let urls = match std::env::var(URLS) {
        Ok(urls) => urls,
        Err(_) if lists_only => "redis://localhost".into(),
        Err(_) => return beside_servers(start),
    };
    statehold_conformance::main(subject(urls, options, ownership))
}

/// Places on the servers at `urls`.
pub(crate) fn subject(urls: String, options: Options, ownership: Ownership) -> Subject {
    let site = move |dir: &Path| Site::new(Leading(RedisBackend::new(), ownership), options_of(&urls, &options, dir));
    Subject::new(site)
}

fn beside_servers(start: fn() -> Result<Servers>) -> ExitCode {
    let run = || -> std::result::Result<bool, Box<dyn std::error::Error>> {
        let (_servers, urls) = start()?;
        let suite = std::env::current_exe()?;
        let status = Command::new(suite).args(std::env::args_os().skip(1)).env(URLS, urls).status()?;
        Ok(status.success())
    };
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The same directory is the same place, in this process and in another.
fn options_of(urls: &str, options: &Options, dir: &Path) -> Options {
    let name: String = dir.display().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let short = &name[name.len().saturating_sub(40)..];
    options.clone().with("urls", urls).with("prefix", format!("{short}:"))
}

/// The backend, with one ownership before the others: the suite takes the first.
struct Leading(RedisBackend, Ownership);

#[async_trait]
impl Backend for Leading {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        let mut capabilities = self.0.capabilities(options)?;
        capabilities.ownership.sort_by_key(|ownership| *ownership != self.1);
        Ok(capabilities)
    }

    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        self.0.open(request).await
    }
}
