//! [`Spi`]: a store without anything above it, as a framework of somebody else's would use it.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use statehold::{
    Error, Model, Registry, Result, TokioPool,
    core::{
        Address, Batch, Cell, KeyGroup, KeyGroups, KeyShape, Limits, Mutation, Name, OpenRequest, PageLimit, Resources,
        Row, ScanRange, ScanRequest, StateId, StateSpec, Store, Unclean, collect,
    },
};
use statehold_bench_kit::{
    Access, Client, Op,
    case::Open,
    op::{head, modified},
};

use super::{GROUPS, count_of, descriptor, payload, raw_value};

/// One store.
pub(super) struct Spi {
    store: Arc<dyn Store>,
    states: States,
    durability: String,
    engine: Option<String>,
}

#[derive(Clone, Copy)]
struct States {
    values: StateId,
    maps: StateId,
    lists: StateId,
    counts: StateId,
}

impl Spi {
    pub(super) async fn open(open: &Open) -> Result<Self> {
        let described = descriptor::store(open, 1)?;
        let durability = descriptor::durability(open)?;
        let request = OpenRequest {
            store: descriptor::STORE.into(),
            namespace: Name::new("bench")?,
            groups: KeyGroups::all(GROUPS as u16)?,
            ownership: described.ownership,
            durability,
            limits: Limits::default(),
            unclean: Unclean::Refuse,
            options: described.options,
            resources: Resources::new(TokioPool::current(8)).with_memory(open.memory),
        };
        let registry = Registry::default();
        let store = registry.get(&described.kind)?.open(request).await?;
        let spec =
            |name, model| Ok::<_, Error>(StateSpec { key_shape: KeyShape::Fixed(8), ..StateSpec::bytes(name, model)? });
        let states = States {
            values: store.register(&spec("values", Model::Kv)?).await?,
            maps: store.register(&spec("maps", Model::Map)?).await?,
            lists: store.register(&spec("lists", Model::List)?).await?,
            counts: store.register(&spec("counts", Model::Kv)?).await?,
        };
        let engine = store.engine_version().await?;
        Ok(Self { store, states, durability: durability.as_str().to_owned(), engine })
    }
}

impl Access for Spi {
    type Client = Records;

    async fn client(&mut self) -> Result<Records> {
        Ok(Records { store: self.store.clone(), states: self.states })
    }

    fn durability(&self) -> String {
        self.durability.clone()
    }

    fn engine(&self) -> Option<String> {
        self.engine.clone()
    }

    async fn close(self) -> Result<()> {
        self.store.close().await
    }
}

/// A store's records.
pub(super) struct Records {
    store: Arc<dyn Store>,
    states: States,
}

fn at(state: StateId, key: u64) -> Address {
    let key = Bytes::copy_from_slice(&key.to_be_bytes());
    Address { group: KeyGroup::of(&key, GROUPS as u16), state, key, sub: Bytes::new() }
}

fn entry(state: StateId, key: u64, sub: u64) -> Address {
    Address { sub: Bytes::copy_from_slice(&sub.to_be_bytes()), ..at(state, key) }
}

impl Records {
    async fn commit(&self, mutations: Vec<Mutation>) -> Result<u64> {
        let mut batch = Batch { mutations, ..Batch::default() };
        batch.sort();
        self.store.commit(batch).finish().await.map(|_| 0)
    }

    async fn put(&self, at: Address, value: &[u8]) -> Result<u64> {
        self.commit(vec![Mutation::Put(at, Cell::new(raw_value(value)))]).await
    }

    async fn find(&self, at: &Address) -> Result<Option<Bytes>> {
        Ok(self.store.get(at).finish().await?.map(|cell| cell.value))
    }

    /// The rows of a key.
    async fn rows(&self, state: StateId, key: u64) -> Result<Vec<Row>> {
        let Address { group, key, .. } = at(state, key);
        let range = ScanRange::Subs(key, Bound::Unbounded, Bound::Unbounded);
        collect(&*self.store, ScanRequest { range, ..ScanRequest::all(state, group) }).await
    }

    async fn page(&self, key: u64, from: u64, limit: usize) -> Result<u64> {
        let Address { group, key, sub, .. } = entry(self.states.maps, key, from);
        let request = ScanRequest {
            range: ScanRange::Subs(key, Bound::Included(sub), Bound::Unbounded),
            limit: PageLimit { rows: limit, ..PageLimit::default() },
            ..ScanRequest::all(self.states.maps, group)
        };
        let page = self.store.scan(&request).finish().await?;
        page.rows.iter().try_fold(0, |sum: u64, row| Ok(sum.wrapping_add(head(payload(Some(&row.cell.value))?))))
    }

    async fn count_keys(&self) -> Result<u64> {
        let mut count = 0;
        for group in self.store.groups().iter() {
            let keys = ScanRequest { keys_only: true, ..ScanRequest::all(self.states.values, group) };
            count += collect(&*self.store, keys).await?.len() as u64;
        }
        Ok(count)
    }
}

impl Client for Records {
    #[inline]
    async fn apply(&mut self, op: &mut Op) -> Result<u64> {
        let States { values, maps, lists, counts } = self.states;
        match op.take() {
            Op::Put(key, value) => self.put(at(values, key), &value).await,
            Op::Get(key) => Ok(head(payload(self.find(&at(values, key)).await?.as_ref())?)),
            Op::GetAbsent(key) => Ok(u64::from(self.find(&at(values, key)).await?.is_none())),
            Op::Modify(key) => {
                let at = at(values, key);
                let old = self.find(&at).await?;
                let old = payload(old.as_ref())?;
                self.put(at, &modified(old)).await?;
                Ok(head(old))
            }
            Op::Increment(key) => {
                let at = at(counts, key);
                let count = count_of(self.find(&at).await?.as_deref()) + 1;
                self.put(at, &count.to_le_bytes()).await?;
                Ok(count)
            }
            Op::PutMany(rows) => {
                let put = |(key, value): (u64, Bytes)| Mutation::Put(at(values, key), Cell::new(raw_value(&value)));
                self.commit(rows.into_iter().map(put).collect()).await
            }
            Op::GetMany(keys) => {
                let places: Vec<Address> = keys.iter().map(|key| at(values, *key)).collect();
                let found = self.store.get_many(&places).finish().await?;
                let value = |cell: &Option<Cell>| Ok::<_, Error>(head(payload(cell.as_ref().map(|cell| &cell.value))?));
                found.iter().try_fold(0_u64, |sum, cell| Ok(sum.wrapping_add(value(cell)?)))
            }
            Op::CountKeys => self.count_keys().await,
            Op::PutEntry(key, sub, value) => self.put(entry(maps, key, sub), &value).await,
            Op::GetEntry(key, sub) => Ok(head(payload(self.find(&entry(maps, key, sub)).await?.as_ref())?)),
            Op::EntryAbsent(key, sub) => Ok(u64::from(self.find(&entry(maps, key, sub)).await?.is_none())),
            Op::Entries(key) => self.rows(maps, key).await?.iter().try_fold(0_u64, |sum, row| {
                let sub = row.sub.first_chunk().map_or(0, |sub| u64::from_be_bytes(*sub));
                Ok(sum.wrapping_add(head(payload(Some(&row.cell.value))?)).wrapping_add(sub))
            }),
            Op::Page(key, from, limit) => self.page(key, from, limit).await,
            Op::Append(key, value) => {
                self.commit(vec![Mutation::Append { at: at(lists, key), cells: vec![Cell::new(raw_value(&value))] }])
                    .await
            }
            Op::Replace(key, elements) => {
                let cells = elements.iter().map(|value| Cell::new(raw_value(value))).collect();
                let clear = Mutation::DeleteSubs { at: at(lists, key), until: None };
                self.commit(vec![clear, Mutation::Append { at: at(lists, key), cells }]).await
            }
            Op::Elements(key) => self
                .rows(lists, key)
                .await?
                .iter()
                .try_fold(0_u64, |sum, row| Ok(sum.wrapping_add(head(payload(Some(&row.cell.value))?)))),
        }
    }
}
