//! Making a store what a checkpoint shows: [`Archive::recover_into`].

use std::collections::BTreeSet;

use statehold_core::{Error, ErrorKind, KeyGroups, Result, Store};

use super::{
    Archive,
    checkpoint::{CheckpointInfo, Select},
    part::Part,
    show::Loaded,
    source::PartsSource,
};

impl Archive {
    /// Makes `store` exactly what the checkpoint shows of the store `name` in `groups`
    /// (contract LIFE-5), whatever engine wrote it (LIFE-7). The content is loaded beside the
    /// live data and published when every hash has passed. The caller has claimed the groups
    /// with this checkpoint as base.
    ///
    /// # Errors
    /// - `NotFound`: no such checkpoint (naming the nearest), or no such store in it.
    /// - `InvalidInput`: the checkpoint has other key groups.
    /// - `Unsupported`: it is the files of another kind of engine.
    /// - `Corrupt`, naming the object; `LimitExceeded` if the store takes less than the writer's.
    ///
    /// After each of them the store has its old content.
    pub async fn recover_into(
        &self,
        select: Select,
        name: &str,
        store: &dyn Store,
        groups: KeyGroups,
    ) -> Result<CheckpointInfo> {
        self.recover(select, name, store, groups).await.map_err(|e| e.during("recover").in_store(name))
    }

    async fn recover(
        &self,
        select: Select,
        name: &str,
        store: &dyn Store,
        groups: KeyGroups,
    ) -> Result<CheckpointInfo> {
        let Loaded { summary, parts } = self.load(select).await?;
        let of_groups = parts_of(&parts, name, groups)?;
        let native = of_groups.iter().filter(|p| p.native().is_some()).count();
        if native == of_groups.len() {
            self.load_native(&of_groups, store, groups).await?;
        } else if native == 0 {
            let mut source = PartsSource::new(&self.objects, &self.resources, &of_groups, groups);
            store.recover(groups, &mut source).await?;
        } else {
            return Err(Error::unsupported("the checkpoint is portable in part, and in part an engine's own files")
                .advise("let all owners take their checkpoints in the same form"));
        }
        tracing::info!(archive = %self.folder, checkpoint = %summary.id, store = name, %groups, "recovered");
        Ok(CheckpointInfo::of(summary, parts))
    }
}

/// The parts that together have `groups` of the store `name`, in the groups' order.
fn parts_of<'a>(parts: &'a [Part], name: &str, groups: KeyGroups) -> Result<Vec<&'a Part>> {
    let mut ranges = Vec::new();
    for part in parts.iter().filter(|p| p.store == name) {
        ranges.push((part.groups.checked()?, part));
    }
    if ranges.is_empty() {
        let names: BTreeSet<&str> = parts.iter().map(|p| p.store.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        return Err(Error::new(ErrorKind::NotFound, format!("the checkpoint has no store `{}`", name.escape_debug()))
            .about(name)
            .advise(format!("it has: {}", names.join(", "))));
    }
    ranges.sort_unstable_by_key(|(range, _)| range.range().start);
    let mut next = groups.range().start;
    let mut found = Vec::new();
    for (range, part) in &ranges {
        let range = range.range();
        if range.start <= next && next < range.end && next < groups.range().end {
            found.push(*part);
            next = range.end;
        }
    }
    let same = ranges.iter().all(|(range, _)| range.total() == groups.total());
    if same && next >= groups.range().end {
        return Ok(found);
    }
    let archived: Vec<String> = ranges.iter().map(|(range, _)| range.to_string()).collect();
    Err(Error::invalid(format!("the checkpoint has key groups {}, not {groups}", archived.join(" and ")))
        .about("key_groups")
        .advise("recover groups that it has; key_groups never changes"))
}
