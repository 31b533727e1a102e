//! [`Store`]: the engine that the quickstart chooses where no descriptor is given, and its private server.

use std::path::Path;

use statehold::{
    Result,
    testing::servers::{PostgresServer, RedisCluster, RedisServer},
};

/// An engine to try out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Store {
    /// In this process, on disk.
    #[default]
    Rocksdb,
    /// In this process, in one file, by an engine in pure Rust.
    Redb,
    /// In this process, gone with it; each run begins with the latest checkpoint.
    Memory,
    /// A private Redis server, for as long as the run takes.
    Redis,
    /// A private Redis Cluster of six nodes.
    RedisCluster,
    /// A private PostgreSQL server.
    Postgres,
}

/// A running server. Dropping it ends it; its data stay.
pub(crate) enum Server {
    Redis(RedisServer),
    RedisCluster(RedisCluster),
    Postgres(PostgresServer),
}

impl Store {
    /// The folder that is made for it.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Rocksdb => "statehold-quickstart",
            Self::Redb => "statehold-quickstart-redb",
            Self::Memory => "statehold-quickstart-memory",
            Self::Redis => "statehold-quickstart-redis",
            Self::RedisCluster => "statehold-quickstart-redis-cluster",
            Self::Postgres => "statehold-quickstart-postgres",
        }
    }

    /// Its name on the command line, if it has a server.
    pub(crate) fn server(self) -> Option<&'static str> {
        match self {
            Self::Rocksdb | Self::Redb | Self::Memory => None,
            Self::Redis => Some("redis"),
            Self::RedisCluster => Some("redis-cluster"),
            Self::Postgres => Some("postgres"),
        }
    }

    /// Starts its server, if it needs one, on the data below `folder`.
    ///
    /// # Errors
    /// `NotFound` naming the package that is missing; what starting fails with.
    pub(crate) fn start(self, folder: &Path) -> Result<Option<Server>> {
        let data = folder.join("server");
        Ok(match self {
            Self::Rocksdb | Self::Redb | Self::Memory => None,
            Self::Redis => Some(Server::Redis(RedisServer::builder().keep_in(&data).start()?)),
            // What is lost in a kill comes back from the latest checkpoint.
            Self::RedisCluster => {
                let node = RedisServer::builder().setting("appendfsync", "everysec");
                Some(Server::RedisCluster(RedisCluster::start_in(&data, &node)?))
            }
            Self::Postgres => Some(Server::Postgres(PostgresServer::builder().fsync(true).keep_in(&data).start()?)),
        })
    }
}

impl Server {
    /// Where it is, and what kind it is, as options of a descriptor.
    pub(crate) fn options(&self) -> (&'static str, String) {
        match self {
            Self::Redis(server) => ("redis", format!(r#"{{ url = "{}" }}"#, server.url())),
            Self::RedisCluster(cluster) => ("redis", format!(r#"{{ urls = "{}", cluster = true }}"#, cluster.urls())),
            Self::Postgres(server) => ("postgres", format!(r#"{{ url = "{}", tls = "disable" }}"#, server.url())),
        }
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// What ending fails with.
    pub(crate) fn stop(self) -> Result<()> {
        match self {
            Self::Redis(mut server) => server.stop(),
            Self::RedisCluster(mut cluster) => cluster.nodes_mut().iter_mut().try_for_each(RedisServer::stop),
            Self::Postgres(mut server) => server.stop(),
        }
    }
}
