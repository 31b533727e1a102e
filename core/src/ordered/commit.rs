//! `commit`: the only way records change.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;

use super::{
    Engine, EngineBatch,
    inner::{Inner, Writer, session_of},
    meta::{self, Head, Kind, StoredMarker},
    read,
    translate::Translation,
};
use crate::{
    Batch, Committed, Condition, ConditionsFailed, Durability, Error, ErrorKind, Marker, Op, Result, Revision, WriterId,
};

/// A batch up to this size may be applied on the caller's thread.
const QUICK_BYTES: usize = 64 << 10;
/// So many mutations and conditions too.
const QUICK_COUNT: usize = 512;
/// The greatest sequence of a revision.
const MAX_SEQUENCE: u64 = (1 << Revision::SEQUENCE_BITS) - 1;

impl<E: Engine> Inner<E> {
    /// Applies the batch at once where that cannot wait for a disk, else on the blocking pool.
    pub(super) fn commit(self: &Arc<Self>, batch: Batch) -> Op<'static, Committed> {
        match self.commit_at_hand(&batch) {
            Ok(Some(committed)) => Op::Ready(Ok(committed)),
            Err(e) => Op::Ready(Err(self.named(e))),
            Ok(None) => self.hop(move |inner| {
                inner
                    .apply(&mut inner.lock(), &batch, true)?
                    .ok_or_else(|| Error::internal("a commit that may wait did not"))
            }),
        }
    }

    fn commit_at_hand(&self, batch: &Batch) -> Result<Option<Committed>> {
        self.check_writable()?;
        self.check_batch(batch)?;
        let writer = if E::IN_MEMORY {
            Some(self.writer.lock())
        } else if self.durability < Durability::Power
            && batch.mutations.len() + batch.conditions.len() <= QUICK_COUNT
            && batch.size() <= QUICK_BYTES
        {
            self.writer.try_lock()
        } else {
            None
        };
        match writer {
            Some(mut writer) => self.apply(&mut writer, batch, E::IN_MEMORY),
            None => Ok(None),
        }
    }

    /// What can be told without looking at the store's content.
    fn check_batch(&self, batch: &Batch) -> Result<()> {
        self.limits.check_batch(batch)?;
        batch.check_folded()?;
        for mutation in &batch.mutations {
            self.check_group(mutation.at().group)?;
        }
        for (at, _) in &batch.conditions {
            self.check_group(at.group)?;
        }
        Ok(())
    }

    /// Answers, checks, writes. `None` if that would have to wait and `patient` is false; nothing has changed then.
    fn apply(&self, writer: &mut Writer<E>, batch: &Batch, patient: bool) -> Result<Option<Committed>> {
        if let Some(marker) = &batch.marker
            && let Some(answer) = answered(writer, marker)?
        {
            return Ok(Some(answer));
        }
        if !self.conditions_hold(batch, patient)? {
            return Ok(None);
        }
        writer.scratch.batch.clear();
        let fresh_head = self.counters(writer, batch.mutations.len())?;
        let incarnation = fresh_head.as_ref().unwrap_or(&writer.head).incarnation;
        let reset = incarnation != writer.head.incarnation;
        let engine = self.engine()?;

        let catalog = self.catalog.read();
        let mut translation = Translation {
            inner: self,
            engine: &*engine,
            catalog: &catalog,
            scratch: &mut writer.scratch,
            sequences: if reset { &[] } else { &writer.sequences },
            incarnation,
            patient,
            now: None,
            revisions: Vec::new(),
        };
        if !translation.translate(batch)? {
            return Ok(None);
        }
        let committed = Committed { revisions: translation.revisions, duplicate: false };
        drop(catalog);

        let out = &mut writer.scratch.batch;
        for (group, sequence) in &writer.scratch.touched {
            out.put(&meta::sequence_key(*group), &sequence.to_be_bytes());
        }
        let marker = batch.marker.as_ref().map(|m| (m.writer, StoredMarker::new(m, writer.head.session, &committed)));
        if let Some((writer, stored)) = &marker {
            out.put(&meta::marker_key(*writer), &meta::seal(stored)?);
        }
        // Ordinals were drawn while translating: their session must be known before they are.
        let session = session_of(self.ordinals.load(Ordering::Acquire)).max(writer.head.session);
        let head = match fresh_head {
            Some(head) => Some(Head { session, ..head }),
            None if session != writer.head.session => Some(Head { session, ..writer.head }),
            None => None,
        };
        if let Some(head) = &head {
            out.put(&meta::head_key(), &meta::seal(head)?);
        }

        if !self.write(&engine, out, self.level(), patient)? {
            return Ok(None);
        }
        if let Some(head) = head {
            writer.head = head;
        }
        if reset {
            writer.sequences.fill(0);
            writer.highest = 0;
        }
        for (group, sequence) in writer.scratch.touched.drain(..) {
            writer.sequences[usize::from(group.0 - self.groups.range().start)] = sequence;
            writer.highest = writer.highest.max(sequence);
        }
        if let Some((by, stored)) = marker {
            writer.markers.insert(by, stored);
        }
        Ok(Some(committed))
    }

    /// A new incarnation where a sequence could run over in this batch: no revision ever repeats.
    fn counters(&self, writer: &mut Writer<E>, mutations: usize) -> Result<Option<Head>> {
        if writer.highest < MAX_SEQUENCE - mutations as u64 {
            return Ok(None);
        }
        let (from, to) = Kind::SEQUENCES.range();
        writer.scratch.batch.delete_range(&from, &to);
        let incarnation = Head::above(writer.head.incarnation, "incarnations")?;
        Ok(Some(Head { incarnation, ..writer.head }))
    }

    /// Whether they could be evaluated without waiting.
    ///
    /// # Errors
    /// `Conflict` with every condition that does not hold.
    fn conditions_hold(&self, batch: &Batch, patient: bool) -> Result<bool> {
        if batch.conditions.is_empty() {
            return Ok(true);
        }
        let engine = self.engine()?;
        let now = self.clock.now();
        let mut failed = Vec::new();
        let mut key = Vec::new();
        for (index, (at, condition)) in batch.conditions.iter().enumerate() {
            let form = self.form(at.state)?;
            if matches!(condition, Condition::RevisionIs(_)) && !form.revisions {
                return Err(Error::unsupported("a condition on a revision, in a state without them")
                    .advise("register the state with `revisions = true`, or use `ValueIs`"));
            }
            let fetch = |key: &[u8]| if patient { engine.get(key).map(Some) } else { engine.get_cached(key) };
            let Some(found) = read::record(form, at, now, &mut key, fetch)? else { return Ok(false) };
            if !condition.holds(found.as_ref()) {
                failed.push(index);
            }
        }
        if failed.is_empty() { Ok(true) } else { Err(ConditionsFailed { failed }.into()) }
    }

    /// What `last_marker` answers.
    pub(super) fn last_marker(&self, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        self.check_open()?;
        let locked = self.lock();
        Ok(locked.markers.get(&writer).map(|m| (m.sequence, m.position.clone().map(Bytes::from))))
    }
}

/// The answer of then, if the marker was committed before.
fn answered<E: Engine>(writer: &Writer<E>, marker: &Marker) -> Result<Option<Committed>> {
    let Some(last) = writer.markers.get(&marker.writer) else { return Ok(None) };
    match marker.sequence.cmp(&last.sequence) {
        std::cmp::Ordering::Greater => Ok(None),
        std::cmp::Ordering::Equal => Ok(Some(last.answer())),
        std::cmp::Ordering::Less => Err(Error::new(
            ErrorKind::Conflict,
            format!("marker {} is older than the writer's last, {}", marker.sequence, last.sequence),
        )
        .advise("only the last commit can be sent again; go on behind `last_marker`")),
    }
}
