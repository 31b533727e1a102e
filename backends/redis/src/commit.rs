//! `commit`: the only way records change.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use redis::Value;
use statehold_core::{
    AtomicScope, Batch, Committed, ConditionsFailed, Error, ErrorKind, KeyGroup, Marker, Result, WriterId,
};

use crate::{
    catalog::Catalog,
    encode::Encoded,
    error::{lost, unexpected},
    inner::{Inner, fenced},
    link::Lane,
    names::Unit,
    reply,
    script::{Arg, COMMIT, Call},
};

/// A pass at the commit script.
enum Pass {
    Done(Committed, u64),
    /// The unit is of a later incarnation.
    Stale(u32),
}

/// What a commit does besides its batch.
struct Extra {
    changes: Vec<Arg>,
    /// Whether open cuts keep what is replaced.
    images: bool,
}

impl Inner {
    pub(crate) async fn commit(&self, batch: &Batch) -> Result<Committed> {
        self.check_writable()?;
        self.check_batch(batch)?;
        let Some(group) = self.one_unit(batch)? else { return Ok(Committed::default()) };
        let extra = Extra { changes: Vec::new(), images: true };
        Ok(self.apply(group, batch, &extra).await?.0)
    }

    /// Commits changes that no batch has; answers how many records they removed.
    pub(crate) async fn commit_raw(&self, group: KeyGroup, changes: Vec<Arg>, images: bool) -> Result<u64> {
        Ok(self.apply(group, &Batch::default(), &Extra { changes, images }).await?.1)
    }

    async fn apply(&self, group: KeyGroup, batch: &Batch, extra: &Extra) -> Result<(Committed, u64)> {
        let mut attempt = 0;
        loop {
            let pass = {
                let _no_cut = self.gate.read().await;
                self.pass(group, batch, extra).await?
            };
            match pass {
                Pass::Done(committed, removed) => return Ok((committed, removed)),
                Pass::Stale(incarnation) => self.settle(incarnation, attempt).await?,
            }
            attempt += 1;
        }
    }

    /// What can be told without looking at the store's content.
    fn check_batch(&self, batch: &Batch) -> Result<()> {
        self.limits.check_batch(batch)?;
        batch.check_folded()?;
        let conditions = batch.conditions.iter().map(|(at, _)| at);
        batch
            .mutations
            .iter()
            .map(statehold_core::Mutation::at)
            .chain(conditions)
            .try_for_each(|at| self.check_group(at.group))
    }

    /// A group of the unit that the batch is of; `None` if it changes nothing at all.
    fn one_unit(&self, batch: &Batch) -> Result<Option<KeyGroup>> {
        let groups = batch.groups();
        let Some(&first) = groups.first() else {
            let anywhere = KeyGroup(self.groups.range().start);
            return Ok(batch.marker.is_some().then_some(anywhere));
        };
        if groups.iter().all(|group| self.names.together(first, *group)) {
            return Ok(Some(first));
        }
        Err(Error::unsupported(format!("a batch over {} key groups, where one is atomic", groups.len()))
            .advise("nothing was written; commit each key group by itself, or use a store of scope `Store`"))
    }

    async fn pass(&self, group: KeyGroup, batch: &Batch, extra: &Extra) -> Result<Pass> {
        let (link, catalog) = (self.link()?, self.catalog());
        let mut encoded = Encoded::of(batch, &catalog)?;
        let unit = self.names.unit(group);
        let call = self.call(&unit, &catalog, batch.marker.as_ref(), &mut encoded, extra);
        let (word, mut parts) = reply::worded(link.commit(&call).await?)?;
        match word.as_str() {
            "OK" => {
                let base = reply::revision(reply::next(&mut parts)?)?;
                let removed = reply::number(reply::next(&mut parts)?)?;
                Ok(Pass::Done(Committed { revisions: encoded.revisions(base), duplicate: false }, removed))
            }
            "DUP" => {
                let base = reply::revision(reply::next(&mut parts)?)?;
                Ok(Pass::Done(Committed { revisions: encoded.revisions(base), duplicate: true }, 0))
            }
            "STALE" => Ok(Pass::Stale(reply::number(reply::next(&mut parts)?)?)),
            "COND" => {
                let failed: Result<Vec<usize>> = parts.map(reply::number).collect();
                Err(ConditionsFailed { failed: failed? }.into())
            }
            "OLD" => {
                let last = reply::word(&reply::bytes(reply::next(&mut parts)?)?)?;
                Err(older(batch.marker.as_ref().map_or(0, |m| m.sequence), last))
            }
            "FENCED" => Err(fenced()),
            "LOST" => Err(lost()),
            "FULL" => Err(Error::new(ErrorKind::ResourceExhausted, "the revisions of an incarnation are used up")
                .advise("archive the store and recover it: that begins another incarnation")),
            _ => Err(unexpected()),
        }
    }

    fn call(
        &self,
        unit: &Unit,
        catalog: &Catalog,
        marker: Option<&Marker>,
        encoded: &mut Encoded,
        extra: &Extra,
    ) -> Call {
        let cut = if self.names_are_many() { self.cut.load(Ordering::Acquire) } else { 0 };
        let mut call = COMMIT
            .on(&unit.meta)
            .arg(unit.base.clone())
            .arg(self.epoch)
            .arg(catalog.incarnation)
            .arg(self.clock.now().0.to_be_bytes())
            .arg(cut);
        match marker {
            None => call.extend(std::iter::repeat_n(Arg::Word(""), 4)),
            Some(marker) => {
                let position = match &marker.position {
                    None => vec![0],
                    Some(position) => [&[1], &position[..]].concat(),
                };
                call.push(marker.writer.0.to_be_bytes().to_vec());
                call.push(marker.sequence.to_be_bytes());
                call.push(catalog.session.to_be_bytes().to_vec());
                call.push(position);
            }
        }
        call.push(encoded.revised);
        call.push(extra.images);
        let fast = encoded.only_puts && marker.is_none() && extra.changes.is_empty();
        call.extend(std::mem::take(&mut encoded.conditions));
        call.push(if fast { "F" } else { "E" });
        call.extend(std::mem::take(&mut encoded.changes));
        call.extend(extra.changes.iter().cloned());
        call
    }

    /// Whether there are units that could be cut at different instants.
    fn names_are_many(&self) -> bool {
        self.capabilities.scope == AtomicScope::KeyGroup
    }

    pub(crate) async fn last_marker(&self, writer: WriterId) -> Result<Option<(u64, Option<Bytes>)>> {
        let link = self.link()?;
        if self.names_are_many() {
            return Ok(None);
        }
        let unit = self.names.unit(KeyGroup(self.groups.range().start));
        let mut get = redis::cmd("HGET");
        get.arg(markers(&unit)).arg(&writer.0.to_be_bytes()[..]);
        let Some(stored) = reply::maybe_bytes(link.ask(Lane::Read, &get).await?)? else { return Ok(None) };
        // Sequence, session, answer, then whether there is a position, and the position.
        let (Some(sequence), Some(session), Some(has)) = (stored.get(..8), stored.get(8..12), stored.get(20)) else {
            return Err(unexpected());
        };
        let catalog = if self.exclusive { self.catalog() } else { self.refresh().await? };
        if session != catalog.session.to_be_bytes() {
            // It tells of content that a recovery replaced.
            return Ok(None);
        }
        Ok(Some((reply::word(sequence)?, (*has == 1).then(|| stored.slice(21..)))))
    }
}

fn markers(unit: &Unit) -> String {
    format!("{}j", unit.base)
}

fn older(asked: u64, last: u64) -> Error {
    Error::new(ErrorKind::Conflict, format!("marker {asked} is older than the writer's last, {last}"))
        .advise("only the last commit can be sent again; go on behind `last_marker`")
}

/// So many writers' markers a unit keeps: each open of a store by a manager is a new writer.
const MAX_WRITERS: usize = 1024;

/// Removes some markers of writers that have been silent for the most sessions (contract BATCH-4).
pub(crate) async fn forget_silent_writers(inner: &Inner) -> Result<()> {
    let link = inner.link()?;
    for (unit, _) in inner.units() {
        let key = markers(&unit);
        let count: usize = reply::number(link.ask(Lane::Life, redis::cmd("HLEN").arg(&key)).await?)?;
        if count <= MAX_WRITERS {
            continue;
        }
        let mut get = redis::cmd("HGETALL");
        get.arg(&key);
        let stored: Vec<Value> = reply::array(link.ask(Lane::Life, &get).await?)?;
        let mut writers = Vec::with_capacity(count);
        let mut parts = stored.into_iter();
        while let (Some(writer), Some(marker)) = (parts.next(), parts.next()) {
            let marker = reply::bytes(marker)?;
            writers.push((marker.get(8..20).map(<[u8]>::to_vec), reply::bytes(writer)?));
        }
        writers.sort();
        let mut remove = redis::cmd("HDEL");
        remove.arg(&key);
        for (_, writer) in &writers[..writers.len().saturating_sub(MAX_WRITERS)] {
            remove.arg(&writer[..]);
        }
        link.ask(Lane::Life, &remove).await?;
    }
    Ok(())
}
