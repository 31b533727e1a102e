//! Ready bodies of `archive` and `recover`, over snapshot and loader: any engine's
//! content as rows, which any other engine takes (contract LIFE-7).

use std::collections::BTreeMap;

use crate::{
    ArchiveSink, ArchiveSource, ArchiveStep, Error, KeyGroups, Loader, Result, ScanRequest, Snapshot, StateId,
};

/// Writes the cut's rows into `sink`, group by group and within a group state by state.
///
/// # Errors
/// What the snapshot or the sink fails with.
pub async fn archive(snapshot: &dyn Snapshot, groups: KeyGroups, sink: &mut dyn ArchiveSink) -> Result<()> {
    let states = snapshot.states().await?;
    for (id, spec) in &states {
        sink.state(*id, spec).await?;
    }
    for group in groups.iter() {
        for (id, _) in &states {
            let mut request = ScanRequest::all(*id, group);
            loop {
                let page = snapshot.scan(&request).finish().await?;
                if !page.rows.is_empty() {
                    sink.rows(*id, group, page.rows).await?;
                }
                match page.next {
                    Some(next) => request.after = Some(next),
                    None => break,
                }
            }
        }
    }
    sink.floor(snapshot.now(), snapshot.incarnation()).await
}

/// Loads everything `source` yields and publishes it.
///
/// # Errors
/// What the source or the loader fails with; nothing was published.
pub async fn recover(mut loader: Box<dyn Loader>, source: &mut dyn ArchiveSource) -> Result<()> {
    let mut ids: BTreeMap<u32, StateId> = BTreeMap::new();
    while let Some(step) = source.next().await? {
        match step {
            ArchiveStep::State(index, spec) => {
                ids.insert(index, loader.state(&spec).await?);
            }
            ArchiveStep::Rows(index, group, rows) => {
                let id = ids.get(&index).ok_or_else(|| {
                    Error::corrupt(format!("the archive has rows of state number {index}, which it never names"))
                })?;
                loader.load(*id, group, rows).await?;
            }
            ArchiveStep::Floor(now, incarnation) => loader.floor(now, incarnation)?,
        }
    }
    loader.publish().await
}
