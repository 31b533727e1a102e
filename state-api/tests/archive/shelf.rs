//! [`Shelf`]: a store that holds exactly the rows a test gives it.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use statehold_core::{
    Address, Cell, Envelope, Error, KeyGroup, KeyGroups, Loader, Millis, Model, Op, Page, Reads, Result, Revision, Row,
    ScanRequest, Snapshot, StateId, StateSpec, Store,
};

use crate::double::Double;

type Place = (u16, u32, Bytes, Bytes);

/// Everything in a shelf.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Content {
    pub(crate) states: Vec<StateSpec>,
    pub(crate) rows: BTreeMap<Place, Cell>,
    pub(crate) now: Millis,
    pub(crate) incarnation: u32,
}

/// A store over a map. It is loaded and cut, never committed to.
pub(crate) struct Shelf {
    content: Arc<Mutex<Arc<Content>>>,
    store: Double,
}

impl Shelf {
    pub(crate) fn new(groups: KeyGroups) -> Self {
        let content: Arc<Mutex<Arc<Content>>> = Arc::default();
        let (cut, loaded) = (content.clone(), content.clone());
        let store = Double::new(
            groups,
            move || Box::new(Cut(cut.lock().unwrap().clone())),
            move |groups| Box::new(Loading { shelf: loaded.clone(), groups, content: Content::default() }),
        );
        Self { content, store }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &self.store
    }

    pub(crate) fn content(&self) -> Content {
        Content::clone(&self.content.lock().unwrap())
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Content)) {
        change(Arc::make_mut(&mut self.content.lock().unwrap()));
    }

    /// Puts a sealed value under the group that its key hashes to.
    pub(crate) fn put(&self, state: &str, key: &[u8], sub: &[u8], payload: &[u8]) {
        self.put_cell(state, key, sub, Cell::new(sealed(state, key, sub, None, payload)));
    }

    pub(crate) fn put_cell(&self, state: &str, key: &[u8], sub: &[u8], cell: Cell) {
        let group = KeyGroup::of(key, self.store.groups().total()).0;
        self.change(|content| {
            let id = content.states.iter().position(|s| s.name == state).unwrap() as u32;
            content.rows.insert((group, id, Bytes::copy_from_slice(key), Bytes::copy_from_slice(sub)), cell);
        });
    }

    pub(crate) fn with_state(self, name: &str, model: Model) -> Self {
        self.change(|content| content.states.push(StateSpec::bytes(name, model).unwrap()));
        self
    }
}

/// A value as core seals it.
pub(crate) fn sealed(state: &str, key: &[u8], sub: &[u8], expires_at: Option<Millis>, payload: &[u8]) -> Bytes {
    Envelope::of_state(state).seal(0, key, sub, expires_at, payload)
}

/// A shelf of 8 groups with one KV state and `rows` rows.
pub(crate) fn counts(rows: u64) -> Shelf {
    let shelf = Shelf::new(KeyGroups::all(8).unwrap()).with_state("counts", Model::Kv);
    for i in 0..rows {
        shelf.put("counts", format!("key {i}").as_bytes(), b"", &i.to_le_bytes());
    }
    shelf
}

/// A shelf with every kind of row there is.
pub(crate) fn everything() -> Shelf {
    let shelf = Shelf::new(KeyGroups::all(8).unwrap())
        .with_state("counts", Model::Kv)
        .with_state("queues", Model::List)
        .with_state("carts", Model::Map)
        .with_state("nothing", Model::Map);
    shelf.change(|c| {
        c.states[0].revisions = true;
        c.states[1].ttl = true;
        (c.now, c.incarnation) = (Millis(1_700_000_000_000), 7);
    });
    for (key, n) in [(&b"\0"[..], 1), (b"\xff\xff", 2), (b"apple", 3), (b"apple\0", 4)] {
        let cell = Cell { revision: Revision::new(6, n), ..Cell::new(sealed("counts", key, b"", None, &[0, 0xFF])) };
        shelf.put_cell("counts", key, b"", cell);
    }
    let until = Some(Millis(1_800_000_000_000));
    shelf.put_cell("queues", b"jobs", b"", Cell { expires_at: until, ..Cell::default() });
    for ordinal in [1_u64, 2, u64::MAX] {
        // Sealed as core seals elements: the list expires, not they.
        let cell = Cell { expires_at: until, ..Cell::new(sealed("queues", b"jobs", b"", None, b"")) };
        shelf.put_cell("queues", b"jobs", &ordinal.to_be_bytes(), cell);
    }
    for sub in [&b""[..], b"\0", b"pear"] {
        shelf.put("carts", b"ann", sub, b"1");
    }
    shelf
}

struct Cut(Arc<Content>);

impl Reads for Cut {
    fn get<'a>(&'a self, _: &'a Address) -> Op<'a, Option<Cell>> {
        Op::Ready(Err(Error::unsupported("a cut is only scanned")))
    }

    fn get_many<'a>(&'a self, _: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::Ready(Err(Error::unsupported("a cut is only scanned")))
    }

    /// Pages of three rows, so that every state takes several.
    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        let (group, state) = (request.group.0, request.state.0);
        let from = match &request.after {
            Some(p) => Excluded((group, state, p.key.clone(), p.sub.clone())),
            None => Excluded((group, state, Bytes::new(), Bytes::new())),
        };
        let of_state = self.0.rows.range((from, Unbounded)).take_while(|(at, _)| (at.0, at.1) == (group, state));
        let row =
            |((_, _, key, sub), cell): (&Place, &Cell)| Row { key: key.clone(), sub: sub.clone(), cell: cell.clone() };
        let rows: Vec<Row> = of_state.take(3).map(row).collect();
        let next = rows.get(2).map(|r| statehold_core::Position { key: r.key.clone(), sub: r.sub.clone() });
        Op::Ready(Ok(Page { rows, next }))
    }
}

#[async_trait]
impl Snapshot for Cut {
    fn now(&self) -> Millis {
        self.0.now
    }

    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        Ok((0..).map(StateId).zip(self.0.states.iter().cloned()).collect())
    }

    fn incarnation(&self) -> u32 {
        self.0.incarnation
    }
}

struct Loading {
    shelf: Arc<Mutex<Arc<Content>>>,
    groups: KeyGroups,
    content: Content,
}

#[async_trait]
impl Loader for Loading {
    async fn state(&mut self, spec: &StateSpec) -> Result<StateId> {
        self.content.states.push(spec.clone());
        Ok(StateId(self.content.states.len() as u32 - 1))
    }

    async fn load(&mut self, state: StateId, group: KeyGroup, rows: Vec<Row>) -> Result<()> {
        for row in rows {
            let place = (group.0, state.0, row.key, row.sub);
            let ascends = self.content.rows.last_key_value().is_none_or(|(last, _)| *last < place);
            assert!(ascends && self.groups.contains(group), "{place:?}");
            self.content.rows.insert(place, row.cell);
        }
        Ok(())
    }

    fn floor(&mut self, now: Millis, incarnation: u32) -> Result<()> {
        (self.content.now, self.content.incarnation) = (now, incarnation);
        Ok(())
    }

    async fn publish(self: Box<Self>) -> Result<()> {
        *self.shelf.lock().unwrap() = Arc::new(self.content);
        Ok(())
    }
}
