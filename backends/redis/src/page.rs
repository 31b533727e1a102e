//! Pages of scans, of a store and of a cut: the scripts answer rows, the order within small maps is made here.

use std::ops::Bound;

use bytes::Bytes;
use redis::Value;
use statehold_core::{Cell, Error, Form, KeyGroup, Millis, Model, Page, Position, Result, Row, ScanRange, ScanRequest};

use crate::{
    encode::{exclusive, inclusive, model, ordinal_bound},
    inner::{Inner, answered},
    layout::Layout,
    link::Lane,
    names::Unit,
    reply,
    script::{Arg, Call, PAGE},
};

/// So many names one step takes from an index.
const MAX_NAMES: usize = 4096;
/// "All" as the scripts take it.
const NO_LIMIT: usize = 1 << 40;

/// Names and where a page begins.
pub(crate) struct Window {
    /// The range of names; `None` where they are given.
    pub(crate) names: Option<(Arg, Arg)>,
    /// The key that the page begins in, and the bounds of its subkeys.
    start: Bytes,
    from: Arg,
    to: Arg,
}

impl Window {
    /// `None` if nothing can lie in it.
    pub(crate) fn of(form: Form, request: &ScanRequest) -> Result<Option<Self>> {
        let after = request.after.as_ref();
        if let Some(after) = after {
            form.check_shape(&after.key)?;
            if form.model == Model::Kv && !after.sub.is_empty() {
                return Err(
                    Error::invalid("a position in a KV state has a subkey").advise("pass the page's own `next`")
                );
            }
        }
        match &request.range {
            ScanRange::Subs(key, first, last) => {
                form.check_shape(key)?;
                let behind = after.filter(|after| after.key >= *key);
                if behind.is_some_and(|after| after.key > *key) {
                    return Ok(None);
                }
                let first = match (first, behind) {
                    (Bound::Included(b) | Bound::Excluded(b), Some(after)) if *b > after.sub => first.clone(),
                    (_, Some(after)) => Bound::Excluded(after.sub.clone()),
                    (first, None) => first.clone(),
                };
                Ok(Some(Self { names: None, start: key.clone(), from: from_bound(form, &first), to: to_bound(last) }))
            }
            range => {
                let (first, last) = match range {
                    ScanRange::Keys(first, last) => (first.clone(), last.clone()),
                    _ => (Bound::Unbounded, Bound::Unbounded),
                };
                let mut window = Self { names: None, start: Bytes::new(), from: Arg::Word("-"), to: Arg::Word("+") };
                let low = match (&first, after) {
                    (Bound::Included(b) | Bound::Excluded(b), Some(after)) if *b > after.key => lex_from(&first),
                    (_, Some(after)) if form.model == Model::Kv => exclusive(&after.key),
                    (_, Some(after)) => {
                        window.start = after.key.clone();
                        window.from = from_bound(form, &Bound::Excluded(after.sub.clone()));
                        // The first bound may leave this very key out.
                        if first == Bound::Excluded(after.key.clone()) {
                            lex_from(&first)
                        } else {
                            inclusive(&after.key)
                        }
                    }
                    (first, None) => lex_from(first),
                };
                window.names = Some((low, to_bound(&last)));
                Ok(Some(window))
            }
        }
    }
}

fn lex_from(bound: &Bound<Bytes>) -> Arg {
    match bound {
        Bound::Included(b) => inclusive(b),
        Bound::Excluded(b) => exclusive(b),
        Bound::Unbounded => Arg::Word("-"),
    }
}

fn to_bound(bound: &Bound<Bytes>) -> Arg {
    match bound {
        Bound::Included(b) => inclusive(b),
        Bound::Excluded(b) => exclusive(b),
        Bound::Unbounded => Arg::Word("+"),
    }
}

/// The first subkey; of lists the first ordinal, where the exact bound is looked at again afterwards.
fn from_bound(form: Form, bound: &Bound<Bytes>) -> Arg {
    if form.model != Model::List {
        return lex_from(bound);
    }
    match bound {
        Bound::Included(b) => ordinal_bound(b).into(),
        Bound::Excluded(b) if b.len() == 8 => {
            let next = u64::from_be_bytes(b[..].try_into().unwrap_or_default()).saturating_add(1);
            next.to_be_bytes().into()
        }
        Bound::Excluded(b) => ordinal_bound(b).into(),
        Bound::Unbounded => Arg::Word(""),
    }
}

/// What the script found under one name.
pub(crate) struct Found {
    pub(crate) name: Bytes,
    head: Bytes,
    /// Field and value, or element after element; of a KV state the row, if there is one.
    fields: Vec<Bytes>,
}

/// What one call of the page script answered.
pub(crate) struct Step {
    pub(crate) found: Vec<Found>,
    /// There may be more behind it.
    pub(crate) more: bool,
    pub(crate) incarnation: u32,
}

impl Inner {
    pub(crate) async fn scan(&self, request: &ScanRequest) -> Result<Page> {
        self.live_page(request, false).await.map(|(page, _)| page).map_err(|e| self.named(e))
    }

    /// A page of live rows, and the positions of the expired ones among those looked at.
    pub(crate) async fn live_page(&self, request: &ScanRequest, expired: bool) -> Result<(Page, Vec<Position>)> {
        self.check_open()?;
        self.check_group(request.group)?;
        let catalog = self.known(std::iter::once(request.state)).await?;
        let form = catalog.form(request.state)?;
        let Some(window) = Window::of(form, request)? else { return Ok((Page::default(), Vec::new())) };
        let names = match &request.range {
            ScanRange::Subs(key, ..) => Some(vec![key.clone()]),
            _ => None,
        };
        let step = self.step(form, request, &window, names, 0).await?;
        self.confirm(&catalog, step.incarnation, std::iter::once(request.state)).await?;
        let mut gather = Gather::new(form, request, self.clock.now(), false);
        gather.keep_expired = expired;
        let more = step.more;
        for found in step.found {
            if !gather.take(found)? {
                break;
            }
        }
        Ok(gather.page(more))
    }

    /// Calls the page script: over the index, or for `names`.
    pub(crate) async fn step(
        &self,
        form: Form,
        request: &ScanRequest,
        window: &Window,
        names: Option<Vec<Bytes>>,
        cut: u64,
    ) -> Result<Step> {
        let unit = self.names.unit(request.group);
        let single = matches!(request.range, ScanRange::Subs(..));
        let most = if single { NO_LIMIT } else { MAX_NAMES };
        let mut call: Call = PAGE
            .on(&unit.meta)
            .arg(unit.base.clone())
            .arg(form.place(request.group))
            .arg(model(form))
            .arg(form.ttl)
            .arg(cut)
            .arg(request.limit.rows.clamp(1, most))
            .arg(request.limit.bytes.clamp(1, NO_LIMIT))
            .arg(&window.start)
            .arg(window.from.clone())
            .arg(window.to.clone());
        match (names, &window.names) {
            (Some(names), _) => {
                call.push("N");
                names.iter().for_each(|name| call.push(name));
            }
            (None, Some((min, max))) => {
                call.push("I");
                call.push(min.clone());
                call.push(max.clone());
            }
            (None, None) => return Err(crate::error::unexpected()),
        }
        let lane = if cut > 0 { Lane::Life } else { Lane::Read };
        let mut parts = answered(self.link()?.call(lane, &call).await?)?;
        let incarnation = reply::next(&mut parts)?;
        let floor = reply::next(&mut parts)?;
        let incarnation = self.meta(incarnation, floor)?;
        let more = reply::number::<u8>(reply::next(&mut parts)?)? == 1;
        let found = reply::array(reply::next(&mut parts)?)?;
        let found = if form.model == Model::Kv { rows(found)? } else { keyed(found)? };
        Ok(Step { found, more, incarnation })
    }

    /// Names of a cut between two bounds, ascending, and whether there may be more.
    pub(crate) async fn names_of_cut(
        &self,
        unit: &Unit,
        (form, group): (Form, KeyGroup),
        cut: u64,
        (min, max): (Arg, Arg),
        count: usize,
    ) -> Result<(Vec<Bytes>, bool)> {
        let count = count.clamp(1, 512);
        let call = crate::script::NAMES
            .on(&unit.meta)
            .arg(unit.base.clone())
            .arg(form.place(group))
            .arg(cut)
            .arg(min)
            .arg(max)
            .arg(count);
        let mut names: Vec<Bytes> = Vec::new();
        let mut bound: Option<Bytes> = None;
        for slice in answered(self.link()?.call(Lane::Life, &call).await?)? {
            let slice: Vec<Bytes> = reply::array(slice)?.into_iter().map(reply::bytes).collect::<Result<_>>()?;
            if slice.len() == count
                && let Some(last) = slice.last()
                && bound.as_ref().is_none_or(|bound| last < bound)
            {
                bound = Some(last.clone());
            }
            names.extend(slice);
        }
        names.sort_unstable();
        names.dedup();
        if let Some(bound) = &bound {
            names.retain(|name| name <= bound);
        }
        Ok((names, bound.is_some()))
    }
}

fn rows(flat: Vec<Value>) -> Result<Vec<Found>> {
    let mut found = Vec::with_capacity(flat.len() / 2);
    let mut parts = flat.into_iter();
    while let (Some(name), Some(row)) = (parts.next(), parts.next()) {
        let fields = reply::maybe_bytes(row)?.into_iter().collect();
        found.push(Found { name: reply::bytes(name)?, head: Bytes::new(), fields });
    }
    Ok(found)
}

fn keyed(entries: Vec<Value>) -> Result<Vec<Found>> {
    let entry = |value| {
        let mut parts = reply::array(value)?.into_iter();
        let (name, head) = (reply::bytes(reply::next(&mut parts)?)?, reply::bytes(reply::next(&mut parts)?)?);
        let _rest = reply::next(&mut parts)?;
        let fields = reply::array(reply::next(&mut parts)?)?.into_iter().map(reply::bytes).collect::<Result<_>>()?;
        Ok(Found { name, head, fields })
    };
    entries.into_iter().map(entry).collect()
}

/// One page in the making.
pub(crate) struct Gather<'a> {
    form: Form,
    request: &'a ScanRequest,
    now: Millis,
    /// Show the heads of lists with TTL too.
    heads: bool,
    keep_expired: bool,
    rows: Vec<Row>,
    bytes: usize,
    /// The last row looked at, where it is not the last of `rows`.
    passed: Option<Position>,
    expired: Vec<Position>,
    full: bool,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(form: Form, request: &'a ScanRequest, now: Millis, heads: bool) -> Self {
        Self {
            form,
            request,
            now,
            heads,
            keep_expired: false,
            rows: Vec::new(),
            bytes: 0,
            passed: None,
            expired: Vec::new(),
            full: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.passed.is_none()
    }

    /// Takes the rows under one name; `false` if the page is full.
    pub(crate) fn take(&mut self, found: Found) -> Result<bool> {
        let Found { name, head, fields } = found;
        match self.form.model {
            Model::Map => {
                let mut pairs: Vec<(Bytes, Bytes)> =
                    fields.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
                pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                for (sub, row) in pairs {
                    let cell = self.form.cell(row)?;
                    if !self.row(&name, sub, cell) {
                        return Ok(false);
                    }
                }
            }
            Model::List => {
                if self.form.has_heads() {
                    let Some(expires_at) = self.form.head(&head)? else { return Ok(true) };
                    if expires_at.is_some_and(|at| self.now >= at) {
                        let last = Bytes::from_static(&[0xFF; 8]);
                        self.pass(Position { key: name, sub: last });
                        return Ok(!self.full);
                    }
                    let cell = Cell { expires_at, ..Cell::default() };
                    if self.heads && !self.row(&name, Bytes::new(), cell) {
                        return Ok(false);
                    }
                }
                for element in fields {
                    let (ordinal, cell) = self.form.element(element)?;
                    if !self.row(&name, ordinal, cell) {
                        return Ok(false);
                    }
                }
            }
            _ => {
                for row in fields {
                    let cell = self.form.cell(row)?;
                    if !self.row(&name, Bytes::new(), cell) {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    fn pass(&mut self, position: Position) {
        let limit = self.request.limit;
        if self.rows.len() >= limit.rows.max(1) || (!self.rows.is_empty() && self.bytes >= limit.bytes) {
            self.full = true;
            return;
        }
        if self.keep_expired {
            self.expired.push(position.clone());
        }
        self.passed = Some(position);
    }

    fn row(&mut self, key: &Bytes, sub: Bytes, cell: Cell) -> bool {
        let behind =
            self.request.after.as_ref().is_none_or(|after| (&after.key[..], &after.sub[..]) < (&key[..], &sub[..]));
        if !behind || !self.request.range.contains(key, &sub) {
            return true;
        }
        if !cell.is_live(self.now) {
            self.pass(Position { key: key.clone(), sub });
            return !self.full;
        }
        let limit = self.request.limit;
        if self.rows.len() >= limit.rows.max(1) || (!self.rows.is_empty() && self.bytes >= limit.bytes) {
            self.full = true;
            return false;
        }
        self.bytes += key.len() + sub.len() + cell.value.len();
        self.passed = None;
        self.rows.push(Row { key: key.clone(), sub, cell });
        true
    }

    /// The page, and the expired rows that were passed.
    pub(crate) fn page(self, more: bool) -> (Page, Vec<Position>) {
        let last = self.rows.last().map(|row| Position { key: row.key.clone(), sub: row.sub.clone() });
        let next = if self.full || more { self.passed.or(last) } else { None };
        (Page { rows: self.rows, next }, self.expired)
    }
}
