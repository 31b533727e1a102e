//! [`State`]: a state of a store, with the verbs in which cases are written.

use std::sync::Arc;

use bytes::Bytes;
use statehold_core::{
    Address, Batch, Cell, Committed, Condition, Envelope, Error, KeyGroup, KeyGroups, Marker, Millis, Model, Mutation,
    Reads, Result, Revision, Row, ScanRange, ScanRequest, Snapshot, StateId, StateSpec, Store, collect,
};

use crate::failure::Failure;

/// A row as a reader of payloads sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: Bytes,
    pub(crate) sub: Bytes,
    pub(crate) payload: Bytes,
}

/// A registered state. Values are sealed as the framework seals them, and every value read
/// is opened: one that belongs elsewhere, or was changed, is an error.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) id: StateId,
    pub(crate) spec: StateSpec,
    envelope: Envelope,
}

pub(crate) fn bytes(of: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(of.as_ref())
}

/// The revision of the one change of a commit.
pub(crate) fn only_revision(committed: &Committed) -> std::result::Result<Revision, Failure> {
    match committed.revisions[..] {
        [revision] => Ok(revision),
        _ => Err(Failure::new(format!("one change of a state with revisions is answered {:?}", committed.revisions))),
    }
}

/// The spec of a state of byte strings.
pub(crate) fn spec(name: &str, model: Model, change: impl FnOnce(&mut StateSpec)) -> Result<StateSpec> {
    let mut spec = StateSpec::bytes(name, model)?;
    change(&mut spec);
    Ok(spec)
}

/// Commits `mutations` in one batch.
pub(crate) async fn commit(store: &dyn Store, mutations: Vec<Mutation>) -> Result<Committed> {
    commit_if(store, Vec::new(), mutations).await
}

/// Commits `mutations` in one batch if `conditions` hold.
pub(crate) async fn commit_if(
    store: &dyn Store,
    conditions: Vec<(Address, Condition)>,
    mutations: Vec<Mutation>,
) -> Result<Committed> {
    commit_marked(store, None, conditions, mutations).await
}

/// Commits `mutations` with a marker.
pub(crate) async fn commit_marked(
    store: &dyn Store,
    marker: Option<Marker>,
    conditions: Vec<(Address, Condition)>,
    mutations: Vec<Mutation>,
) -> Result<Committed> {
    let mut batch = Batch { marker, conditions, mutations };
    batch.sort();
    store.commit(batch).finish().await
}

impl State {
    pub(crate) async fn register(
        store: &Arc<dyn Store>,
        name: &str,
        model: Model,
        change: impl FnOnce(&mut StateSpec),
    ) -> Result<Self> {
        Self::of_spec(store, spec(name, model, change)?).await
    }

    pub(crate) async fn of_spec(store: &Arc<dyn Store>, spec: StateSpec) -> Result<Self> {
        let id = store.register(&spec).await?;
        let envelope = Envelope::of_state(&spec.name);
        Ok(Self { store: store.clone(), id, spec, envelope })
    }

    /// The same state in `store`, which was opened or recovered since.
    pub(crate) async fn again(&self, store: &Arc<dyn Store>) -> Result<Self> {
        Self::of_spec(store, self.spec.clone()).await
    }

    fn groups(&self) -> KeyGroups {
        self.store.groups()
    }

    pub(crate) fn group(&self, key: &[u8]) -> KeyGroup {
        KeyGroup::of(key, self.groups().total())
    }

    /// The first `n` keys `<prefix>0`, `<prefix>1`, … that lie in the first group of the store.
    pub(crate) fn neighbours(&self, prefix: &str, n: usize) -> Vec<Bytes> {
        let first = KeyGroup(self.groups().range().start);
        let keys = (0..).map(|i| bytes(format!("{prefix}{i}")));
        keys.filter(|key| self.group(key) == first).take(n).collect()
    }

    pub(crate) fn at(&self, key: impl AsRef<[u8]>, sub: impl AsRef<[u8]>) -> Address {
        let key = bytes(key);
        Address { group: self.group(&key), state: self.id, key, sub: bytes(sub) }
    }

    /// A sealed cell. Elements of lists are sealed without place and expiry, which are the list's.
    pub(crate) fn seal(&self, key: &[u8], sub: &[u8], payload: &[u8], expires_at: Option<Millis>) -> Cell {
        let value = match self.spec.model {
            Model::List => self.envelope.seal(0, key, b"", None, payload),
            _ => self.envelope.seal(0, key, sub, expires_at, payload),
        };
        Cell { value, expires_at, ..Cell::default() }
    }

    pub(crate) fn open(&self, key: &[u8], sub: &[u8], cell: &Cell) -> Result<Bytes> {
        if self.spec.model == Model::List {
            let element = Cell { expires_at: None, ..cell.clone() };
            return Ok(self.envelope.open(key, b"", element)?.payload);
        }
        Ok(self.envelope.open(key, sub, cell.clone())?.payload)
    }

    fn entry(&self, row: Row) -> Result<Entry> {
        let payload = self.open(&row.key, &row.sub, &row.cell)?;
        Ok(Entry { key: row.key, sub: row.sub, payload })
    }

    pub(crate) fn putting(&self, key: impl AsRef<[u8]>, sub: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Mutation {
        self.putting_until(key, sub, payload, None)
    }

    pub(crate) fn putting_until(
        &self,
        key: impl AsRef<[u8]>,
        sub: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
        expires_at: Option<Millis>,
    ) -> Mutation {
        let at = self.at(key, sub);
        let cell = self.seal(&at.key, &at.sub, payload.as_ref(), expires_at);
        Mutation::Put(at, cell)
    }

    pub(crate) fn deleting(&self, key: impl AsRef<[u8]>, sub: impl AsRef<[u8]>) -> Mutation {
        Mutation::Delete(self.at(key, sub))
    }

    /// Removes all of a key's map or list.
    pub(crate) fn removing(&self, key: impl AsRef<[u8]>) -> Mutation {
        Mutation::DeleteSubs { at: self.at(key, b""), until: None }
    }

    pub(crate) fn appending<P: AsRef<[u8]>>(
        &self,
        key: impl AsRef<[u8]>,
        payloads: &[P],
        expires_at: Option<Millis>,
    ) -> Mutation {
        let at = self.at(key, b"");
        let cells = payloads.iter().map(|p| self.seal(&at.key, b"", p.as_ref(), expires_at)).collect();
        Mutation::Append { at, cells }
    }

    pub(crate) fn trimming(&self, key: impl AsRef<[u8]>, count: u64) -> Mutation {
        Mutation::TrimFront { at: self.at(key, b""), count }
    }

    pub(crate) async fn commit(&self, mutation: Mutation) -> Result<Committed> {
        commit(&*self.store, vec![mutation]).await
    }

    pub(crate) async fn put(&self, key: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Result<Committed> {
        self.commit(self.putting(key, b"", payload)).await
    }

    pub(crate) async fn put_sub(
        &self,
        key: impl AsRef<[u8]>,
        sub: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
    ) -> Result<Committed> {
        self.commit(self.putting(key, sub, payload)).await
    }

    pub(crate) async fn put_until(
        &self,
        key: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
        expires_at: Millis,
    ) -> Result<Committed> {
        self.commit(self.putting_until(key, b"", payload, Some(expires_at))).await
    }

    pub(crate) async fn delete(&self, key: impl AsRef<[u8]>) -> Result<Committed> {
        self.commit(self.deleting(key, b"")).await
    }

    pub(crate) async fn append<P: AsRef<[u8]>>(&self, key: impl AsRef<[u8]>, payloads: &[P]) -> Result<Committed> {
        self.commit(self.appending(key, payloads, None)).await
    }

    /// Puts many entries, one batch a group, so that any atomic scope takes them.
    pub(crate) async fn put_all<K, S, P>(&self, entries: impl IntoIterator<Item = (K, S, P)>) -> Result<()>
    where
        K: AsRef<[u8]>,
        S: AsRef<[u8]>,
        P: AsRef<[u8]>,
    {
        let all: Vec<Mutation> = entries.into_iter().map(|(key, sub, p)| self.putting(key, sub, p)).collect();
        for group in self.groups().iter() {
            let part: Vec<Mutation> = all.iter().filter(|m| m.at().group == group).cloned().collect();
            if !part.is_empty() {
                commit(&*self.store, part).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn cell(&self, key: impl AsRef<[u8]>, sub: impl AsRef<[u8]>) -> Result<Option<Cell>> {
        let at = self.at(key, sub);
        let cell = self.store.get(&at).finish().await?;
        if let Some(cell) = &cell {
            self.open(&at.key, &at.sub, cell)?;
        }
        Ok(cell)
    }

    pub(crate) async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        self.get_sub(key, b"").await
    }

    pub(crate) async fn get_sub(&self, key: impl AsRef<[u8]>, sub: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        Ok(self.cell(key, sub).await?.and_then(|cell| Envelope::payload(&cell.value)))
    }

    /// The payloads at `at`, in that order.
    pub(crate) async fn get_many(&self, at: &[Address]) -> Result<Vec<Option<Bytes>>> {
        let cells = self.store.get_many(at).finish().await?;
        if cells.len() != at.len() {
            return Err(Error::internal(format!("get_many answered {} records for {}", cells.len(), at.len())));
        }
        let open = |(at, cell): (&Address, &Option<Cell>)| {
            cell.as_ref().map(|cell| self.open(&at.key, &at.sub, cell)).transpose()
        };
        at.iter().zip(&cells).map(open).collect()
    }

    /// A scan of all rows of a group of this state.
    pub(crate) fn scan(&self, group: KeyGroup) -> ScanRequest {
        ScanRequest::all(self.id, group)
    }

    /// A scan of all rows of one key.
    pub(crate) fn scan_key(&self, key: impl AsRef<[u8]>) -> ScanRequest {
        let key = bytes(key);
        let range = ScanRange::Subs(key.clone(), std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        ScanRequest { range, ..self.scan(self.group(&key)) }
    }

    /// What a scan yields from `request` on.
    pub(crate) async fn collect(&self, request: ScanRequest) -> Result<Vec<Entry>> {
        collect(&*self.store, request).await?.into_iter().map(|row| self.entry(row)).collect()
    }

    /// One page: its entries and where the next begins.
    pub(crate) async fn page(&self, request: &ScanRequest) -> Result<(Vec<Entry>, Option<statehold_core::Position>)> {
        let page = self.store.scan(request).finish().await?;
        Ok((page.rows.into_iter().map(|row| self.entry(row)).collect::<Result<_>>()?, page.next))
    }

    /// The elements of a list, first to last.
    pub(crate) async fn elements(&self, key: impl AsRef<[u8]>) -> Result<Vec<Bytes>> {
        let entries = self.collect(self.scan_key(key)).await?;
        Ok(entries.into_iter().map(|entry| entry.payload).collect())
    }

    /// The subkeys of a map with their payloads.
    pub(crate) async fn subs(&self, key: impl AsRef<[u8]>) -> Result<Vec<(Bytes, Bytes)>> {
        let entries = self.collect(self.scan_key(key)).await?;
        Ok(entries.into_iter().map(|entry| (entry.sub, entry.payload)).collect())
    }

    /// Every entry, group by group.
    pub(crate) async fn entries(&self) -> Result<Vec<Entry>> {
        let rows = self.rows(&*self.store).await?;
        rows.into_iter().map(|row| self.entry(row)).collect()
    }

    /// Every entry that a snapshot shows, group by group, without the rows in which it keeps
    /// the expiries of lists.
    pub(crate) async fn entries_of(&self, cut: &dyn Snapshot) -> Result<Vec<Entry>> {
        let mut rows = self.rows(cut).await?;
        if self.spec.model == Model::List && self.spec.ttl {
            rows.retain(|row| !row.cell.value.is_empty());
        }
        rows.into_iter().map(|row| self.entry(row)).collect()
    }

    async fn rows(&self, reads: &dyn Reads) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for group in self.groups().iter() {
            rows.extend(collect(reads, self.scan(group)).await?);
        }
        Ok(rows)
    }

    /// The keys of every entry, sorted.
    pub(crate) async fn keys(&self) -> Result<Vec<Bytes>> {
        let mut keys: Vec<Bytes> = self.entries().await?.into_iter().map(|entry| entry.key).collect();
        keys.sort();
        Ok(keys)
    }
}
