//! A server of the test's own, stores on it, and batches for them.

use std::sync::Arc;

use bytes::Bytes;
use sqlx::{Connection, PgConnection};
use statehold::{
    core::{
        Address, Backend, Batch, Cell, Committed, Condition, Durability, Envelope, Inline, KeyGroup, KeyGroups, Limits,
        Marker, Model, Mutation, Name, OpenRequest, Options, Ownership, Resources, Result, StateId, StateSpec, Store,
        Unclean, WriterId,
    },
    testing::servers::PostgresServer,
};
use statehold_postgres::PostgresBackend;

pub(crate) const WRITER: WriterId = WriterId(7);

pub(crate) fn options(url: &str) -> Options {
    Options::new().with("url", url).with("tls", "disable").with("timeout_ms", 20_000)
}

pub(crate) fn request(options: Options) -> OpenRequest {
    OpenRequest {
        store: "server".into(),
        namespace: Name::new("tests").unwrap(),
        groups: KeyGroups::all(4).unwrap(),
        ownership: Ownership::Exclusive,
        durability: Durability::Process,
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options,
        resources: Resources::new(Arc::new(Inline)),
    }
}

pub(crate) async fn open(options: Options) -> Result<Arc<dyn Store>> {
    PostgresBackend::new().open(request(options)).await
}

pub(crate) async fn open_with(options: Options, change: impl FnOnce(&mut OpenRequest)) -> Result<Arc<dyn Store>> {
    let mut request = request(options);
    change(&mut request);
    PostgresBackend::new().open(request).await
}

/// A connection past the backend.
pub(crate) async fn admin(server: &PostgresServer) -> PgConnection {
    PgConnection::connect(&server.url()).await.unwrap()
}

/// A list state: what is appended twice shows.
pub(crate) struct Log {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) id: StateId,
}

impl Log {
    pub(crate) async fn of(store: Arc<dyn Store>) -> Result<Self> {
        let id = store.register(&StateSpec::bytes("log", Model::List)?).await?;
        Ok(Self { store, id })
    }

    fn at(&self) -> Address {
        let key = Bytes::from_static(b"key");
        Address { group: KeyGroup::of(&key, 4), state: self.id, key, sub: Bytes::new() }
    }

    /// Appends `number` under the marker of that number.
    pub(crate) async fn append(&self, number: u64) -> Result<Committed> {
        let payload = number.to_be_bytes();
        let value = Envelope::of_state("log").seal(0, b"key", b"", None, &payload);
        let append = Mutation::Append { at: self.at(), cells: vec![Cell::new(value)] };
        let marker = Some(Marker { writer: WRITER, sequence: number, position: None });
        self.store.commit(Batch { marker, mutations: vec![append], ..Batch::default() }).finish().await
    }

    /// The numbers in the list, in order.
    pub(crate) async fn numbers(&self) -> Result<Vec<u64>> {
        let request = statehold::core::ScanRequest::all(self.id, self.at().group);
        let rows = statehold::core::collect(&*self.store, request).await?;
        let number = |value: &Bytes| u64::from_be_bytes(value[Envelope::BYTES..].try_into().unwrap());
        Ok(rows.iter().map(|row| number(&row.cell.value)).collect())
    }
}

/// A counter that many increment under conditions.
pub(crate) struct Counter {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) id: StateId,
}

impl Counter {
    pub(crate) async fn of(store: Arc<dyn Store>) -> Result<Self> {
        let id = store.register(&StateSpec::bytes("counter", Model::Kv)?).await?;
        Ok(Self { store, id })
    }

    fn at(&self) -> Address {
        let key = Bytes::from_static(b"counter");
        Address { group: KeyGroup::of(&key, 4), state: self.id, key, sub: Bytes::new() }
    }

    pub(crate) async fn value(&self) -> Result<Option<u64>> {
        let cell = self.store.get(&self.at()).finish().await?;
        Ok(cell.map(|cell| u64::from_be_bytes(cell.value[Envelope::BYTES..].try_into().unwrap())))
    }

    /// Adds one to what it is now, or fails with `Conflict`.
    pub(crate) async fn increment(&self) -> Result<()> {
        let now = self.value().await?;
        let condition = match now {
            None => Condition::Absent,
            Some(n) => Condition::ValueIs(Bytes::copy_from_slice(&n.to_be_bytes())),
        };
        let next = now.unwrap_or(0) + 1;
        let value = Envelope::of_state("counter").seal(0, b"counter", b"", None, &next.to_be_bytes());
        let batch = Batch {
            conditions: vec![(self.at(), condition)],
            mutations: vec![Mutation::Put(self.at(), Cell::new(value))],
            ..Batch::default()
        };
        self.store.commit(batch).finish().await.map(drop)
    }
}
