//! Private servers for tests, benches and the quickstart: on free loopback ports, in temporary folders, ended
//! with whoever started them.

pub mod postgres;
pub mod process;

pub use postgres::PostgresServer;
