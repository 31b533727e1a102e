//! [`Task`]: what a child does until it is killed, and what its store must hold afterwards.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    ArchiveSource, ArchiveStep, Durability, KeyGroup, Marker, Model, Mutation, Result, Row, StateSpec, Store, WriterId,
};

use crate::{
    context::START,
    state::{State, bytes, spec},
};

/// What a child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Commits numbered batches for ever, and says each number when it is acknowledged.
    Commit,
    /// The same in a `Visible` store.
    CommitVisible,
    /// The same in a `Process` store.
    CommitProcess,
    /// The same in a `Power` store.
    CommitPower,
    /// The same, [`FEW`] times.
    CommitFew,
    /// Writes one number to [`WIDE`] records in one batch, then the next number.
    CommitWide,
    /// Recovers one content and another in turns, and says each step.
    Recover,
}

impl Task {
    pub(super) const ALL: [Self; 7] = [
        Self::Commit,
        Self::CommitVisible,
        Self::CommitProcess,
        Self::CommitPower,
        Self::CommitFew,
        Self::CommitWide,
        Self::Recover,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::CommitVisible => "commit-visible",
            Self::CommitProcess => "commit-process",
            Self::CommitPower => "commit-power",
            Self::CommitFew => "commit-few",
            Self::CommitWide => "commit-wide",
            Self::Recover => "recover",
        }
    }

    /// The level its store is opened at; the usual one if none is named.
    pub(super) fn durability(self) -> Option<Durability> {
        match self {
            Self::CommitVisible => Some(Durability::Visible),
            Self::CommitProcess => Some(Durability::Process),
            Self::CommitPower | Self::CommitFew => Some(Durability::Power),
            Self::Commit | Self::CommitWide | Self::Recover => None,
        }
    }
}

/// The batches of [`Task::CommitFew`].
pub(crate) const FEW: u64 = 30;

/// The records of [`Task::CommitWide`].
pub(super) const WIDE: usize = 500;

/// The writer whose markers number the batches.
pub(crate) const WRITER: WriterId = WriterId(42);

/// The states that batches are committed to.
pub(crate) struct Ledger {
    pub(crate) kv: State,
    map: State,
    list: State,
    keys: Vec<Bytes>,
}

/// What the ledger holds: records by key, subkeys of the one map, elements of the one list.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Balance {
    records: BTreeMap<Bytes, Bytes>,
    subs: BTreeMap<Bytes, Bytes>,
    elements: Vec<Bytes>,
}

impl Ledger {
    pub(crate) async fn open(store: &std::sync::Arc<dyn Store>) -> Result<Self> {
        let kv = State::register(store, "kv", Model::Kv, |_| {}).await?;
        let map = State::register(store, "map", Model::Map, |_| {}).await?;
        let list = State::register(store, "list", Model::List, |_| {}).await?;
        let keys = kv.neighbours("key", 20);
        Ok(Self { kv, map, list, keys })
    }

    fn place(&self, number: u64) -> (&Bytes, Bytes, Bytes) {
        let key = &self.keys[(number % 20) as usize];
        (key, bytes((number % 30).to_be_bytes()), bytes(number.to_string()))
    }

    /// The changes of batch `number`.
    pub(crate) fn batch(&self, number: u64) -> Vec<Mutation> {
        let (key, sub, payload) = self.place(number);
        let one = &self.keys[0];
        let record =
            if number.is_multiple_of(7) { self.kv.deleting(key, "") } else { self.kv.putting(key, "", &payload) };
        let mut batch = vec![record, self.map.putting(one, sub, &payload), self.list.appending(one, &[payload], None)];
        if number.is_multiple_of(10) {
            batch.push(self.list.trimming(one, 4));
        }
        batch
    }

    pub(crate) fn marker(number: u64) -> Option<Marker> {
        Some(Marker { writer: WRITER, sequence: number, position: Some(bytes(number.to_be_bytes())) })
    }

    /// What the batches 1 to `last` leave.
    pub(crate) fn expected(&self, last: u64) -> Balance {
        let mut balance = Balance::default();
        for number in 1..=last {
            let (key, sub, payload) = self.place(number);
            if number.is_multiple_of(7) {
                balance.records.remove(key);
            } else {
                balance.records.insert(key.clone(), payload.clone());
            }
            balance.subs.insert(sub, payload.clone());
            if number.is_multiple_of(10) {
                let some = balance.elements.len().min(4);
                balance.elements.drain(..some);
            }
            balance.elements.push(payload);
        }
        balance
    }

    /// What the store holds.
    pub(crate) async fn found(&self) -> Result<Balance> {
        let records = self.kv.entries().await?.into_iter().map(|entry| (entry.key, entry.payload)).collect();
        let subs = self.map.subs(&self.keys[0]).await?.into_iter().collect();
        Ok(Balance { records, subs, elements: self.list.elements(&self.keys[0]).await? })
    }
}

/// How many rows each content of a recovery has.
pub(crate) const ROWS: usize = 400;

/// An archive of [`ROWS`] records that all hold `payload`; says each step as it yields it.
pub(crate) struct Content<F> {
    steps: std::vec::IntoIter<ArchiveStep>,
    say: F,
}

pub(crate) fn recovered_spec() -> Result<StateSpec> {
    spec("state", Model::Kv, |_| {})
}

impl<F: FnMut() + Send> Content<F> {
    pub(crate) fn of(payload: &str, groups: u16, say: F) -> Result<Self> {
        let envelope = statehold_core::Envelope::of_state("state");
        let mut rows: BTreeMap<KeyGroup, Vec<Row>> = BTreeMap::new();
        for i in 0..ROWS {
            let key = bytes(format!("key{i:04}"));
            let value = envelope.seal(0, &key, b"", None, payload.as_bytes());
            let row = Row { sub: Bytes::new(), cell: statehold_core::Cell::new(value), key };
            rows.entry(KeyGroup::of(&row.key, groups)).or_default().push(row);
        }
        let mut steps = vec![ArchiveStep::State(0, recovered_spec()?)];
        for (group, rows) in rows {
            steps.extend(rows.chunks(20).map(|part| ArchiveStep::Rows(0, group, part.to_vec())));
        }
        steps.push(ArchiveStep::Floor(START, 1));
        Ok(Self { steps: steps.into_iter(), say })
    }
}

#[async_trait]
impl<F: FnMut() + Send> ArchiveSource for Content<F> {
    async fn next(&mut self) -> Result<Option<ArchiveStep>> {
        (self.say)();
        Ok(self.steps.next())
    }
}
