use std::sync::Arc;

use futures::TryStreamExt;
use statehold::{
    Count, Descriptor, Model, ScanOrder, StateDescriptor, StateManager,
    archive::{CheckpointId, Metadata},
    core::Millis,
    testing::ManualClock,
};

use crate::support::{Place, SIZES, on_every_engine};

const START: u64 = 1_000_000;
const TTL: u64 = 100;

fn descriptor(place: &Place, buffer: usize, cache: usize) -> Descriptor {
    let lived = |model| StateDescriptor::new(model).ttl(TTL);
    place
        .sized(buffer, cache)
        .state("kv", lived(Model::Kv))
        .state("list", lived(Model::List))
        .state("map", lived(Model::Map))
}

async fn open(place: &Place, buffer: usize, cache: usize) -> (StateManager, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Millis(START)));
    let manager = place.builder(descriptor(place, buffer, cache)).clock(clock.clone()).open().await.unwrap();
    (manager, clock)
}

on_every_engine! {
    async fn kv_6_expired_at_the_very_instant_for_every_read(place: Place) {
        for (buffer, cache) in SIZES {
            let (manager, clock) = open(&place, buffer, cache).await;
            let kv = manager.key_value::<String, u64>("kv").await.unwrap();
            let map = manager.key_map::<String, String, u64>("map").await.unwrap();
            let list = manager.key_list::<String, u64>("list").await.unwrap();
            for committed in [false, true] {
                clock.set(Millis(START));
                kv.put("a", 1).await.unwrap();
                map.put("a", "s", 2).await.unwrap();
                list.append("a", 3).await.unwrap();
                if committed {
                    manager.finish().await.unwrap();
                }
                let live = [(START + TTL - 1, true), (START + TTL, false)];
                for (now, lives) in live {
                    // Read twice: the second may be a hit in the cache.
                    for _ in 0..2 {
                        clock.set(Millis(now));
                        let there = |n| lives.then_some(n);
                        assert_eq!(kv.get("a").await.unwrap(), there(1), "buffer {buffer}, cache {cache}");
                        assert_eq!(kv.contains("a").await.unwrap(), lives);
                        assert_eq!(kv.get_many(&["a"]).await.unwrap(), [there(1)]);
                        assert_eq!(kv.count().await.unwrap(), Count::Exact(lives.into()));
                        assert_eq!(map.get("a", "s").await.unwrap(), there(2));
                        assert_eq!(map.entries("a").await.unwrap().len(), usize::from(lives));
                        assert_eq!(list.get("a").await.unwrap(), there(3).into_iter().collect::<Vec<_>>());
                        assert_eq!(list.scan(ScanOrder::Group).try_collect::<Vec<_>>().await.unwrap().len(), usize::from(lives));
                    }
                }
                assert!(kv.put_if_absent("a", 9).await.unwrap(), "what has expired is absent");
                assert_eq!(list.pop_front("a").await.unwrap(), None);
                kv.delete("a").await.unwrap();
                list.remove("a").await.unwrap();
            }
            manager.close().await.unwrap();
        }
    }

    async fn kv_6_a_rewrite_sets_the_expiry_anew(place: Place) {
        for (buffer, cache) in SIZES {
            let (manager, clock) = open(&place, buffer, cache).await;
            let kv = manager.key_value::<String, u64>("kv").await.unwrap();
            let list = manager.key_list::<String, u64>("list").await.unwrap();
            kv.put("a", 1).await.unwrap();
            kv.put("b", 1).await.unwrap();
            list.append("a", 1).await.unwrap();
            clock.set(Millis(START + TTL - 1));
            kv.update("a", |n| Ok(n.unwrap() + 1)).await.unwrap();
            list.append("a", 2).await.unwrap();
            clock.set(Millis(START + 2 * TTL - 2));
            assert_eq!(kv.get_many(&["a", "b"]).await.unwrap(), [Some(2), None]);
            assert_eq!(list.get("a").await.unwrap(), [1, 2]);
            clock.set(Millis(START + 2 * TTL - 1));
            assert_eq!(kv.get("a").await.unwrap(), None, "buffer {buffer}, cache {cache}");
            assert_eq!(list.get("a").await.unwrap(), Vec::<u64>::new());
            kv.update("a", |n| Ok(n.map_or(7, |_| 8))).await.unwrap();
            assert_eq!(kv.get("a").await.unwrap(), Some(7));
            kv.delete("a").await.unwrap();
            list.remove("a").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn kv_6_a_clock_set_back_brings_nothing_back_that_a_compaction_or_cut_has_seen_expire(place: Place) {
        for (buffer, cache) in SIZES {
            let (manager, clock) = open(&place, buffer, cache).await;
            clock.set(Millis(START + buffer as u64 * 1_000 + cache as u64));
            let kv = manager.key_value::<String, u64>("kv").await.unwrap();
            for cut in [false, true] {
                let start = clock_now(&manager);
                kv.put("a", 1).await.unwrap();
                assert_eq!(kv.get("a").await.unwrap(), Some(1));
                clock.set(Millis(start + TTL));
                if cut {
                    drop(manager.cut(CheckpointId(1), &Metadata::new()).await.unwrap());
                } else {
                    manager.compact().await.unwrap();
                }
                clock.set(Millis(START));
                assert_eq!(kv.get("a").await.unwrap(), None, "buffer {buffer}, cache {cache}, cut {cut}");
                // What is written now lives from the floor on.
                kv.put("a", 2).await.unwrap();
                clock.set(Millis(start + 2 * TTL - 1));
                assert_eq!(kv.get("a").await.unwrap(), Some(2));
                kv.delete("a").await.unwrap();
            }
            manager.close().await.unwrap();
        }
    }
}

fn clock_now(manager: &StateManager) -> u64 {
    manager.store("local").unwrap().now().0
}
