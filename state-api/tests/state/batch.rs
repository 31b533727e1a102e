use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::TryStreamExt;
use statehold::{ErrorKind, KeyValueState, ScanOrder, StateDescriptor, WriteBatch};

use crate::support::{BUFFERS, SIZES, on_every_engine, refused};

type Kv = KeyValueState<String, u64>;

/// Two keys in one key group, so that one page holds both.
fn pair(manager: &statehold::StateManager) -> [String; 2] {
    let groups = manager.groups().total();
    let group = |key: &String| statehold::KeyGroup::of(key.as_bytes(), groups);
    let first = "first".to_owned();
    let second = (0..).map(|n| format!("second {n}")).find(|key| group(key) == group(&first)).unwrap();
    [first, second]
}

on_every_engine! {
    async fn batch_1_a_batch_over_three_models_is_applied_whole(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let kv: Kv = manager.key_value("kv").await.unwrap();
            let list = manager.key_list::<String, u64>("list").await.unwrap();
            let map = manager.key_map::<String, String, u64>("map").await.unwrap();
            map.put("k", "gone", 1).await.unwrap();
            kv.put("gone", 1).await.unwrap();
            let mut batch = WriteBatch::new();
            batch.put(&kv, "k", 1).unwrap();
            batch.put(&kv, "k", 2).unwrap();
            batch.delete(&kv, "gone").unwrap();
            batch.append(&list, "k", 3).unwrap();
            batch.append(&list, "k", 4).unwrap();
            batch.put_entry(&map, "k", "s", 5).unwrap();
            batch.remove_entry(&map, "k", "gone").unwrap();
            batch.commit().await.unwrap();
            assert_eq!(kv.get_many(&["k", "gone"]).await.unwrap(), [Some(2), None]);
            assert_eq!(list.get("k").await.unwrap(), [3, 4]);
            assert_eq!(map.entries("k").await.unwrap(), [("s".into(), 5)]);
            list.remove("k").await.unwrap();
            WriteBatch::new().commit().await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn batch_1_readers_beside_flushes_see_all_of_a_batch_or_nothing(place: Place) {
        for with_revisions in [false, true] {
            for buffer in BUFFERS {
                let manager = place.open(place.sized(buffer, 0)).await;
                let (kv, versioned) = (manager.key_value::<String, u64>("kv").await.unwrap(), manager.key_value::<String, u64>("versioned").await.unwrap());
                let keys = pair(&manager);
                let stop = Arc::new(AtomicBool::new(false));
                let (writer, until, written) = (kv.clone(), stop.clone(), keys.clone());
                let writing = tokio::spawn(async move {
                    let mut n = 0;
                    while !until.load(Ordering::Relaxed) {
                        n += 1;
                        // One of both alone first: it may be staged while the other is committed.
                        let mut batch = WriteBatch::new();
                        batch.put(&writer, &written[0], n).unwrap();
                        batch.put(&writer, &written[1], n).unwrap();
                        batch.put(&writer, &format!("filler {}", n % 100), n).unwrap();
                        if with_revisions && n % 3 == 0 {
                            batch.put(&versioned, "beside", n).unwrap();
                        }
                        batch.commit().await.unwrap();
                        tokio::task::yield_now().await;
                    }
                    n
                });
                for _ in 0..500 {
                    let found = kv.get_many(&keys).await.unwrap();
                    assert_eq!(found[0], found[1], "get_many, buffer {buffer}");
                    let mut rows = kv.scan(ScanOrder::Group).try_filter(|(key, _)| futures::future::ready(keys.contains(key)));
                    let (first, second) = (rows.try_next().await.unwrap(), rows.try_next().await.unwrap());
                    assert_eq!(first.map(|r| r.1), second.map(|r| r.1), "a page, buffer {buffer}");
                }
                stop.store(true, Ordering::Relaxed);
                assert!(writing.await.unwrap() > 0);
                manager.close().await.unwrap();
            }
        }
    }

    async fn batch_2_every_failing_condition_is_listed_and_nothing_is_written(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            for name in ["kv", "versioned"] {
                let kv: Kv = manager.key_value(name).await.unwrap();
                kv.put("a", 1).await.unwrap();
                let mut batch = WriteBatch::new();
                batch.require_present(&kv, "a").unwrap();
                batch.require_absent(&kv, "a").unwrap();
                batch.require_value(&kv, "a", &1).unwrap();
                batch.require_value(&kv, "a", &2).unwrap();
                batch.require_present(&kv, "none").unwrap();
                batch.put(&kv, "b", 1).unwrap();
                let error = batch.commit().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Conflict);
                assert_eq!(error.conditions_failed().unwrap().failed, [1, 3, 4], "{name}, buffer {buffer}");
                assert_eq!(kv.get("b").await.unwrap(), None);
                let mut batch = WriteBatch::new();
                batch.require_value(&kv, "a", &1).unwrap();
                batch.require_absent(&kv, "b").unwrap();
                batch.delete(&kv, "a").unwrap();
                batch.commit().await.unwrap();
                assert_eq!(kv.get("a").await.unwrap(), None);
            }
            manager.close().await.unwrap();
        }
    }

    async fn batch_2_a_condition_on_a_revision_holds_once(place: Place) {
        let manager = place.open(place.descriptor()).await;
        let (kv, versioned): (Kv, Kv) = (manager.key_value("kv").await.unwrap(), manager.key_value("versioned").await.unwrap());
        versioned.put("a", 1).await.unwrap();
        let revision = versioned.get_versioned("a").await.unwrap().unwrap().revision;
        let batch = || {
            let mut batch = WriteBatch::new();
            batch.require_revision(&versioned, "a", revision).unwrap();
            batch.put(&versioned, "a", 2).unwrap();
            batch.put(&kv, "a", 2).unwrap();
            batch.commit()
        };
        batch().await.unwrap();
        assert_eq!(batch().await.unwrap_err().conditions_failed().unwrap().failed, [0]);
        assert_eq!(kv.get("a").await.unwrap(), Some(2));
        assert_eq!(refused(WriteBatch::new().require_revision(&kv, "a", revision)).0, ErrorKind::Unsupported);
        manager.close().await.unwrap();
    }

    async fn batch_1_states_of_two_stores_are_no_batch(place: Place) {
        let descriptor = statehold::Descriptor::new("orders")
            .store("one", place.store("one"))
            .store("two", place.store("two"))
            .state("a", StateDescriptor::new(statehold::Model::Kv).in_store("one"))
            .state("b", StateDescriptor::new(statehold::Model::Kv).in_store("two"));
        let manager = place.open(descriptor).await;
        let (a, b): (Kv, Kv) = (manager.key_value("a").await.unwrap(), manager.key_value("b").await.unwrap());
        let mut batch = WriteBatch::new();
        batch.put(&a, "k", 1).unwrap();
        let (kind, message) = refused(batch.put(&b, "k", 1));
        assert_eq!(kind, ErrorKind::InvalidInput);
        assert!(message.contains("`one`") && message.contains("`two`"), "{message}");
        manager.close().await.unwrap();
    }
}
