//! Sites of the Redis backend: a prefix each, on one server.

#![allow(dead_code, reason = "each binary starts one kind of server, or none")]

use std::{any::Any, path::Path, sync::Arc};

use async_trait::async_trait;
use statehold::testing::servers::{RedisCluster, RedisServer, redis::given_url};
use statehold_conformance::{Site, Subject};
use statehold_core::{Backend, Capabilities, OpenRequest, Options, Ownership, Result, Store};
use statehold_redis::RedisBackend;

/// An address for who only lists cases.
pub(crate) const NOWHERE: &str = "redis://localhost";

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

/// Places on the servers at `urls`.
pub(crate) fn subject(urls: String, options: Options, ownership: Ownership) -> Subject {
    let site = move |dir: &Path| Site::new(Leading(RedisBackend::new(), ownership), options_of(&urls, &options, dir));
    Subject::new(site)
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
