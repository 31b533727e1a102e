//! [`Parent`]: the checkpoint that a new one builds on, and whose objects it shares.

use std::collections::{BTreeMap, HashMap, HashSet};

use statehold_core::{Error, ErrorKind, KeyGroups, NativeFile, Result};

use super::{
    Archive,
    checkpoint::Select,
    part::{Object, Part},
    timeline::Timeline,
};

/// The parts of the latest checkpoint; none if there is no such.
#[derive(Debug, Default)]
pub(super) struct Parent {
    record: Option<u64>,
    parts: Vec<Part>,
}

/// What one store had in the parent.
#[derive(Debug, Default)]
pub(super) struct Shared {
    by_hash: HashMap<blake3::Hash, Object>,
    /// Names and sizes of those that are an engine's own files.
    files: HashSet<(String, u64)>,
    /// From the first to the last group of each object.
    ends: BTreeMap<u16, u16>,
}

impl Parent {
    /// What it has of `groups` of a store.
    pub(super) fn of_store(&self, store: &str, groups: KeyGroups) -> Shared {
        let parts = self.parts.iter().filter(|p| p.store == store);
        let objects = || parts.clone().flat_map(|p| &p.objects).filter(|o| o.overlaps(groups));
        Shared {
            by_hash: objects().map(|o| (o.name.hash, o.clone())).collect(),
            files: objects().filter_map(|o| Some((o.file.clone()?, o.bytes))).collect(),
            ends: objects().filter(|o| o.file.is_none()).map(|o| (o.first_group, o.last_group)).collect(),
        }
    }

    /// Refuses to build on what was retired since: its objects may be gone.
    pub(super) fn check(&self, timeline: &Timeline) -> Result<()> {
        if self.record.is_none_or(|record| timeline.is_kept(record)) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, "the checkpoint that this one builds on was given up meanwhile")
            .advise("take it again"))
    }
}

impl Shared {
    /// The object that is already stored with this content and these rows.
    pub(super) fn find(&self, like: &Object) -> Option<&Object> {
        let found = self.by_hash.get(&like.name.hash)?;
        let same = |o: &Object| (o.bytes, o.rows, o.first_group, o.last_group);
        (same(found) == same(like)).then_some(found)
    }

    /// The object that is already stored with the content of a file.
    pub(super) fn find_file(&self, hash: blake3::Hash, bytes: u64) -> Option<&Object> {
        self.by_hash.get(&hash).filter(|o| o.file.is_some() && o.bytes == bytes)
    }

    /// Whether a file of this name and size is stored, whatever its content.
    pub(super) fn may_have(&self, file: &NativeFile) -> bool {
        self.files.contains(&(file.name.clone(), file.bytes))
    }

    /// The last group of the object that began with the group `first`.
    pub(super) fn end_of(&self, first: u16) -> Option<u16> {
        self.ends.get(&first).copied()
    }
}

impl Archive {
    /// The checkpoint to build on.
    pub(super) async fn parent(&self) -> Result<Parent> {
        let Some(latest) = self.log.follow().await?.find(Select::Latest) else { return Ok(Parent::default()) };
        let record = latest.record;
        Ok(Parent { record: Some(record), parts: self.load_summary(latest).await?.parts })
    }
}
