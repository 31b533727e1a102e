//! A store on a private server.

use std::sync::Arc;

use bytes::Bytes;
use statehold::testing::servers::{RedisServer, redis::RedisBuilder};
use statehold_core::{
    Address, Backend, Batch, Cell, Committed, Durability, Inline, KeyGroup, KeyGroups, Limits, Marker, Model, Mutation,
    Name, OpenRequest, Options, Ownership, Resources, Result, StateId, StateSpec, Store, Unclean, WriterId,
};
use statehold_redis::RedisBackend;

pub(crate) const WRITER: WriterId = WriterId(7);

pub(crate) fn server() -> RedisServer {
    RedisServer::start().unwrap()
}

pub(crate) fn server_with(change: impl FnOnce(RedisBuilder) -> RedisBuilder) -> RedisServer {
    change(RedisServer::builder()).start().unwrap()
}

pub(crate) fn options(url: &str) -> Options {
    Options::new().with("url", url).with("timeout_ms", 2000)
}

pub(crate) async fn open_as(options: Options, durability: Durability, ownership: Ownership) -> Result<Arc<dyn Store>> {
    let request = OpenRequest {
        store: "store".into(),
        namespace: Name::new("test").unwrap(),
        groups: KeyGroups::all(4).unwrap(),
        ownership,
        durability,
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options,
        resources: Resources::new(Arc::new(Inline)),
    };
    RedisBackend::new().open(request).await
}

pub(crate) async fn open(options: Options) -> Result<Arc<dyn Store>> {
    open_as(options, Durability::Process, Ownership::Exclusive).await
}

pub(crate) async fn register(store: &dyn Store, model: Model) -> StateId {
    store.register(&StateSpec::bytes("state", model).unwrap()).await.unwrap()
}

/// All in one group.
pub(crate) fn at(state: StateId, key: &str) -> Address {
    Address { group: KeyGroup(0), state, key: Bytes::copy_from_slice(key.as_bytes()), sub: Bytes::new() }
}

pub(crate) fn put(state: StateId, key: &str, value: &str) -> Mutation {
    Mutation::Put(at(state, key), Cell::new(Bytes::copy_from_slice(format!("12345{value}").as_bytes())))
}

pub(crate) fn append(state: StateId, value: u64) -> Mutation {
    Mutation::Append { at: at(state, "list"), cells: vec![Cell::new(value.to_be_bytes().to_vec())] }
}

pub(crate) async fn commit(store: &dyn Store, sequence: u64, mutation: Mutation) -> Result<Committed> {
    let marker = Some(Marker { writer: WRITER, sequence, position: None });
    store.commit(Batch { marker, mutations: vec![mutation], ..Batch::default() }).finish().await
}

/// The numbers in the list, in order.
pub(crate) async fn numbers(store: &dyn Store, state: StateId) -> Vec<u64> {
    let rows = statehold_core::collect(store, statehold_core::ScanRequest::all(state, KeyGroup(0))).await.unwrap();
    rows.iter().map(|row| u64::from_be_bytes(row.cell.value[..].try_into().unwrap())).collect()
}

pub(crate) async fn value(store: &dyn Store, state: StateId, key: &str) -> Option<String> {
    let cell = store.get(&at(state, key)).finish().await.unwrap()?;
    Some(String::from_utf8_lossy(&cell.value[5..]).into_owned())
}
