//! Private servers for tests, benches and the quickstart: on free loopback ports, in temporary folders, ended
//! with whoever started them.

pub mod browser;
pub mod disk;
pub mod folder;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod redis_cluster;
mod tls;

pub use disk::SmallDisk;
pub use postgres::PostgresServer;
pub use redis::RedisServer;
pub use redis_cluster::RedisCluster;
