//! State in Redis, standalone or Cluster: shared between processes, or owned by one, in a server's memory.
//!
//! One store is one namespace and range of key groups. [`RedisBackend`] documents the options. All keys of a
//! store on a single server, or of a key group in a Cluster, share one hash tag and are a *unit*: one script
//! commits to it, one cut freezes it. `docs/src/backends/redis.md` has the layout.
//!
//! Durability is the server's setting and is checked when a store is opened: `process` and `power` need
//! `appendonly yes` and `appendfsync always`, and no level lives with an eviction policy.
//!
//! It is not: a cache, a client for data of other applications, or safe from what an asynchronous
//! replica loses when it takes over.

mod backend;
mod catalog;
mod check;
mod commit;
mod compact;
mod config;
mod cuts;
mod encode;
mod erase;
mod error;
mod inner;
mod layout;
mod link;
mod load;
mod names;
mod open;
mod operate;
mod page;
mod publish;
mod read;
mod reply;
mod script;
mod snapshot;
mod store;

pub use backend::RedisBackend;
