//! What a store shows, compared with what the model has.

use std::ops::Bound;

use bytes::Bytes;
use statehold_core::{Cell, KeyGroup, Millis, PageLimit, ScanRange, ScanRequest, Snapshot};

use super::{
    super::{
        operation::{Part, Table, subkey},
        reference::{Data, Reference},
    },
    Driver,
};
use crate::{
    failure::{Verdict, ensure, ensure_eq},
    state::bytes,
};

impl Driver<'_> {
    fn check_cell(&self, table: usize, key: &Bytes, sub: &Bytes, cell: Option<&Cell>, model: &Reference) -> Verdict {
        let state = &self.states[table];
        let found = cell.map(|cell| state.open(key, sub, cell)).transpose()?;
        let expected = model.data[table].record_at(&(key.clone(), sub.clone()), model.now());
        ensure_eq!(found.as_ref(), expected, "`{}` ({key:?}, {sub:?})", state.spec.name);
        if let (Some(cell), true) = (cell, state.spec.revisions) {
            let given = self.revisions.get(&(table, key.clone(), sub.clone()));
            ensure_eq!(Some(&cell.revision), given, "the revision of `{}` ({key:?}, {sub:?})", state.spec.name);
        }
        Ok(())
    }

    pub(super) async fn read(&mut self, table: usize, records: &[(u8, u8)], model: &Reference) -> Verdict {
        let map = model.tables[table].model == statehold_core::Model::Map;
        let place = |(key, sub): &(u8, u8)| {
            self.states[table].at(model.tables[table].key(*key), if map { subkey(*sub) } else { b"" })
        };
        let at: Vec<_> = records.iter().map(place).collect();
        let cells = self.store.get_many(&at).finish().await?;
        ensure_eq!(cells.len(), at.len(), "the number of records read at once");
        self.seen.cells(&cells);
        for (at, cell) in at.iter().zip(&cells) {
            self.check_cell(table, &at.key, &at.sub, cell.as_ref(), model)?;
            ensure_eq!(&self.store.get(at).finish().await?, cell, "get against get_many of {at:?}");
        }
        Ok(())
    }

    pub(super) fn scan_of(&self, table: usize, group: u16, part: Part) -> ScanRequest {
        let request = self.states[table].scan(KeyGroup(group));
        let spec = &self.states[table].spec;
        let named = Table { name: "", model: spec.model, shape: spec.key_shape, revisions: false, ttl: false };
        let range = match part {
            Part::All => ScanRange::All,
            Part::Keys(from, to) => {
                ScanRange::Keys(Bound::Included(bytes(named.key(from))), Bound::Excluded(bytes(named.key(to))))
            }
            Part::Subs(key, from, to) => ScanRange::Subs(
                bytes(named.key(key)),
                Bound::Excluded(bytes(subkey(from))),
                Bound::Included(bytes(subkey(to))),
            ),
        };
        ScanRequest { range, ..request }
    }

    /// Reads all pages at once, for the comparison with other engines: they may end their pages at different rows,
    /// and so see different things of what is written between two of them.
    pub(super) async fn walk(&mut self, mut request: ScanRequest, rows: usize) -> Verdict {
        request.limit = PageLimit { rows, ..PageLimit::default() };
        let found = statehold_core::collect(&*self.store, request).await?;
        self.seen.rows(&found);
        Ok(())
    }

    /// Reads the scan's next page; it must be the beginning of what the model has behind the cursor.
    pub(super) async fn page(&mut self, rows: usize, model: &Reference) -> Verdict {
        let Some((table, mut request)) = self.scan.take() else { return Ok(()) };
        request.limit = PageLimit { rows, ..PageLimit::default() };
        let page = self.store.scan(&request).finish().await?;
        let group = |key: &Bytes| KeyGroup::of(key, self.groups) == request.group;
        let behind =
            |key: &Bytes, sub: &Bytes| request.after.as_ref().is_none_or(|after| (key, sub) > (&after.key, &after.sub));
        let mut left = model.data[table]
            .records_at(model.now())
            .map(|(at, _)| at)
            .filter(|(key, sub)| group(key) && behind(key, sub) && request.range.contains(key, sub));
        ensure!(page.rows.len() <= rows, "a page of {rows} has {} rows", page.rows.len());
        for row in &page.rows {
            let at = (row.key.clone(), row.sub.clone());
            ensure_eq!(Some(&at), left.next(), "the next row of {request:?}");
            self.check_cell(table, &row.key, &row.sub, Some(&row.cell), model)?;
        }
        let next_left = left.next();
        match page.next {
            None => ensure_eq!(next_left, None, "what follows the last page of {request:?}"),
            Some(next) => {
                let skipped = next_left.filter(|(key, sub)| (key, sub) <= (&next.key, &next.sub));
                ensure_eq!(skipped, None, "what the cursor {next:?} passes by");
                ensure!(Some(&next) > request.after.as_ref(), "the cursor of {request:?} does not advance: {next:?}");
                request.after = Some(next);
                self.scan = Some((table, request));
            }
        }
        Ok(())
    }

    pub(super) async fn list(&self, table: usize, key: u8, rows: usize, model: &Reference) -> Verdict {
        let (state, key) = (&self.states[table], bytes(model.tables[table].key(key)));
        let limit = PageLimit { rows, ..PageLimit::default() };
        let found = state.collect(ScanRequest { limit, ..state.scan_key(&key) }).await?;
        let found: Vec<_> = found.into_iter().map(|entry| entry.payload).collect();
        let expected = model.data[table].lists_at(model.now()).find(|(of, _)| **of == key);
        let expected = expected.map(|(_, list)| list.clone()).unwrap_or_default();
        ensure_eq!(found, expected, "the list {key:?} of `{}`", state.spec.name);
        Ok(())
    }

    /// Compares everything that the store or a cut of it shows with `data` at `now`.
    async fn compare(&self, cut: Option<&dyn Snapshot>, data: &[Data], now: Millis, model: &Reference) -> Verdict {
        for (table, state) in self.states.iter().enumerate() {
            let mut found = match cut {
                Some(cut) => state.entries_of(cut).await?,
                None => state.entries().await?,
            };
            found.sort_by(|a, b| (&a.key, &a.sub).cmp(&(&b.key, &b.sub)));
            let found: Vec<_> = if model.is_list(table) {
                found.into_iter().map(|entry| (entry.key, Bytes::new(), entry.payload)).collect()
            } else {
                found.into_iter().map(|entry| (entry.key, entry.sub, entry.payload)).collect()
            };
            let records = data[table].records_at(now).map(|((key, sub), p)| (key.clone(), sub.clone(), p.clone()));
            let lists = data[table].lists_at(now);
            let elements = lists.flat_map(|(key, list)| list.iter().map(|p| (key.clone(), Bytes::new(), p.clone())));
            let expected: Vec<_> = records.chain(elements).collect();
            ensure_eq!(found, expected, "all entries of `{}`", state.spec.name);
        }
        Ok(())
    }

    /// Compares the whole store with the model.
    pub(in crate::model) async fn check(&self, model: &Reference) -> Verdict {
        self.compare(None, &model.data, model.now(), model).await?;
        for (table, data) in model.data.iter().enumerate() {
            for ((key, sub), _) in data.records_at(model.now()) {
                let at = self.states[table].at(key, sub);
                let cell = self.store.get(&at).finish().await?;
                self.check_cell(table, key, sub, cell.as_ref(), model)?;
            }
        }
        let names: Vec<_> = self.store.states().await?.into_iter().map(|(_, spec)| spec.name).collect();
        let expected: Vec<_> = model.tables.iter().map(|table| table.name.to_owned()).collect();
        ensure_eq!(names, expected, "the catalog");
        Ok(())
    }

    pub(super) async fn check_cut(&self, model: &Reference) -> Verdict {
        for (snapshot, (data, now)) in self.cuts.iter().zip(&model.cuts) {
            ensure_eq!(snapshot.now(), *now, "the instant of the snapshot");
            // States that were dropped or recovered since have other numbers in the store than in the cut.
            let numbers: Vec<_> = snapshot.states().await?.into_iter().map(|(id, _)| id).collect();
            let same = self.states.iter().all(|state| numbers.contains(&state.id));
            if same {
                self.compare(Some(&**snapshot), data, *now, model).await?;
            }
        }
        Ok(())
    }
}
