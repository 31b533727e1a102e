//! Words that the tests are written in.

use std::sync::Arc;

use object_store::{ObjectStore, memory::InMemory};
use statehold::archive::{Archive, CheckpointId, CheckpointInfo, Claim, Cut, Metadata, Select};
use statehold_core::{Inline, KeyGroups, ManualClock, Millis, Resources, Result};

use crate::shelf::Shelf;

pub(crate) fn resources() -> Resources {
    Resources::new(Arc::new(Inline)).with_clock(Arc::new(ManualClock::new(Millis(1_000))))
}

pub(crate) fn groups() -> KeyGroups {
    KeyGroups::all(8).unwrap()
}

/// A fresh object store in memory.
pub(crate) fn objects() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// The archive of the namespace `orders` on an object store.
pub(crate) async fn archive_on(store: &Arc<dyn ObjectStore>) -> Result<Archive> {
    Archive::open_on(store.clone(), "", &"orders".parse()?, &resources()).await
}

/// An archive of its own, with all groups claimed.
pub(crate) async fn fresh() -> (Archive, Claim) {
    let archive = archive_on(&objects()).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    (archive, claim)
}

/// Takes a checkpoint of one store under the name `local`.
pub(crate) async fn checkpoint(archive: &Archive, claim: &Claim, id: u64, shelf: &Shelf) -> Result<CheckpointInfo> {
    let cut = Cut::take(&[("local", shelf.store())]).await?;
    archive.write(claim, CheckpointId(id), &Metadata::new().with("offset", id), cut).await
}

/// Recovers the store `local`.
pub(crate) async fn recover(archive: &Archive, select: Select, shelf: &Shelf) -> Result<CheckpointInfo> {
    archive.recover_into(select, "local", shelf.store(), groups()).await
}

/// The ids that a list shows.
pub(crate) async fn ids(archive: &Archive) -> Vec<u64> {
    archive.list().await.unwrap().iter().map(|c| c.id.0).collect()
}

pub(crate) fn id(id: u64) -> Select {
    Select::Id(CheckpointId(id))
}
