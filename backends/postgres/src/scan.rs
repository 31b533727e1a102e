//! Pages of a scan, on a store's pool or on a snapshot's connection: one statement, one point in time.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use sqlx::{PgConnection, error::Error as SqlError, query_as};
use statehold_core::{Form, Millis, Op, Page, Position, Result, Row, ScanRange, ScanRequest};

use crate::{
    bits::flip,
    catalog::{self, form_in},
    place::{RowKey, key_of},
    pool::Work,
    read,
    store::Inner,
};

/// Rows at or behind `from`, before `to`.
struct Range {
    from: (RowKey, Bytes),
    to: (RowKey, Bytes),
}

/// The byte string right behind `bytes`.
fn behind(bytes: &Bytes) -> Bytes {
    [&bytes[..], &[0]].concat().into()
}

impl Range {
    fn of(request: &ScanRequest) -> Self {
        let none = Bytes::new;
        let at = |key: Bytes| RowKey::new(request.state, request.group, key);
        let start = |bound: &Bound<Bytes>| match bound {
            Bound::Included(b) => b.clone(),
            Bound::Excluded(b) => behind(b),
            Bound::Unbounded => none(),
        };
        let end = |bound: &Bound<Bytes>| match bound {
            Bound::Included(b) => Some(behind(b)),
            Bound::Excluded(b) => Some(b.clone()),
            Bound::Unbounded => None,
        };
        let group_end = RowKey::start(request.state, request.group.0 + 1);
        let mut range = match &request.range {
            ScanRange::All => Self { from: (at(none()), none()), to: (group_end, none()) },
            ScanRange::Keys(from, to) => {
                Self { from: (at(start(from)), none()), to: (end(to).map_or(group_end, at), none()) }
            }
            ScanRange::Subs(key, from, to) => {
                let to = end(to).map_or_else(|| (at(behind(key)), none()), |sub| (at(key.clone()), sub));
                Self { from: (at(key.clone()), start(from)), to }
            }
        };
        if let Some(Position { key, sub }) = &request.after {
            range.from = range.from.max((at(key.clone()), behind(sub)));
        }
        range
    }
}

/// One page of live rows.
pub(crate) struct PageOf {
    form: Form,
    request: ScanRequest,
    range: Range,
    now: Millis,
    /// Show the heads of lists with TTL too.
    heads: bool,
}

/// A page's rows behind each other, ended by rows or by the bytes of those before.
macro_rules! page {
    ($live:literal) => {
        concat!(
            "SELECT p.key, p.sub, p.value, p.revision, p.expires_at FROM (
                SELECT e.key, e.sub, e.value, e.revision, e.expires_at,
                    sum(octet_length(e.key) - 6 + octet_length(e.sub) + octet_length(e.value))
                        OVER (ORDER BY e.key, e.sub ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
                FROM (
                    SELECT * FROM entries r
                    WHERE (r.key, r.sub) >= ($2, $3) AND (r.key, r.sub) < ($4, $5)
                    AND EXISTS (SELECT 1 FROM states s WHERE s.id = $1 AND s.phase = 'live') AND ",
            $live,
            " ORDER BY r.key, r.sub LIMIT $7
                ) e
            ) p WHERE p.before IS NULL OR p.before < $8 ORDER BY p.key, p.sub"
        )
    };
}

const PLAIN: &str = page!("(r.expires_at IS NULL OR r.expires_at > $6)");
const WITH_HEADS: &str = page!(
    "EXISTS (SELECT 1 FROM entries h WHERE h.key = r.key AND h.sub = ''
        AND (h.expires_at IS NULL OR h.expires_at > $6)) AND (r.sub > '' OR $9)"
);

/// Key, subkey, value, revision, expiry.
pub(crate) type Entry = (Vec<u8>, Vec<u8>, Vec<u8>, Option<i64>, Option<i64>);

fn clamp(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Work for PageOf {
    type Out = Vec<Entry>;

    async fn run(&self, on: &mut PgConnection) -> Result<Self::Out, SqlError> {
        let sql = if self.form.has_heads() { WITH_HEADS } else { PLAIN };
        let limit = self.request.limit;
        let mut query = query_as(sql)
            .bind(catalog::id(self.form.id))
            .bind(&self.range.from.0)
            .bind(&self.range.from.1[..])
            .bind(&self.range.to.0)
            .bind(&self.range.to.1[..])
            .bind(flip(self.now.0))
            .bind(clamp(limit.rows.max(1)))
            .bind(clamp(limit.bytes.max(1)));
        if self.form.has_heads() {
            query = query.bind(self.heads);
        }
        query.fetch_all(on).await
    }
}

impl PageOf {
    pub(crate) fn new(form: Form, request: &ScanRequest, now: Millis, heads: bool) -> Self {
        Self { form, request: request.clone(), range: Range::of(request), now, heads }
    }

    pub(crate) fn page(&self, found: Vec<Entry>) -> Page {
        let mut bytes = 0;
        let mut rows: Vec<Row> = Vec::with_capacity(found.len());
        for (key, sub, value, revision, expires_at) in found {
            let key = key_of(key);
            bytes += key.len() + sub.len() + value.len();
            let key = rows.last().filter(|last| last.key == key).map_or(key, |last| last.key.clone());
            rows.push(Row { key, sub: sub.into(), cell: read::cell(value, revision, expires_at) });
        }
        let limit = self.request.limit;
        let full = rows.len() >= limit.rows || bytes >= limit.bytes;
        let last = rows.last().filter(|_| full).map(|r| Position { key: r.key.clone(), sub: r.sub.clone() });
        Page { rows, next: last }
    }
}

impl Inner {
    pub(crate) fn scan(self: &Arc<Self>, request: &ScanRequest) -> Op<'static, Page> {
        let (inner, request) = (Arc::clone(self), request.clone());
        self.task(async move {
            inner.pool.check_open()?;
            inner.check_group(request.group)?;
            let known = inner.known(std::iter::once(request.state)).await?;
            let form = form_in(known.forms(), request.state)?;
            let page = PageOf::new(form, &request, inner.clock.now(), false);
            let rows = inner.pool.read(&page).await?;
            if rows.is_empty() {
                inner.still_there(vec![request.state]).await?;
            }
            Ok(page.page(rows))
        })
    }
}
