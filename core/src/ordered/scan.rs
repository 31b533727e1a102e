//! Pages of a scan, of a store and of an image.

use std::{mem, ops::ControlFlow, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{
    Engine, EngineRead, Visit,
    inner::Inner,
    layout::{Form, PREFIX},
    read,
};
use crate::{Cell, Error, Millis, Op, Page, Position, Result, Row, ScanRange, ScanRequest};

/// A page that has looked at so many times its limit of rows ends early.
const PATIENCE: usize = 16;

/// So many rows are read on the caller's thread at most.
const QUICK_ROWS: usize = 256;

/// Rows of a page are cut from pieces of this size: fewer allocations, and little is pinned by one row that is kept.
const PIECE: usize = 16 << 10;

/// One page.
struct Gather<'a> {
    form: Form,
    request: &'a ScanRequest,
    now: Millis,
    /// Show the heads of lists with TTL too.
    heads: bool,
    /// The list whose head was seen last, and whether it lives.
    list: Option<(Bytes, bool)>,
    piece: BytesMut,
    buffer: Vec<u8>,
    rows: Vec<Row>,
    bytes: usize,
    examined: usize,
    /// The last row looked at, where it is not the last of `rows`.
    passed: Option<Position>,
}

impl Gather<'_> {
    fn full(&self) -> bool {
        let limit = self.request.limit;
        self.rows.len() >= limit.rows.max(1)
            || (!self.rows.is_empty() && self.bytes >= limit.bytes)
            || self.examined >= limit.rows.max(1).saturating_mul(PATIENCE)
    }

    fn visit(&mut self, row: &[u8], raw: &[u8]) -> Result<ControlFlow<()>> {
        if self.full() {
            return Ok(ControlFlow::Break(()));
        }
        self.examined += 1;
        let tail = row.get(PREFIX..).ok_or_else(|| self.form.damaged("row is too short"))?;
        let mut buffer = mem::take(&mut self.buffer);
        let (key, sub) = self.form.split(tail, &mut buffer)?;
        let (revision, expires_at) = self.form.read_header(raw)?;
        if self.lives(key, sub, expires_at) {
            let value = if self.request.keys_only { &[] } else { &raw[self.form.header()..] };
            self.bytes += key.len() + sub.len() + value.len();
            let (key, sub, value) = self.cut(key, sub, value);
            self.rows.push(Row { key, sub, cell: Cell { value, revision, expires_at } });
            self.passed = None;
        } else {
            self.passed = Some(Position { key: Bytes::copy_from_slice(key), sub: Bytes::copy_from_slice(sub) });
        }
        self.buffer = buffer;
        Ok(ControlFlow::Continue(()))
    }

    fn lives(&mut self, key: &[u8], sub: &[u8], expires_at: Option<Millis>) -> bool {
        let lives = expires_at.is_none_or(|at| self.now < at);
        if !self.form.has_heads() {
            return lives;
        }
        if sub.is_empty() {
            self.list = Some((Bytes::copy_from_slice(key), lives));
            return lives && self.heads;
        }
        self.list.as_ref().is_some_and(|(list, lives)| *lives && *list == key)
    }

    /// Key, sub and value, out of one piece; the key is shared with the row before if it is the same.
    fn cut(&mut self, key: &[u8], sub: &[u8], value: &[u8]) -> (Bytes, Bytes, Bytes) {
        let same = self.rows.last().filter(|last| last.key == key).map(|last| last.key.clone());
        let key = if same.is_some() { &[] } else { key };
        let needed = key.len() + sub.len() + value.len();
        if self.piece.capacity() < needed {
            self.piece = BytesMut::with_capacity(needed.max(PIECE));
        }
        for part in [key, sub, value] {
            self.piece.extend_from_slice(part);
        }
        let mut rest = self.piece.split().freeze();
        let key = rest.split_to(key.len());
        let sub = rest.split_to(sub.len());
        (same.unwrap_or(key), sub, rest)
    }

    fn page(mut self, ended: bool) -> Page {
        let last = |rows: &[Row]| rows.last().map(|r| Position { key: r.key.clone(), sub: r.sub.clone() });
        let next = if ended { None } else { self.passed.take().or_else(|| last(&self.rows)) };
        Page { rows: self.rows, next }
    }
}

/// One page of live rows. `heads` shows the heads of lists with TTL too.
///
/// Where [`needs_head`] says so this makes two reads of `reader`.
pub(super) fn page(
    reader: &impl EngineRead,
    form: Form,
    request: &ScanRequest,
    now: Millis,
    heads: bool,
) -> Result<Page> {
    let list = match needs_head(form, request) {
        None => None,
        Some(key) => {
            let mut head = Vec::new();
            form.row(request.group, key, &[], &mut head);
            Some((key.clone(), read::head_lives(form, reader.get(&head)?, now)?))
        }
    };
    gather((form, request), now, heads, list, |from, to, visit| reader.scan(from, to, visit))
}

/// The page of the rows that `scan` visits.
fn gather(
    (form, request): (Form, &ScanRequest),
    now: Millis,
    heads: bool,
    list: Option<(Bytes, bool)>,
    scan: impl FnOnce(&[u8], &[u8], Visit<'_>) -> Result<()>,
) -> Result<Page> {
    let (from, to) = form.bounds(request)?;
    if from >= to {
        return Ok(Page::default());
    }
    let mut gather = Gather {
        form,
        request,
        now,
        heads,
        list,
        piece: BytesMut::new(),
        buffer: Vec::new(),
        rows: Vec::with_capacity(expected(request)),
        bytes: 0,
        examined: 0,
        passed: None,
    };
    let mut ended = true;
    let mut failed: Option<Error> = None;
    scan(&from, &to, &mut |row, raw| match gather.visit(row, raw) {
        Ok(flow) => {
            ended = flow.is_continue();
            flow
        }
        Err(e) => {
            failed = Some(e);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or_else(|| Ok(gather.page(ended)), Err)
}

/// Room that is made at once: a page behind the first of a whole group is mostly full.
fn expected(request: &ScanRequest) -> usize {
    const MOST: usize = 4096;
    if request.range == ScanRange::All && request.after.is_some() { request.limit.rows.min(MOST) } else { 0 }
}

/// The list whose head lies before the page's first row.
fn needs_head(form: Form, request: &ScanRequest) -> Option<&Bytes> {
    if !form.has_heads() {
        return None;
    }
    match (&request.range, &request.after) {
        (ScanRange::Subs(key, ..), _) => Some(key),
        (_, Some(after)) => Some(&after.key),
        _ => None,
    }
}

impl<E: Engine> Inner<E> {
    pub(super) fn scan(self: &Arc<Self>, request: &ScanRequest) -> Op<'static, Page> {
        if let Err(e) = self.check_open().and_then(|()| self.check_group(request.group)) {
            return Op::Ready(Err(self.named(e)));
        }
        if E::IN_MEMORY {
            return Op::Ready(self.scan_waiting(request).map_err(|e| self.named(e)));
        }
        match self.scan_at_hand(request) {
            Ok(Some(page)) => return Op::Ready(Ok(page)),
            Ok(None) => {}
            Err(e) => return Op::Ready(Err(self.named(e))),
        }
        let request = request.clone();
        self.hop(move |inner| inner.scan_waiting(&request))
    }

    /// A small map or list, if its rows can be told without waiting: a hop to the pool costs as much as reading
    /// some dozens of them.
    fn scan_at_hand(&self, request: &ScanRequest) -> Result<Option<Page>> {
        let before = self.generation();
        let form = self.form(request.state)?;
        if !matches!(request.range, ScanRange::Subs(..)) || form.has_heads() {
            return Ok(None);
        }
        let engine = self.engine()?;
        let (mut told, mut seen) = (false, 0);
        let page = gather((form, request), self.clock.now(), false, None, |from, to, visit| {
            let cached = engine.scan_cached(from, to, &mut |row, raw| {
                seen += 1;
                if seen > QUICK_ROWS { ControlFlow::Break(()) } else { visit(row, raw) }
            })?;
            told = cached && seen <= QUICK_ROWS;
            Ok(())
        })?;
        self.still_there(before, [request.state])?;
        Ok(told.then_some(page))
    }

    fn scan_waiting(&self, request: &ScanRequest) -> Result<Page> {
        let before = self.generation();
        let form = self.form(request.state)?;
        let now = self.clock.now();
        let read = || page(&*self.engine()?, form, request, now, false);
        let found = if needs_head(form, request).is_none() {
            read()
        } else {
            self.undisturbed(read).and_then(|page| match page {
                Some(page) => Ok(page),
                None => {
                    // Head and elements must be one point in time.
                    let _no_commits = self.lock();
                    read()
                }
            })
        };
        self.still_there(before, [request.state])?;
        found
    }
}
