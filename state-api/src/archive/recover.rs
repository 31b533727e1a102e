//! Making a store what a checkpoint shows: [`Archive::recover_into`].

use statehold_core::{Error, ErrorKind, KeyGroups, Result, Store};

use super::{
    Archive,
    checkpoint::{CheckpointInfo, Select},
    part::{Part, within},
    show::Loaded,
    source::PartSource,
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
        let part = part_of(&parts, name, groups)?;
        let mut source = PartSource::new(&self.objects, &self.resources, part, groups);
        store.recover(groups, &mut source).await?;
        tracing::info!(archive = %self.folder, checkpoint = %summary.id, store = name, %groups, "recovered");
        Ok(CheckpointInfo::of(summary, parts))
    }
}

/// The part that has `groups` of the store `name`.
fn part_of<'a>(parts: &'a [Part], name: &str, groups: KeyGroups) -> Result<&'a Part> {
    let mut archived = Vec::new();
    for part in parts.iter().filter(|p| p.store == name) {
        let has = part.groups.checked()?;
        if within(groups, has) {
            return Ok(part);
        }
        archived.push(has.to_string());
    }
    if archived.is_empty() {
        let names: Vec<&str> = parts.iter().map(|p| p.store.as_str()).collect();
        return Err(Error::new(ErrorKind::NotFound, format!("the checkpoint has no store `{}`", name.escape_debug()))
            .about(name)
            .advise(format!("it has: {}", names.join(", "))));
    }
    Err(Error::invalid(format!("the checkpoint has key groups {}, not {groups}", archived.join(" and ")))
        .about("key_groups")
        .advise("recover groups that it has; key_groups never changes"))
}
