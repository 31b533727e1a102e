//! Multi-key writes: split where they must be, saying what is in when they fail.

use statehold_core::{Address, Batch, Cell, Error, Result, staged::Generation};

use super::core::StateCore;

/// Records staged under one lock, or committed at once.
const PART: usize = 512;

/// Writes records part by part: not a batch (contract BATCH-1).
pub(super) async fn set_many(
    core: &StateCore,
    records: Vec<(Address, Option<Cell>)>,
    mut staged: impl FnMut(&Address),
) -> Result<()> {
    let total = records.len();
    let mut rest = records.into_iter();
    let mut done = 0;
    loop {
        let mut part: Vec<_> = rest.by_ref().take(PART).collect();
        if part.is_empty() {
            return Ok(());
        }
        let count = part.len();
        let outcome = if core.direct {
            let mut folded = Generation::default();
            part.into_iter().for_each(|(at, cell)| folded.set(at, cell));
            core.runtime.commit(Batch { mutations: folded.mutations(), ..Batch::default() }).await.map(drop)
        } else {
            let stage = |stage: &mut crate::runtime::Stage<'_>| {
                for (at, cell) in part.drain(..) {
                    staged(&at);
                    stage.set(at, cell);
                }
            };
            core.runtime.stage(&[], stage).await.map(drop)
        };
        outcome.map_err(|e| {
            let kind = e.kind();
            Error::new(kind, format!("the first {done} of {total} entries are in, then: {}", e.message()))
                .in_state(&core.spec.name)
                .because(e)
        })?;
        done += count;
    }
}
