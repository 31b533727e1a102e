//! Where cases find a fresh store: a folder, or a private server's schema or prefix. Never where the store's data are.

use std::{
    any::Any,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use statehold::{
    Registry, Result, StoreDescriptor,
    core::{OptionReader, Options},
    testing::servers::{PostgresServer, RedisCluster, RedisServer},
};
use statehold_conformance::Site;

/// What keeps a private server running, and where it is.
pub(super) type Server = (Box<dyn Any>, String);

fn is_cluster(store: &StoreDescriptor) -> Result<bool> {
    Ok(OptionReader::new(&store.kind, &store.options).boolean("cluster")?.unwrap_or(false))
}

/// A private server of the store's kind, if the kind has servers.
///
/// # Errors
/// `NotFound` naming the package that is missing; what starting fails with.
pub(super) fn server(store: &StoreDescriptor) -> Result<Option<Server>> {
    Ok(match &*store.kind {
        "redis" if is_cluster(store)? => {
            let cluster = RedisCluster::start()?;
            let urls = cluster.urls();
            Some((Box::new(cluster), urls))
        }
        "redis" => {
            let server = RedisServer::start()?;
            let url = server.url();
            Some((Box::new(server), url))
        }
        "postgres" => {
            let server = PostgresServer::builder().fsync(true).start()?;
            let url = server.url();
            Some((Box::new(server), url))
        }
        _ => None,
    })
}

/// The store's backend, in the place that belongs to `dir`: the same one in a case and in its child.
///
/// # Errors
/// What the backend says of its options.
pub(super) fn site(store: &StoreDescriptor, server: Option<&str>, dir: &Path) -> Result<Site> {
    // Each place has a backend of its own: some keep their content in themselves.
    let backend = Registry::default().get(&store.kind)?.clone();
    backend.capabilities(&store.options)?;
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    let name = format!("s{:016x}", hasher.finish());
    let has_path = OptionReader::new(&store.kind, &store.options).text("path").is_ok_and(|path| path.is_some());
    let options = match (server, &*store.kind) {
        (Some(url), "postgres") => Options::new().with("url", url).with("tls", "disable").with("schema", name),
        (Some(urls), _) => {
            Options::new().with("urls", urls).with("cluster", is_cluster(store)?).with("prefix", format!("{name}:"))
        }
        (None, _) if has_path => store.options.clone().with("path", dir.join("store").display().to_string()),
        (None, _) => store.options.clone(),
    };
    Ok(Site { backend, options })
}
