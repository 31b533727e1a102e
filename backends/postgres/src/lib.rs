//! The PostgreSQL backend: many processes, one schema, every commit one function call on the server.
//!
//! It is: fixed tables with number columns in a schema of its own, versioned migrations, fencing by the rows that
//! a commit locks, native list numbers, snapshots and loads on connections of their own. It is not: a query
//! interface to the tables (they are a storage format), nor a connection pooler for others.
//!
//! ```no_run
//! use statehold_core::{Backend, Options};
//! use statehold_postgres::PostgresBackend;
//! let options = Options::new().with("url", "postgres://app:secret@db.example/orders");
//! let capabilities = PostgresBackend::new().capabilities(&options)?;
//! assert!(capabilities.persistent);
//! # Ok::<(), statehold_core::Error>(())
//! ```

mod backend;
mod batch;
mod bits;
mod catalog;
mod commit;
mod compact;
mod config;
mod connect;
mod copy;
mod error;
mod load;
mod migrate;
mod open;
mod operate;
mod place;
mod plain;
mod pool;
mod publish;
mod read;
mod register;
mod scan;
mod snapshot;
mod store;
mod task;

pub use backend::PostgresBackend;
pub use migrate::{Migrations, SCHEMA_VERSION};
