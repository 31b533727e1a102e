//! [`Summary`]: how much a state holds.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, future};
use statehold_core::{Count, Result};

use super::{
    ScanOrder,
    core::StateCore,
    scan::{self, Want},
};

/// How much a state holds, counted over one scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Live entries: keys of KV, subkeys of maps, elements of lists.
    pub entries: Count,
    /// Bytes of keys, subkeys and values with their envelopes, as they were encoded.
    pub bytes: u64,
}

pub(super) async fn summary(core: Arc<StateCore>) -> Result<Summary> {
    let mut rows = scan::rows(core, ScanOrder::Group, Want::Rows);
    let (mut entries, mut bytes) = (0, 0);
    while let Some(row) = rows.next().await {
        let row = row?;
        entries += 1;
        bytes += (row.key.len() + row.sub.len() + row.cell.value.len()) as u64;
    }
    Ok(Summary { entries: Count::Exact(entries), bytes })
}

pub(super) async fn count(core: Arc<StateCore>) -> Result<Count> {
    let rows = scan::rows(core, ScanOrder::Group, Want::Keys);
    let entries = rows.try_fold(0, |entries, _| future::ready(Ok(entries + 1))).await?;
    Ok(Count::Exact(entries))
}
