//! `commit`: one call of the server's function, the only way records change.

use std::sync::Arc;

use statehold_core::{Batch, Committed, ConditionsFailed, Error, ErrorKind, Millis, Op, Result};

use crate::{
    batch::Statement,
    bits::{flip, flop},
    error,
    store::Inner,
};

impl Inner {
    pub(crate) fn commit(self: &Arc<Self>, batch: Batch) -> Op<'static, Committed> {
        if let Err(e) = self.check_batch(&batch) {
            return Op::Ready(Err(self.named(e)));
        }
        let inner = Arc::clone(self);
        self.task(async move { inner.apply(batch).await })
    }

    /// What can be told without the server.
    fn check_batch(&self, batch: &Batch) -> Result<()> {
        self.check_writable()?;
        self.limits.check_batch(batch)?;
        batch.check_folded()?;
        batch.mutations.iter().try_for_each(|mutation| self.check_group(mutation.at().group))?;
        batch.conditions.iter().try_for_each(|(at, _)| self.check_group(at.group))
    }

    async fn apply(&self, batch: Batch) -> Result<Committed> {
        if batch == Batch::default() {
            return Ok(Committed::default());
        }
        let named = batch.mutations.iter().map(|m| m.at().state).chain(batch.conditions.iter().map(|(at, _)| at.state));
        let known = self.known(named).await?;
        let mut statement = Statement::new(&batch, known.forms())?;
        statement.incarnation = known.incarnation;
        (statement.store, statement.epoch, statement.session) = (self.store, self.epoch, self.session);
        statement.now = flip(self.clock.now().0);
        drop(batch);
        let answer = self.pool.write(&statement).await?;
        if answer.stale && answer.outcome == "committed" {
            // States are gone since; the next plain commit is to be a short one again. It is in, whatever this says.
            let _ = self.states().await;
        }
        if let Some(floor) = answer.floor {
            self.clock.raise(Millis(flop(floor)));
        }
        let revisions = || statement.revisions(answer.incarnation.unwrap_or_default(), answer.bases.as_deref());
        match answer.outcome.as_str() {
            "committed" => Ok(Committed { revisions: revisions(), duplicate: false }),
            "duplicate" => Ok(Committed { revisions: revisions(), duplicate: true }),
            "older" => Err(older(answer.last.map_or(0, flop))),
            "failed" => {
                let failed = answer.failed.unwrap_or_default();
                let failed = failed.into_iter().filter_map(|index| usize::try_from(index).ok()).collect();
                Err(ConditionsFailed { failed }.into())
            }
            "fenced" => Err(error::fenced()),
            "gone" => Err(error::gone()),
            other => Err(error::answer(other)),
        }
    }
}

fn older(last: u64) -> Error {
    Error::new(ErrorKind::Conflict, format!("the marker is older than the writer's last, {last}"))
        .advise("only the last commit can be sent again; go on behind `last_marker`")
}
