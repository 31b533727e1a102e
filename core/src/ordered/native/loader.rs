//! [`Loader`]: takes archived files beside the live data, and publishes them.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;

use super::{super::files::folder_in, folder::Folder, join::join, part::Given, switch};
use crate::{
    Error, KeptFiles, KeyGroups, Millis, NativeLoader, Result,
    ordered::{
        FileEngine,
        inner::{Inner, Writer},
        load::{check_incarnation, superseded},
    },
    step,
};

/// The folder of the store's own rows where some groups keep theirs.
const OWN: &str = "own";

struct Loader<E: FileEngine> {
    inner: Arc<Inner<E>>,
    groups: KeyGroups,
    number: u64,
    folder: Folder,
    parts: Vec<Given>,
    /// The greatest of all cuts.
    floor: (Millis, u32),
}

/// A newer load takes the place of an older one, whichever way it loads.
pub(super) fn begin<E: FileEngine>(
    inner: &Arc<Inner<E>>,
    groups: KeyGroups,
    number: u64,
    name: &str,
) -> Result<impl NativeLoader + use<E>> {
    inner.check_load(groups)?;
    let mut writer = inner.lock();
    if writer.loader > number {
        return Err(superseded());
    }
    writer.loader = number;
    inner.clear_leftovers(&mut writer)?;
    let folder = Folder::at(folder_in(&*inner.engine()?, name), &inner.resources);
    Ok(Loader { inner: Arc::clone(inner), groups, number, folder, parts: Vec::new(), floor: (Millis(0), 0) })
}

impl<E: FileEngine> Loader<E> {
    /// A part of `groups`, of which the wanted ones are kept.
    fn given(&self, groups: KeyGroups) -> Result<Given> {
        if groups.total() != self.groups.total() {
            return Err(Error::invalid(format!("a part of the key groups {groups}, for {}", self.groups))
                .about("key_groups")
                .advise("`key_groups` is fixed for the life of a namespace: copy the data to change it"));
        }
        if let Some(other) = self.parts.iter().find(|part| part.groups.overlaps(&groups)) {
            return Err(Error::invalid(format!("parts of the key groups {} and {groups}", other.groups))
                .about("groups")
                .advise("give parts of one checkpoint: their key groups do not overlap"));
        }
        let (part, wanted) = (groups.range(), self.groups.range());
        let both = part.start.max(wanted.start)..part.end.min(wanted.end);
        let keep = KeyGroups::new(both, groups.total()).into_iter().collect();
        let path = self.folder.make(&self.parts.len().to_string())?;
        Ok(Given { groups, path, keep })
    }

    fn check_whole(&self) -> Result<()> {
        let missing = self.groups.iter().find(|group| !self.parts.iter().any(|part| part.groups.contains(*group)));
        match missing {
            None => Ok(()),
            Some(group) => Err(Error::invalid(format!("no part holds key group {group} of {}", self.groups))
                .about("groups")
                .advise("give all parts of the checkpoint that have some of the groups")),
        }
    }

    /// What the store itself holds of the groups that keep their content.
    fn own(&self) -> Result<Given> {
        let (own, loaded) = (self.inner.groups, self.groups.range());
        let others = [own.range().start..loaded.start, loaded.end..own.range().end];
        let keep = others.into_iter().filter_map(|range| KeyGroups::new(range, own.total()).ok()).collect();
        let path = self.folder.path().join(OWN);
        self.inner.engine()?.link(&path)?;
        Ok(Given { groups: own, path, keep })
    }

    fn check(&self, writer: &Writer<E>) -> Result<()> {
        if writer.loader == self.number { Ok(()) } else { Err(superseded()) }
    }

    fn publish(mut self) -> Result<KeptFiles> {
        self.check_whole()?;
        self.parts.retain(|part| !part.keep.is_empty());
        let inner = Arc::clone(&self.inner);
        let (mut joined, mut writer) = if self.groups == inner.groups {
            self.check(&inner.lock())?;
            // The long part, before anybody has to wait for it.
            let joined = join(&*inner.engine()?, std::mem::take(&mut self.parts), &self.folder)?;
            (joined, inner.lock())
        } else {
            // Nothing may be added to what is kept.
            let writer = inner.lock();
            self.check(&writer)?;
            self.parts.push(self.own()?);
            let joined = join(&*inner.engine()?, std::mem::take(&mut self.parts), &self.folder)?;
            (joined, writer)
        };
        step("native.joined");
        self.check(&writer)?;
        let (Millis(now), incarnation) = self.floor;
        let above = &mut joined.above;
        (above.floor, above.incarnation) = (above.floor.max(now), above.incarnation.max(incarnation));
        let folder = joined.path.clone();
        let session = switch::to(&inner, &mut writer, joined)?;
        Ok(KeptFiles { session, folder })
    }
}

#[async_trait]
impl<E: FileEngine> NativeLoader for Loader<E> {
    fn part(&mut self, groups: KeyGroups, now: Millis, incarnation: u32) -> Result<PathBuf> {
        let given = check_incarnation(incarnation).and_then(|()| self.given(groups));
        let given = given.map_err(|e| self.inner.named(e))?;
        let path = given.path.clone();
        self.parts.push(given);
        self.floor = (self.floor.0.max(now), self.floor.1.max(incarnation));
        Ok(path)
    }

    async fn publish(self: Box<Self>) -> Result<KeptFiles> {
        let (inner, loader) = (Arc::clone(&self.inner), *self);
        inner.hop(move |_| loader.publish()).finish().await
    }
}
