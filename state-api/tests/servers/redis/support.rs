//! Words that the tests are written in.

use std::sync::Arc;

use bytes::Bytes;
use statehold::{
    core::{
        Address, Batch, Cell, Committed, Durability, Envelope, KeyGroup, Marker, Model, Mutation, Options, Ownership,
        Result, StateId, StateSpec, Store,
    },
    testing::servers::{RedisServer, redis::RedisBuilder},
};
use statehold_redis::RedisBackend;

use crate::{
    frames::Protocol,
    support::{Log, open_on},
};

pub(crate) fn server() -> RedisServer {
    RedisServer::start().unwrap()
}

pub(crate) fn server_with(change: impl FnOnce(RedisBuilder) -> RedisBuilder) -> RedisServer {
    change(RedisServer::builder()).start().unwrap()
}

pub(crate) fn options(url: &str) -> Options {
    Protocol::Resp.options(url).with("timeout_ms", 2000)
}

pub(crate) async fn open_as(options: Options, durability: Durability, ownership: Ownership) -> Result<Arc<dyn Store>> {
    open_on(&RedisBackend::new(), options, |r| (r.durability, r.ownership) = (durability, ownership)).await
}

pub(crate) async fn open(options: Options) -> Result<Arc<dyn Store>> {
    open_as(options, Durability::Process, Ownership::Exclusive).await
}

/// A connection past the backend.
pub(crate) fn admin(server: &RedisServer) -> redis::Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// What the server tells of itself.
pub(crate) fn info(server: &RedisServer, section: &str) -> String {
    redis::cmd("INFO").arg(section).query(&mut admin(server)).unwrap()
}

pub(crate) async fn register(store: &dyn Store, model: Model) -> StateId {
    store.register(&StateSpec::bytes("state", model).unwrap()).await.unwrap()
}

/// All in one group.
pub(crate) fn at(state: StateId, key: &str) -> Address {
    Address { group: KeyGroup(0), state, key: Bytes::copy_from_slice(key.as_bytes()), sub: Bytes::new() }
}

pub(crate) fn put(state: StateId, key: &str, value: &str) -> Mutation {
    let sealed = Envelope::of_state("state").seal(0, key.as_bytes(), b"", None, value.as_bytes());
    Mutation::Put(at(state, key), Cell::new(sealed))
}

pub(crate) async fn commit(store: &dyn Store, sequence: u64, mutation: Mutation) -> Result<Committed> {
    let marker = Some(Marker { writer: Log::WRITER, sequence, position: None });
    store.commit(Batch { marker, mutations: vec![mutation], ..Batch::default() }).finish().await
}

pub(crate) async fn value(store: &dyn Store, state: StateId, key: &str) -> Option<String> {
    let cell = store.get(&at(state, key)).finish().await.unwrap()?;
    Some(String::from_utf8_lossy(&cell.value[Envelope::BYTES..]).into_owned())
}
