//! Multi-key writes: split where they must be, saying what is in when they fail.

use statehold_core::{Address, AtomicScope, Batch, Cell, Error, Mutation, Result};

use super::core::{StateCore, bytes_of};

/// Records staged under one lock, or committed at once.
const PART: usize = 512;

type Record = (Address, Option<Cell>);

/// Writes records part by part: not a batch (contract BATCH-1).
pub(super) async fn set_many(
    core: &StateCore,
    mut records: Vec<Record>,
    mut staged: impl FnMut(&Address),
) -> Result<()> {
    let total = records.len();
    let store = &core.runtime.store;
    let narrow = core.direct && store.capabilities().scope == AtomicScope::KeyGroup;
    if narrow {
        // Stable: of two changes to one record the last counts.
        records.sort_by_key(|(at, _)| at.group);
    }
    let limit = store.limits().batch;
    let mut rest = records.into_iter().peekable();
    let mut done = 0;
    while rest.peek().is_some() {
        let (mut part, mut size) = (Vec::new(), 0);
        let group = rest.peek().map(|(at, _)| at.group);
        while let Some(record) = rest.next_if(|(at, cell)| {
            let fits = part.is_empty() || (part.len() < PART && size + bytes_of(at, cell.as_ref()) <= limit);
            fits && (!narrow || group == Some(at.group))
        }) {
            size += bytes_of(&record.0, record.1.as_ref());
            part.push(record);
        }
        let count = part.len();
        write(core, part, size, &mut staged).await.map_err(|e| {
            let kind = e.kind();
            let advice = e.advice().unwrap_or_default().to_owned();
            Error::new(kind, format!("{done} of {total} entries are in, then: {}", e.message()))
                .in_store(&core.runtime.name)
                .in_state(&core.spec.name)
                .advise(advice)
                .because(e)
        })?;
        done += count;
    }
    Ok(())
}

/// One change a record, sorted as a batch wants them: of two to one record the last counts.
fn folded(mut part: Vec<Record>) -> Vec<Mutation> {
    // Stable, and backwards: `dedup` keeps the first of equals.
    part.reverse();
    part.sort_by(|(a, _), (b, _)| a.cmp(b));
    part.dedup_by(|(later, _), (kept, _)| later == kept);
    let mutation = |(at, cell)| match cell {
        Some(cell) => Mutation::Put(at, cell),
        None => Mutation::Delete(at),
    };
    part.into_iter().map(mutation).collect()
}

async fn write(core: &StateCore, mut part: Vec<Record>, size: usize, staged: &mut impl FnMut(&Address)) -> Result<()> {
    if core.direct {
        let mutations = folded(part);
        return core.runtime.commit(Batch { mutations, ..Batch::default() }).await.map(drop);
    }
    let stage = |stage: &mut crate::runtime::Stage<'_>| {
        for (at, cell) in part.drain(..) {
            staged(&at);
            stage.set(at, cell);
        }
    };
    core.stage(&[], size, stage).await.map(drop)
}
