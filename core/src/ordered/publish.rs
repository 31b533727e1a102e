//! Publishing a load: one batch makes it the content of its groups.

use std::{
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
};

use super::{
    Engine, EngineBatch, WriteLevel,
    catalog::{Catalog, State},
    erase,
    inner::{Inner, Writer, first_ordinal, session_of},
    layout::{PREFIX, Table},
    load::{Bulk, Loaded},
    meta::{self, Head, Kind},
};
use crate::{Durability, KeyGroup, KeyGroups, Millis, Result, StateId, step};

/// Kept rows are copied in batches of this many bytes.
const COPY_BYTES: usize = 1 << 20;

impl<E: Engine> Inner<E> {
    pub(super) fn publish(self: &Arc<Self>, number: u64, groups: KeyGroups, loaded: Loaded) -> Result<()> {
        let Loaded { mut states, now, incarnation, session, mut bulk, .. } = loaded;
        // The long part, before anybody has to wait for it.
        if let Bulk::Open(load, _) = &mut bulk {
            load.seal()?;
        }
        self.engine()?.flush()?;
        step("publish.flushed");
        let mut writer = self.lock();
        self.check_loader(&writer, number)?;
        if let Bulk::Open(load, _) = bulk {
            // Not before it is sure that a newer load has not cleared these tables already; a close waits.
            let _engine = self.engine()?;
            load.finish()?;
            step("publish.ingested");
        }
        if groups != self.groups {
            self.keep_other_groups(&mut writer, groups, &mut states)?;
            self.engine()?.flush()?;
        }
        let own_session = session_of(self.ordinals.load(Ordering::Acquire)).max(writer.head.session);
        let head = Head {
            incarnation: Head::above(writer.head.incarnation.max(incarnation), "incarnations")?,
            floor: writer.head.floor.max(now.0),
            session: Head::above(own_session.max(session), "sessions")?,
            loading: 0,
            clean: E::IN_MEMORY || self.durability != Durability::Visible,
            ..writer.head
        };
        let next = Catalog::new(states);
        let (floor, session) = (Millis(head.floor), head.session);

        // From here on until the batch is written, no reader is told old or new content.
        let mut old = Catalog::default();
        self.change_catalog(|catalog| {
            old = catalog.clone();
            catalog.switching = true;
        });
        let written =
            self.write_head(&mut writer, head, WriteLevel::Synced, |batch| replace(batch, self.groups, &next));
        step("publish.written");
        self.change_catalog(|catalog| *catalog = if written.is_ok() { next } else { old });
        written?;

        writer.sequences.fill(0);
        writer.highest = 0;
        writer.markers.clear();
        writer.suspect = false;
        self.clock.raise(floor);
        self.ordinals.store(first_ordinal(session), Ordering::Release);
        Ok(())
    }

    /// A load of some groups keeps the rows of all others: they are copied to the new states.
    fn keep_other_groups(&self, writer: &mut Writer<E>, loaded: KeyGroups, states: &mut Vec<State>) -> Result<()> {
        let engine = self.engine()?;
        let live: Vec<State> = self.catalog.read().iter().cloned().collect();
        for old in live {
            let new = match states.iter_mut().find(|s| s.spec.name == old.spec.name) {
                Some(new) => {
                    *new = State::new(new.form.id, new.spec.merged(&old.spec)?);
                    new.clone()
                }
                None => {
                    let id = StateId(writer.head.next_state);
                    writer.head.next_state += 1;
                    let new = State::new(id, (*old.spec).clone());
                    states.push(new.clone());
                    new
                }
            };
            for group in self.groups.iter().filter(|group| !loaded.contains(*group)) {
                self.copy_group(&engine, &old, &new, group)?;
            }
        }
        Ok(())
    }

    fn copy_group(&self, engine: &E, old: &State, new: &State, group: KeyGroup) -> Result<()> {
        let (mut from, to) = old.form.whole(group);
        let (prefix, _) = new.form.whole(group);
        let mut batch = engine.batch();
        loop {
            let mut bytes = 0;
            let mut next = None;
            engine.scan(&from, &to, &mut |row, raw| {
                if bytes >= COPY_BYTES {
                    next = Some(row.to_vec());
                    return ControlFlow::Break(());
                }
                bytes += row.len() + raw.len();
                batch.put(&[&prefix[..], row.get(PREFIX..).unwrap_or_default()].concat(), raw);
                ControlFlow::Continue(())
            })?;
            self.write(engine, &mut batch, WriteLevel::Unlogged, true)?;
            match next {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }
}

/// Adds to `batch`: `next` is all that there is.
fn replace<B: EngineBatch>(batch: &mut B, groups: KeyGroups, next: &Catalog) -> Result<()> {
    erase::tables_except(batch, groups, Table(0), &next.tables());
    replace_meta(batch, next)
}

/// Adds to `batch`: the catalog is `next`, and no writer and no revision is known.
pub(super) fn replace_meta<B: EngineBatch>(batch: &mut B, next: &Catalog) -> Result<()> {
    for kind in [Kind::CATALOG, Kind::SEQUENCES, Kind::MARKERS] {
        let (from, to) = kind.range();
        batch.delete_range(&from, &to);
    }
    for state in next.iter() {
        batch.put(&meta::catalog_key(state.form.id), &meta::seal_state(state)?);
    }
    Ok(())
}
