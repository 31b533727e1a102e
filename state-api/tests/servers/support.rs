//! Stores for one test, and batches for them.

use std::sync::Arc;

use bytes::Bytes;
use statehold::{
    ErrorKind,
    core::{
        Address, Backend, Batch, Cell, Committed, Condition, Durability, Envelope, Inline, KeyGroup, KeyGroups, Limits,
        Marker, Model, Mutation, Name, OpenRequest, Options, Ownership, Reads, Resources, Result, StateId, StateSpec,
        Store, Unclean, WriterId,
    },
};

/// Key groups of the stores under test.
pub(crate) const GROUPS: u16 = 4;

pub(crate) fn request(options: Options) -> OpenRequest {
    OpenRequest {
        store: "server".into(),
        namespace: Name::new("tests").unwrap(),
        groups: KeyGroups::all(GROUPS).unwrap(),
        ownership: Ownership::Exclusive,
        durability: Durability::Process,
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options,
        resources: Resources::new(Arc::new(Inline)),
    }
}

pub(crate) async fn open_on(
    backend: &dyn Backend,
    options: Options,
    change: impl FnOnce(&mut OpenRequest),
) -> Result<Arc<dyn Store>> {
    let mut request = request(options);
    change(&mut request);
    backend.open(request).await
}

/// A key of the group.
fn key_of(group: u16) -> Bytes {
    let mut keys = (0..).map(|n: u32| Bytes::from(format!("key{n}")));
    keys.find(|key| KeyGroup::of(key, GROUPS).0 == group).unwrap()
}

/// A list of numbers: what is appended twice, or out of order, shows.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) id: StateId,
    key: Bytes,
}

impl Log {
    pub(crate) const WRITER: WriterId = WriterId(7);

    pub(crate) async fn of(store: Arc<dyn Store>) -> Result<Self> {
        Self::in_group(store, 0).await
    }

    pub(crate) async fn in_group(store: Arc<dyn Store>, group: u16) -> Result<Self> {
        let id = store.register(&StateSpec::bytes("log", Model::List)?).await?;
        Ok(Self { store, id, key: key_of(group) })
    }

    fn at(&self) -> Address {
        Address { group: KeyGroup::of(&self.key, GROUPS), state: self.id, key: self.key.clone(), sub: Bytes::new() }
    }

    /// Appends `number` under the marker of that number.
    pub(crate) async fn append(&self, number: u64) -> Result<Committed> {
        let payload = number.to_be_bytes();
        let value = Envelope::of_state("log").seal(0, &self.key, b"", None, &payload);
        let append = Mutation::Append { at: self.at(), cells: vec![Cell::new(value)] };
        let marker = Some(Marker { writer: Self::WRITER, sequence: number, position: None });
        self.store.commit(Batch { marker, mutations: vec![append], ..Batch::default() }).finish().await
    }

    /// Appends `number` until it is known to be in, as BATCH-4 says. What failed otherwise than as `Indeterminate`
    /// must not have happened.
    pub(crate) async fn append_surely(&self, number: u64) {
        self.append_until_in(number, false).await;
    }

    /// As [`Log::append_surely`], where it may have been sent before.
    pub(crate) async fn append_surely_after_unknown(&self, number: u64) {
        self.append_until_in(number, true).await;
    }

    async fn append_until_in(&self, number: u64, mut unknown: bool) {
        loop {
            match self.append(number).await {
                Ok(committed) => {
                    assert!(unknown || !committed.duplicate, "{number} was in, and reported as not");
                    return;
                }
                Err(error) => {
                    assert!(error.is_retryable() && error.advice().is_some(), "{error}");
                    unknown |= error.kind() == ErrorKind::Indeterminate;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// The numbers in the list, in order.
    pub(crate) async fn numbers(&self) -> Result<Vec<u64>> {
        self.numbers_in(&*self.store).await
    }

    /// The numbers that a snapshot shows.
    pub(crate) async fn numbers_in(&self, reads: &dyn Reads) -> Result<Vec<u64>> {
        let (key, group) = (self.key.clone(), self.at().group);
        let request = statehold::core::ScanRequest::all(self.id, group);
        let rows = statehold::core::collect(reads, request).await?;
        let number = |value: &Bytes| u64::from_be_bytes(value[Envelope::BYTES..].try_into().unwrap());
        Ok(rows.iter().filter(|row| row.key == key).map(|row| number(&row.cell.value)).collect())
    }

    /// As [`Log::numbers`], asked again where asking again helps.
    pub(crate) async fn numbers_surely(&self) -> Vec<u64> {
        loop {
            match self.numbers().await {
                Ok(numbers) => return numbers,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A counter that many increment under conditions and markers.
#[derive(Clone)]
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
        Address { group: KeyGroup::of(&key, GROUPS), state: self.id, key, sub: Bytes::new() }
    }

    pub(crate) async fn value(&self) -> Result<Option<u64>> {
        let cell = self.store.get(&self.at()).finish().await?;
        Ok(cell.map(|cell| u64::from_be_bytes(cell.value[Envelope::BYTES..].try_into().unwrap())))
    }

    /// Adds one to what it is now, or fails with `Conflict`.
    pub(crate) async fn increment(&self) -> Result<()> {
        let batch = self.plus_one(None).await?;
        self.store.commit(batch).finish().await.map(drop)
    }

    /// A batch that adds one to what is there now.
    pub(crate) async fn plus_one(&self, marker: Option<Marker>) -> Result<Batch> {
        let now = self.value().await?;
        let condition = match now {
            None => Condition::Absent,
            Some(n) => Condition::ValueIs(Bytes::copy_from_slice(&n.to_be_bytes())),
        };
        let next = now.unwrap_or(0) + 1;
        let value = Envelope::of_state("counter").seal(0, b"counter", b"", None, &next.to_be_bytes());
        Ok(Batch {
            marker,
            conditions: vec![(self.at(), condition)],
            mutations: vec![Mutation::Put(self.at(), Cell::new(value))],
        })
    }
}
