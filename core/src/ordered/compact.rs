//! `compact`: removes what has expired, in steps that let commits through.

use std::ops::ControlFlow;

use super::{
    Engine, EngineBatch, EngineRead, erase,
    inner::Inner,
    layout::{Form, PREFIX},
};
use crate::{Compacted, Error, KeyGroup, Millis, Result};

/// One step looks at so many rows at most, and removes a quarter of them at most.
const STEP: usize = 4096;

/// What one step found.
#[derive(Default)]
struct Found {
    /// Rows of expired records; heads of lists that are expired or empty.
    rows: Vec<Vec<u8>>,
    /// Where the next step begins; `None` at the end.
    next: Option<Vec<u8>>,
}

impl<E: Engine> Inner<E> {
    pub(super) fn compact(&self) -> Result<Compacted> {
        self.check_writable()?;
        let now = {
            let mut writer = self.lock();
            let now = self.clock.now();
            // What is removed now must not be there again for a clock that goes back.
            self.raise_floor(&mut writer, now)?;
            now
        };
        let forms: Vec<Form> = self.catalog.read().iter().map(|s| s.form).filter(|f| f.ttl).collect();
        let mut expired = 0;
        for form in forms {
            for group in self.groups.iter() {
                expired += self.compact_group(form, group, now)?;
            }
        }
        self.engine()?.compact()?;
        Ok(Compacted { expired })
    }

    fn compact_group(&self, form: Form, group: KeyGroup, now: Millis) -> Result<u64> {
        let (from, to) = form.whole(group);
        let mut next = Some(from);
        let mut expired = 0;
        while let Some(from) = next {
            let found = find(&*self.engine()?, form, &from, &to, now);
            if self.form(form.id).is_err() {
                // Dropped or replaced meanwhile; what was found is not of this state.
                return Ok(expired);
            }
            let found = found?;
            if !found.rows.is_empty() {
                expired += self.remove_expired(form, group, &found.rows, now)?;
            }
            next = found.next;
        }
        Ok(expired)
    }

    /// Removes those of `rows` that are still expired.
    fn remove_expired(&self, form: Form, group: KeyGroup, rows: &[Vec<u8>], now: Millis) -> Result<u64> {
        let _writer = self.lock();
        if self.form(form.id).is_err() {
            return Ok(0);
        }
        let engine = self.engine()?;
        let keys: Vec<&[u8]> = rows.iter().map(|row| &row[..]).collect();
        let mut batch = engine.batch();
        let mut expired = 0;
        let mut key = Vec::new();
        for (row, raw) in rows.iter().zip(engine.get_many(&keys)?) {
            let Some(raw) = raw else { continue };
            let lives = form.cell(raw)?.is_live(now);
            if form.has_heads() {
                let (list, _) = form.split(&row[PREFIX..], &mut key)?;
                let mut to = Vec::new();
                form.key_end(group, list, &mut to);
                if lives {
                    remove_empty(&*engine, &mut batch, row, &to)?;
                    continue;
                }
                erase::first_rows(&*engine, &mut batch, (row, &to), (u64::MAX, true), |_| false)?;
                expired += 1;
            } else if !lives {
                batch.delete(row);
                expired += 1;
            }
        }
        self.write(&engine, &mut batch, self.level(), true)?;
        Ok(expired)
    }
}

/// Removes the head of a live list without elements.
fn remove_empty<E: Engine>(engine: &E, batch: &mut E::Batch, head: &[u8], to: &[u8]) -> Result<()> {
    let mut rows = 0;
    engine.scan(head, to, &mut |_, _| {
        rows += 1;
        if rows > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if rows == 1 {
        batch.delete(head);
    }
    Ok(())
}

/// Looks at the next rows, without a lock.
fn find(reader: &impl EngineRead, form: Form, from: &[u8], to: &[u8], now: Millis) -> Result<Found> {
    let mut found = Found::default();
    let mut looked_at = 0;
    let mut failed: Option<Error> = None;
    // The live list whose head was the row before: empty, unless an element follows.
    let mut bare: Option<Vec<u8>> = None;
    let mut key = Vec::new();
    reader.scan(from, to, &mut |row, raw| {
        let is_head = match form.split(&row[PREFIX..], &mut key) {
            Ok((_, sub)) => form.has_heads() && sub.is_empty(),
            Err(e) => return stop(&mut failed, e),
        };
        // A step ends before a list's head, so that the next one sees head and first element together.
        if (looked_at >= STEP || found.rows.len() >= STEP / 4) && (is_head || !form.has_heads()) {
            found.next = Some(row.to_vec());
            return ControlFlow::Break(());
        }
        looked_at += 1;
        if is_head {
            found.rows.extend(bare.take());
        } else {
            bare = None;
        }
        match form.read_header(raw) {
            Err(e) => return stop(&mut failed, e),
            Ok((_, Some(at))) if now >= at => {
                if is_head || !form.has_heads() {
                    found.rows.push(row.to_vec());
                }
            }
            Ok(_) if is_head => bare = Some(row.to_vec()),
            Ok(_) => {}
        }
        ControlFlow::Continue(())
    })?;
    found.rows.extend(bare);
    failed.map_or(Ok(found), Err)
}

fn stop(failed: &mut Option<Error>, error: Error) -> ControlFlow<()> {
    *failed = Some(error);
    ControlFlow::Break(())
}
