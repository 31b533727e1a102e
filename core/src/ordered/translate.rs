//! [`Translation`]: a batch's mutations as changes of engine rows.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{
    Engine, EngineBatch,
    catalog::Catalog,
    erase,
    inner::{Inner, Scratch},
    layout::Form,
};
use crate::{Address, Batch, Cell, Error, KeyGroup, Millis, Model, Mutation, Result, Revision};

/// Fills `scratch.batch` and `scratch.touched`; nothing else changes before they are written.
pub(super) struct Translation<'a, E: Engine> {
    pub(super) inner: &'a Inner<E>,
    pub(super) engine: &'a E,
    pub(super) catalog: &'a Catalog,
    pub(super) scratch: &'a mut Scratch<E>,
    /// The last sequence per group of the store; nothing if they begin anew.
    pub(super) sequences: &'a [u64],
    pub(super) incarnation: u32,
    /// May wait for the disk.
    pub(super) patient: bool,
    pub(super) now: Option<Millis>,
    /// What the batch's records got; empty as long as none did.
    pub(super) revisions: Vec<Revision>,
}

impl<E: Engine> Translation<'_, E> {
    /// `false` if it would have to wait and may not.
    pub(super) fn translate(&mut self, batch: &Batch) -> Result<bool> {
        self.scratch.touched.clear();
        for (index, mutation) in batch.mutations.iter().enumerate() {
            let at = mutation.at();
            let form = self.catalog.form(at.state)?;
            form.check_mutation(mutation)?;
            let revision = if form.revisions {
                self.revisions.resize(index, Revision::NONE);
                let revision = self.next_revision(at.group);
                self.revisions.push(revision);
                revision
            } else {
                Revision::NONE
            };
            let done = match mutation {
                Mutation::Put(at, cell) => self.put(form, at, cell, revision).map(|()| true),
                Mutation::Delete(at) => self.delete(form, at).map(|()| true),
                Mutation::DeleteSubs { at, until } => self.delete_subs(form, at, until.as_ref()),
                Mutation::Append { at, cells } => self.append(form, at, cells),
                Mutation::TrimFront { at, count } => self.trim(form, at, *count, &batch.mutations[..index]),
            };
            if !done? {
                return Ok(false);
            }
        }
        if !self.revisions.is_empty() {
            self.revisions.resize(batch.mutations.len(), Revision::NONE);
        }
        Ok(true)
    }

    fn next_revision(&mut self, group: KeyGroup) -> Revision {
        // Mutations are sorted by group.
        if self.scratch.touched.last().is_none_or(|(last, _)| *last != group) {
            let index = usize::from(group.0 - self.inner.groups.range().start);
            self.scratch.touched.push((group, self.sequences.get(index).copied().unwrap_or(0)));
        }
        let sequence = self.scratch.touched.last_mut().map_or(0, |(_, sequence)| {
            *sequence += 1;
            *sequence
        });
        Revision::new(self.incarnation, sequence)
    }

    fn now(&mut self) -> Millis {
        *self.now.get_or_insert_with(|| self.inner.clock.now())
    }

    fn put_row(&mut self, form: Form, at: (KeyGroup, &[u8], &[u8]), cell: &Cell, revision: Revision) {
        let Scratch { batch, key, value, .. } = &mut *self.scratch;
        form.row(at.0, at.1, at.2, key);
        if form.header() == 0 {
            batch.put_shared(key, &cell.value);
        } else {
            form.value(revision, cell, value);
            batch.put(key, value);
        }
    }

    fn put(&mut self, form: Form, at: &Address, cell: &Cell, revision: Revision) -> Result<()> {
        if form.model == Model::List {
            self.check_ordinal(&at.sub)?;
        }
        self.put_row(form, (at.group, &at.key, &at.sub), cell, revision);
        Ok(())
    }

    /// An element may be put only below what was reserved, so that the next `Append` stays behind it.
    fn check_ordinal(&self, sub: &[u8]) -> Result<()> {
        let ordinal = sub.try_into().map_or(u64::MAX, u64::from_be_bytes);
        if ordinal >= self.inner.ordinals.load(Ordering::Acquire) {
            return Err(Error::invalid(format!("list ordinal {ordinal} was never reserved"))
                .advise("take ordinals from `reserve_ordinals`, or append"));
        }
        Ok(())
    }

    fn delete(&mut self, form: Form, at: &Address) -> Result<()> {
        let Scratch { batch, key, .. } = &mut *self.scratch;
        form.row(at.group, &at.key, &at.sub, key);
        batch.delete(key);
        Ok(())
    }

    fn delete_subs(&mut self, form: Form, at: &Address, until: Option<&Bytes>) -> Result<bool> {
        match removed(form, at, until) {
            None => Ok(true),
            Some(Removed { from, .. }) if form.model == Model::Kv => {
                self.scratch.batch.delete(&from);
                Ok(true)
            }
            Some(Removed { from, to }) => self.remove(&from, &to, u64::MAX, &[]),
        }
    }

    fn remove(&mut self, from: &[u8], to: &[u8], most: u64, gone: &[Removed]) -> Result<bool> {
        let is_gone = |row: &[u8]| gone.iter().any(|r| row >= &r.from[..] && row < &r.to[..]);
        erase::first_rows(self.engine, &mut self.scratch.batch, (from, to), (most, self.patient), is_gone)
    }

    fn append(&mut self, form: Form, at: &Address, cells: &[Cell]) -> Result<bool> {
        let Some(first) = cells.first() else { return Ok(true) };
        if form.has_heads() && !self.renew_head(form, at, first.expires_at)? {
            return Ok(false);
        }
        let ordinal = self.inner.ordinals.fetch_add(cells.len() as u64, Ordering::AcqRel);
        for (ordinal, cell) in (ordinal..).zip(cells) {
            self.put_row(form, (at.group, &at.key, &ordinal.to_be_bytes()), cell, Revision::NONE);
        }
        Ok(true)
    }

    /// Sets the list's expiry; what an expired list left goes first.
    fn renew_head(&mut self, form: Form, at: &Address, expires_at: Option<Millis>) -> Result<bool> {
        form.row(at.group, &at.key, &[], &mut self.scratch.key);
        let head = if self.patient {
            self.engine.get(&self.scratch.key)?
        } else {
            match self.engine.get_cached(&self.scratch.key)? {
                Some(head) => head,
                None => return Ok(false),
            }
        };
        if let Some(raw) = head
            && !form.cell(raw)?.is_live(self.now())
        {
            let mut to = Vec::new();
            form.key_end(at.group, &at.key, &mut to);
            if !self.remove(&self.scratch.key.clone(), &to, u64::MAX, &[])? {
                return Ok(false);
            }
        }
        let head = Cell { expires_at, ..Cell::default() };
        self.put_row(form, (at.group, &at.key, &[]), &head, Revision::NONE);
        Ok(true)
    }

    fn trim(&mut self, form: Form, at: &Address, count: u64, before: &[Mutation]) -> Result<bool> {
        // What the same batch removes from the list before the trim is not there to be trimmed.
        let gone: Vec<Removed> = before
            .iter()
            .rev()
            .take_while(|m| (m.at().group, m.at().state, &m.at().key) == (at.group, at.state, &at.key))
            .filter_map(|m| match m {
                Mutation::DeleteSubs { at, until } => removed(form, at, until.as_ref()),
                _ => None,
            })
            .collect();
        let (mut from, mut to) = (Vec::new(), Vec::new());
        form.row(at.group, &at.key, &[], &mut from);
        from.push(0);
        form.key_end(at.group, &at.key, &mut to);
        self.remove(&from, &to, count, &gone)
    }
}

/// Rows that a `DeleteSubs` removes.
struct Removed {
    from: Vec<u8>,
    to: Vec<u8>,
}

fn removed(form: Form, at: &Address, until: Option<&Bytes>) -> Option<Removed> {
    if until.is_some_and(|until| at.sub >= *until) || (form.model == Model::Kv && !at.sub.is_empty()) {
        return None;
    }
    let (mut from, mut to) = (Vec::new(), Vec::new());
    form.row(at.group, &at.key, &at.sub, &mut from);
    match until {
        Some(until) if form.model != Model::Kv => {
            // The head goes only with the whole list.
            if form.has_heads() && at.sub.is_empty() {
                from.push(0);
            }
            form.row(at.group, &at.key, until, &mut to);
        }
        _ => form.key_end(at.group, &at.key, &mut to),
    }
    Some(Removed { from, to })
}
