//! Content that recoveries leave, whole or cut short.

use statehold_core::{ErrorKind, Unclean};

use super::task::{Content, ROWS, recovered_spec};
use crate::{
    context::{Context, GROUPS},
    failure::{Verdict, ensure, ensure_eq},
    state::State,
};

/// Gives the store a first content.
pub(crate) async fn begin(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    store.recover(store.groups(), &mut Content::of("A", GROUPS, || {})?).await?;
    store.close().await?;
    Ok(())
}

/// Opens the store behind a recovery that was cut short, recovers again if it asks for that, and checks that it holds
/// the old content or the new one, whole.
pub(crate) async fn old_or_new(cx: &Context, round: usize) -> Verdict {
    let store = match cx.open().await {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            let store = cx.open_with(|request| request.unclean = Unclean::Recover).await?;
            store.recover(store.groups(), &mut Content::of("A", GROUPS, || {})?).await?;
            store
        }
        opened => opened?,
    };
    let state = State::of_spec(&store, recovered_spec()?).await?;
    let entries = state.entries().await?;
    ensure_eq!(entries.len(), ROWS, "round {round}: the number of entries");
    let first = &entries[0].payload;
    ensure!(entries.iter().all(|e| e.payload == first), "round {round}: old and new content are mixed");
    ensure_eq!(store.states().await?.len(), 1, "round {round}: the number of states");
    store.close().await?;
    Ok(())
}
