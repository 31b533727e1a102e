use std::sync::Arc;

use futures::TryStreamExt;
use statehold::{
    ErrorKind, RecoverFrom, Registry, ScanOrder,
    archive::{CheckpointId, Metadata, Select},
    core::Millis,
    testing::ManualClock,
};

use crate::support::{Place, on_every_engine, refused};

on_every_engine! {
    async fn own_1_a_second_manager_on_the_same_store_is_refused_until_the_first_is_closed(place: Place) {
        let manager = place.open(place.descriptor()).await;
        let (kind, message) = refused(place.builder(place.descriptor()).open().await);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(message.contains("`local`"), "{message}");
        manager.close().await.unwrap();
        place.open(place.descriptor()).await.close().await.unwrap();
    }

    async fn own_1_the_former_owner_of_an_archive_is_fenced_and_changes_nothing(place: Place) {
        let elsewhere = Place::new("memory");
        let manager = place.open(place.descriptor()).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        kv.put(&1, 1).await.unwrap();
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        let late = manager.cut(CheckpointId(2), &Metadata::new()).await.unwrap();

        let url = place.descriptor().archive.unwrap().url;
        let successor = elsewhere.builder(elsewhere.descriptor().archive(&url)).recover(RecoverFrom::Latest);
        let successor = successor.open().await.unwrap();
        let theirs = successor.key_value::<u64, u64>("kv").await.unwrap();
        assert_eq!(theirs.get(&1).await.unwrap(), Some(1));

        assert_eq!(refused(late.persist().await).0, ErrorKind::Fenced);
        assert_eq!(refused(manager.archive(CheckpointId(3), &Metadata::new()).await).0, ErrorKind::Fenced);
        let ids: Vec<u64> = successor.checkpoints().unwrap().list().await.unwrap().iter().map(|c| c.id.0).collect();
        assert_eq!(ids, [1]);
        theirs.put(&1, 2).await.unwrap();
        successor.archive(CheckpointId(3), &Metadata::new()).await.unwrap();
        successor.close().await.unwrap();
        // A recover too: it would throw away what the successor builds on. To take over is to open anew.
        assert_eq!(refused(manager.recover(Select::Latest).await).0, ErrorKind::Fenced);
        assert_eq!(kv.get(&1).await.unwrap(), Some(1));
        manager.close().await.unwrap();
        let manager = place.builder(place.descriptor()).recover(RecoverFrom::Latest).open().await.unwrap();
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        assert_eq!(kv.get(&1).await.unwrap(), Some(2));
        manager.close().await.unwrap();
    }

    async fn own_1_two_managers_own_half_the_key_groups_each_and_share_threads_and_clock(place: Place) {
        let clock = Arc::new(ManualClock::new(Millis(5)));
        let mut descriptor = place.descriptor();
        descriptor.archive = None;
        let lower = place.builder(descriptor.clone()).groups(0..64).clock(clock).open().await.unwrap();
        let upper = place.builder(descriptor).groups(64..128).resources(lower.resources().clone()).open().await.unwrap();
        assert_eq!(upper.store("local").unwrap().now(), Millis(5));
        let halves = [lower.key_value::<u64, u64>("kv").await.unwrap(), upper.key_value::<u64, u64>("kv").await.unwrap()];
        for n in 0..1_000_u64 {
            let group = statehold::KeyGroup::of(&n.to_be_bytes(), 128);
            halves[usize::from(group.0 >= 64)].put(&n, n).await.unwrap();
        }
        let mut all = Vec::new();
        for half in &halves {
            let keys: Vec<u64> = half.keys(ScanOrder::Key).try_collect().await.unwrap();
            assert!(keys.len() > 300);
            all.extend(keys);
        }
        all.sort_unstable();
        assert_eq!(all, (0..1_000).collect::<Vec<_>>());
        let (kind, _) = refused(place.builder(place.descriptor()).groups(32..96).open().await);
        assert!(matches!(kind, ErrorKind::InvalidInput | ErrorKind::Conflict), "{kind:?}");
        lower.close().await.unwrap();
        upper.close().await.unwrap();
    }
}

#[tokio::test]
async fn life_2_a_manager_without_an_archive_says_what_it_lacks() {
    let place = Place::new("memory");
    let mut descriptor = place.descriptor();
    descriptor.archive = None;
    let manager = place.open(descriptor.clone()).await;
    for (kind, message) in [
        refused(manager.archive(CheckpointId(1), &Metadata::new()).await),
        refused(manager.recover(Select::Latest).await),
        refused(manager.checkpoints().map(drop)),
    ] {
        assert_eq!(kind, ErrorKind::InvalidInput);
        assert!(message.contains("[archive]"), "{message}");
    }
    manager.close().await.unwrap();
    let recovering = place.builder(descriptor).recover(statehold::RecoverFrom::Latest).open().await;
    assert_eq!(refused(recovering).0, ErrorKind::InvalidInput);
    assert_eq!(refused(Registry::empty().get("memory").map(|_| ())).0, ErrorKind::InvalidInput);
}
