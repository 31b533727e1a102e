use std::mem;

use futures::TryStreamExt;
use statehold::{
    Durability, ErrorKind, RecoverFrom, ScanOrder, StateManager,
    archive::{CheckpointId, Metadata, Select},
};

use crate::support::{Place, on_every_engine, refused};

async fn rows(manager: &StateManager) -> Vec<(u64, u64)> {
    let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
    kv.scan(ScanOrder::Key).try_collect().await.unwrap()
}

async fn put(manager: &StateManager, n: u64) {
    manager.key_value::<u64, u64>("kv").await.unwrap().put(&n, n).await.unwrap();
}

async fn open(place: &Place, from: RecoverFrom) -> StateManager {
    place.builder(place.descriptor()).recover(from).open().await.unwrap()
}

on_every_engine! {
    async fn life_5_a_manager_begins_as_left_or_with_the_checkpoint_it_is_told(place: Place) {
        let manager = place.open(place.descriptor()).await;
        for n in 1..=3 {
            put(&manager, n).await;
            if n < 3 {
                manager.archive(CheckpointId(n), &Metadata::new()).await.unwrap();
            }
        }
        manager.close().await.unwrap();
        for (from, expected) in [
            (RecoverFrom::AsLeft, 3),
            (RecoverFrom::Latest, 2),
            (RecoverFrom::LatestOrEmpty, 2),
            (RecoverFrom::Id(CheckpointId(1)), 1),
            // What came after it is superseded.
            (RecoverFrom::Latest, 1),
            (RecoverFrom::Id(CheckpointId(2)), 2),
            (RecoverFrom::AsLeft, 2),
        ] {
            let manager = open(&place, from).await;
            assert_eq!(rows(&manager).await, (1..=expected).map(|n| (n, n)).collect::<Vec<_>>(), "{from:?}");
            manager.close().await.unwrap();
        }
        let missing = place.builder(place.descriptor()).recover(RecoverFrom::Id(CheckpointId(7))).open().await;
        assert_eq!(refused(missing).0, ErrorKind::NotFound);
    }

    async fn life_5_without_a_checkpoint_latest_is_refused_and_latest_or_empty_begins_with_nothing(place: Place) {
        let manager = place.open(place.descriptor()).await;
        put(&manager, 1).await;
        manager.close().await.unwrap();
        let refusal = place.builder(place.descriptor()).recover(RecoverFrom::Latest).open().await;
        assert_eq!(refused(refusal).0, ErrorKind::NotFound);
        // A job that replays its source would else count twice what is in the store.
        let manager = open(&place, RecoverFrom::LatestOrEmpty).await;
        assert_eq!(rows(&manager).await, []);
        put(&manager, 2).await;
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        manager.close().await.unwrap();
        let manager = open(&place, RecoverFrom::LatestOrEmpty).await;
        assert_eq!(rows(&manager).await, [(2, 2)]);
        manager.close().await.unwrap();
    }

    async fn life_1_discard_throws_the_content_away_and_leaves_no_checkpoint_the_latest(place: Place) {
        let manager = place.open(place.descriptor()).await;
        put(&manager, 1).await;
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        manager.close().await.unwrap();
        let manager = place.builder(place.descriptor()).discard().open().await.unwrap();
        assert_eq!(rows(&manager).await, []);
        let latest = manager.checkpoints().unwrap().show(Select::Latest).await;
        assert_eq!(refused(latest).0, ErrorKind::NotFound);
        manager.recover(CheckpointId(1)).await.unwrap();
        assert_eq!(rows(&manager).await, [(1, 1)]);
        manager.close().await.unwrap();
    }

    async fn life_1_finish_says_the_level_that_was_asked_for_and_never_a_higher_one(place: Place) {
        let default = if place.is_persistent() { Durability::Process } else { Durability::Visible };
        let manager = place.open(place.descriptor()).await;
        put(&manager, 1).await;
        assert_eq!(manager.finish().await.unwrap(), default);
        manager.close().await.unwrap();
        let manager = place.open(place.visible(place.descriptor())).await;
        put(&manager, 2).await;
        assert_eq!(manager.finish().await.unwrap(), Durability::Visible);
        manager.close().await.unwrap();
    }

    async fn own_1_a_read_only_manager_looks_and_writes_recovers_and_discards_nothing(place: Place) {
        let manager = place.open(place.descriptor()).await;
        put(&manager, 1).await;
        manager.finish().await.unwrap();
        let looking = place.builder(place.descriptor()).read_only().open().await.unwrap();
        assert_eq!(rows(&looking).await, [(1, 1)]);
        let kv = looking.key_value::<u64, u64>("kv").await.unwrap();
        assert_eq!(refused(kv.put(&2, 2).await).0, ErrorKind::Unsupported);
        assert_eq!(refused(looking.archive(CheckpointId(1), &Metadata::new()).await).0, ErrorKind::InvalidInput);
        assert_eq!(refused(looking.recover(Select::Latest).await).0, ErrorKind::InvalidInput);
        looking.close().await.unwrap();
        assert_eq!(refused(place.builder(place.descriptor()).read_only().discard().open().await).0, ErrorKind::InvalidInput);
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        let recovering = place.builder(place.descriptor()).read_only().recover(RecoverFrom::Latest);
        assert_eq!(refused(recovering.open().await).0, ErrorKind::InvalidInput);
        manager.close().await.unwrap();
    }

    async fn life_1_a_visible_store_that_was_not_closed_opens_only_by_recover_or_discard(place: Place) {
        if !place.is_persistent() {
            // What is in this process's memory is whole as long as the process lives.
            return;
        }
        let descriptor = place.visible(place.descriptor());
        let manager = place.open(descriptor.clone()).await;
        put(&manager, 1).await;
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        put(&manager, 2).await;
        manager.finish().await.unwrap();
        mem::drop(manager);
        let (kind, message) = refused(place.builder(descriptor.clone()).open().await);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(message.contains("recover") && message.contains("discard"), "{message}");
        let manager = place.builder(descriptor.clone()).recover(RecoverFrom::Latest).open().await.unwrap();
        assert_eq!(rows(&manager).await, [(1, 1)]);
        mem::drop(manager);
        assert_eq!(refused(place.builder(descriptor.clone()).open().await).0, ErrorKind::Conflict);
        let manager = place.builder(descriptor.clone()).discard().open().await.unwrap();
        assert_eq!(rows(&manager).await, []);
        put(&manager, 3).await;
        manager.close().await.unwrap();
        let manager = place.open(descriptor).await;
        assert_eq!(rows(&manager).await, [(3, 3)]);
        manager.close().await.unwrap();
    }
}
