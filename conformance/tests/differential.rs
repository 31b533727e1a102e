//! The same random sequences on memory, RocksDB, redb, Postgres, Redis and Redis Cluster: equal answers.
//!
//! A sequence that failed goes, with the seed that the failure printed, into `differential/kept.txt`.

#![allow(clippy::expect_used, reason = "a test program without the harness")]

mod postgres_site;
mod redis_site;

use std::process::ExitCode;

use statehold::testing::servers::{PostgresServer, RedisCluster, RedisServer};
use statehold_conformance::{Site, Subject, differential};
use statehold_core::{Options, Ownership};
use statehold_memory::MemoryBackend;
use statehold_redb::RedbBackend;
use statehold_rocksdb::RocksDbBackend;

fn main() -> ExitCode {
    let listing = std::env::args().any(|argument| argument == "--list");
    let servers = (!listing).then(|| {
        let postgres = PostgresServer::start().expect("a Postgres starts");
        let redis = RedisServer::start().expect("a Redis starts");
        let cluster = RedisCluster::start().expect("a Redis Cluster starts");
        (postgres, redis, cluster)
    });
    let urls = servers.as_ref().map(|(postgres, redis, cluster)| (postgres.url(), redis.url(), cluster.urls()));
    let (postgres, redis, cluster) = urls.unwrap_or_default();
    let on_redis = |urls, options| redis_site::subject(urls, options, Ownership::Exclusive);
    let engines = vec![
        ("memory", Subject::new(|_| Site::new(MemoryBackend::new(), Options::new()))),
        (
            "rocksdb",
            Subject::new(|dir| {
                Site::new(RocksDbBackend::new(), Options::new().with("path", dir.display().to_string()))
            }),
        ),
        ("redb", Subject::new(|dir| Site::new(RedbBackend, Options::new().with("path", dir.display().to_string())))),
        ("postgres", postgres_site::subject(postgres)),
        ("redis", on_redis(redis, Options::new())),
        ("redis cluster", on_redis(cluster, Options::new().with("cluster", true))),
    ];
    differential(engines, include_str!("differential/kept.txt"))
}
