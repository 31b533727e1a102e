//! A store's directory and a copy of it, on one archive (contract OWN-1): exactly one of the two goes on.

use std::{fs, path::Path};

use statehold::{
    Descriptor, ErrorKind, RecoverFrom, Result, StateManager,
    archive::{CheckpointId, Metadata, Select},
};

use crate::support::{Place, refused};

const ENGINE: &str = "rocksdb";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The same job on a copy of its directory; the archive is the same one.
struct Copied(Place);

impl Copied {
    fn of(place: &Place) -> Self {
        let copied = Self(Place::new(ENGINE));
        copy(&place.folder.path().join("local"), &copied.0.folder.path().join("local"));
        copied
    }

    fn descriptor(&self, place: &Place) -> Descriptor {
        self.0.descriptor().archive(&place.descriptor().archive.unwrap().url)
    }

    async fn open(&self, place: &Place) -> Result<StateManager> {
        self.0.builder(self.descriptor(place)).open().await
    }
}

async fn put(manager: &StateManager, key: u64, n: u64) {
    manager.key_value::<u64, u64>("kv").await.unwrap().put(&key, n).await.unwrap();
}

async fn get(manager: &StateManager, key: u64) -> Option<u64> {
    manager.key_value::<u64, u64>("kv").await.unwrap().get(&key).await.unwrap()
}

async fn archive(manager: &StateManager, id: u64) -> Result<()> {
    manager.archive(CheckpointId(id), &Metadata::new()).await.map(drop)
}

/// Of a job with checkpoint 1 that was closed.
async fn closed_job() -> Place {
    let place = Place::new(ENGINE);
    let manager = place.open(place.descriptor()).await;
    put(&manager, 1, 1).await;
    archive(&manager, 1).await.unwrap();
    put(&manager, 2, 2).await;
    manager.close().await.unwrap();
    place
}

fn records(place: &Place) -> usize {
    fs::read_dir(place.folder.path().join("archive/orders/log")).unwrap().count()
}

#[tokio::test]
async fn own_1_of_a_closed_directory_and_its_copy_the_first_to_open_goes_on() {
    for copy_first in [false, true] {
        let place = closed_job().await;
        let copied = Copied::of(&place);
        let original = || async { place.builder(place.descriptor()).open().await };
        let (first, before) = match copy_first {
            true => (copied.open(&place).await.unwrap(), records(&place)),
            false => (original().await.unwrap(), records(&place)),
        };
        for _ in 0..2 {
            let second = if copy_first { original().await } else { copied.open(&place).await };
            let (kind, message) = refused(second);
            assert_eq!(kind, ErrorKind::Fenced);
            assert!(message.contains("`local`") && message.contains("claim 1 "), "{message}");
            assert_eq!(records(&place), before, "the archive has changed");
        }
        assert_eq!((get(&first, 1).await, get(&first, 2).await), (Some(1), Some(2)));
        archive(&first, 2).await.unwrap();
        first.close().await.unwrap();
    }
}

#[tokio::test]
async fn own_1_a_copy_of_a_live_directory_takes_over_and_the_original_is_fenced() {
    let place = Place::new(ENGINE);
    let manager = place.open(place.descriptor()).await;
    put(&manager, 1, 1).await;
    archive(&manager, 1).await.unwrap();
    put(&manager, 2, 2).await;
    manager.finish().await.unwrap();
    let copied = Copied::of(&place);
    let successor = copied.open(&place).await.unwrap();
    assert_eq!(get(&successor, 2).await, Some(2));
    let before = records(&place);
    assert_eq!(refused(archive(&manager, 2).await).0, ErrorKind::Fenced);
    assert_eq!(records(&place), before);
    archive(&successor, 2).await.unwrap();
    manager.close().await.unwrap();
    // Neither does the original come back as it was left.
    assert_eq!(refused(place.builder(place.descriptor()).open().await).0, ErrorKind::Fenced);
    successor.close().await.unwrap();
    let back = place.builder(place.descriptor()).recover(RecoverFrom::Latest).open().await.unwrap();
    assert_eq!(get(&back, 2).await, Some(2));
    archive(&back, 3).await.unwrap();
    back.close().await.unwrap();
    assert_eq!(refused(copied.open(&place).await).0, ErrorKind::Fenced);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn own_1_of_a_directory_and_its_copy_that_open_at_once_exactly_one_goes_on() {
    for _ in 0..8 {
        let place = closed_job().await;
        let copied = Copied::of(&place);
        let (one, other) = tokio::join!(place.builder(place.descriptor()).open(), copied.open(&place));
        let (winner, loser) = match (one, other) {
            (Ok(winner), loser) => (winner, loser),
            (loser, winner) => (winner.unwrap(), loser),
        };
        assert_eq!(refused(loser).0, ErrorKind::Fenced);
        archive(&winner, 2).await.unwrap();
        winner.close().await.unwrap();
    }
}

#[tokio::test]
async fn own_1_a_directory_that_is_closed_and_opened_again_and_again_goes_on() {
    let place = closed_job().await;
    for id in 2..6 {
        let manager = place.open(place.descriptor()).await;
        if id % 2 == 0 {
            archive(&manager, id).await.unwrap();
        } else {
            manager.recover(Select::Latest).await.unwrap();
        }
        manager.close().await.unwrap();
    }
}

#[tokio::test]
async fn own_1_content_from_before_a_rollback_does_not_go_on_behind_it() {
    let place = closed_job().await;
    let copied = Copied::of(&place);
    let manager = place.builder(place.descriptor()).recover(RecoverFrom::Latest).open().await.unwrap();
    assert_eq!(get(&manager, 2).await, None);
    manager.close().await.unwrap();
    assert_eq!(refused(copied.open(&place).await).0, ErrorKind::Fenced);
}

#[tokio::test]
async fn own_1_an_empty_directory_does_not_become_the_heir_of_a_checkpoint() {
    let place = closed_job().await;
    fs::remove_dir_all(place.folder.path().join("local")).unwrap();
    let before = records(&place);
    let (kind, message) = refused(place.builder(place.descriptor()).open().await);
    assert_eq!(kind, ErrorKind::Conflict);
    assert!(message.contains("checkpoint 1") && message.contains("recover"), "{message}");
    assert_eq!(records(&place), before);
    place.builder(place.descriptor()).discard().open().await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn own_1_a_store_that_was_written_without_an_archive_begins_one() {
    let place = Place::new(ENGINE);
    let mut alone = place.descriptor();
    alone.archive = None;
    let manager = place.open(alone).await;
    put(&manager, 1, 1).await;
    manager.close().await.unwrap();
    let manager = place.open(place.descriptor()).await;
    archive(&manager, 1).await.unwrap();
    manager.close().await.unwrap();
    // Another archive knows nothing of its claims, and has nothing to lose.
    let elsewhere = tempfile::tempdir().unwrap();
    let manager = place.open(place.descriptor().archive(&format!("file://{}", elsewhere.path().display()))).await;
    assert_eq!(get(&manager, 1).await, Some(1));
    archive(&manager, 1).await.unwrap();
    manager.close().await.unwrap();
}
