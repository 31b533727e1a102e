use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::FutureExt as _;
use statehold::{ErrorKind, KeyMapState, KeyValueState, StateManager, WriteBatch, testing::Fault};

use crate::support::{SIZES, on_every_engine, refused};

/// Writes a value of each, past the buffer: the cache has neither.
async fn uncached(manager: &StateManager, kv: &KeyValueState<u64, u64>, map: &KeyMapState<u64, u64, u64>) {
    let versioned = manager.key_value::<u64, u64>("versioned").await.unwrap();
    let mut batch = WriteBatch::new();
    batch.put(kv, &1, 1).unwrap();
    batch.put_entry(map, &1, &1, 1).unwrap();
    batch.put(&versioned, &1, 1).unwrap();
    batch.commit().await.unwrap();
    manager.finish().await.unwrap();
}

on_every_engine! {
    async fn own_7_a_second_handle_with_another_rust_type_is_refused(place: Place) {
        let manager = place.open(place.descriptor()).await;
        let _first = manager.key_value::<String, u64>("kv").await.unwrap();
        manager.key_value::<String, u64>("kv").await.unwrap();
        for (kind, message) in [
            refused(manager.key_value::<String, u32>("kv").await),
            refused(manager.key_value::<Vec<u8>, u64>("kv").await),
        ] {
            assert_eq!(kind, ErrorKind::Conflict);
            assert!(message.contains("`kv`"), "{message}");
        }
        manager.close().await.unwrap();
    }

    async fn own_7_no_reader_gets_a_value_older_than_one_whose_put_had_returned(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let state = manager.key_value::<u64, u64>("kv").await.unwrap();
            let versioned = manager.key_value::<u64, u64>("versioned").await.unwrap();
            let written: Arc<[AtomicU64]> = (0..8).map(|_| AtomicU64::new(0)).collect();
            let (writer, acknowledged) = (state.clone(), written.clone());
            let writing = tokio::spawn(async move {
                for n in 1..6_000_u64 {
                    let key = n % 8;
                    match n % 5 {
                        0 => writer.update(&key, |_| Ok(n)).await.unwrap(),
                        1 => writer.put_many([(key, n)]).await.unwrap(),
                        2 => {
                            let mut batch = WriteBatch::new();
                            batch.put(&writer, &key, n).unwrap();
                            if n % 10 == 2 {
                                // Goes past the buffer.
                                batch.put(&versioned, &key, n).unwrap();
                            }
                            batch.commit().await.unwrap();
                        }
                        _ => writer.put(&key, n).await.unwrap(),
                    }
                    acknowledged[key as usize].store(n, Ordering::Release);
                }
            });
            let readers: Vec<_> = (0..3_u64).map(|task| {
                let (state, written) = (state.clone(), written.clone());
                tokio::spawn(async move {
                    for turn in 0..6_000_u64 {
                        let key = (turn * 7 + task) % 8;
                        let least = written[key as usize].load(Ordering::Acquire);
                        let found = state.get(&key).await.unwrap().unwrap_or(0);
                        assert!(found >= least, "{found} was read after {least} was written; buffer {buffer}, cache {cache}");
                        if turn % 64 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                })
            }).collect();
            writing.await.unwrap();
            for reader in readers {
                reader.await.unwrap();
            }
            manager.close().await.unwrap();
        }
    }

    async fn own_7_what_a_late_read_brings_is_not_cached_over_a_write_that_came_between(place: Place) {
        let manager = place.open(place.sized(1 << 20, 1 << 20)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        let map = manager.key_map::<u64, u64, u64>("map").await.unwrap();
        uncached(&manager, &kv, &map).await;
        let late = place.faults.delay().await;
        {
            let (mut read, mut entry) = (Box::pin(kv.get(&1)), Box::pin(map.get(&1, &1)));
            assert!(futures::poll!(&mut read).is_pending() && futures::poll!(&mut entry).is_pending());
            kv.put(&1, 2).await.unwrap();
            map.put(&1, &1, 2).await.unwrap();
            drop(late);
            // Both began before the writes: either value is right.
            assert!(matches!(read.await.unwrap(), Some(1 | 2)));
            assert!(matches!(entry.await.unwrap(), Some(1 | 2)));
        }
        assert_eq!((kv.get(&1).await.unwrap(), map.get(&1, &1).await.unwrap()), (Some(2), Some(2)));
        manager.close().await.unwrap();
    }

    async fn own_7_what_a_commit_of_unknown_outcome_may_still_change_is_not_cached(place: Place) {
        let manager = place.open(place.sized(1 << 20, 1 << 20)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        let versioned = manager.key_value::<u64, u64>("versioned").await.unwrap();
        kv.put(&1, 1).await.unwrap();
        kv.put(&2, 1).await.unwrap();
        let held_back = place.faults.hold_back().await;
        place.faults.fail_commit(1, Fault::Late);
        let mut batch = WriteBatch::new();
        batch.put(&kv, &1, 2).unwrap();
        batch.put(&versioned, &1, 1).unwrap();
        assert_eq!(refused(batch.commit().await).0, ErrorKind::Indeterminate);
        assert_eq!((kv.get(&1).await.unwrap(), kv.get(&2).await.unwrap()), (Some(1), Some(1)));
        drop(held_back);
        // The store itself tells that it has happened.
        while kv.get_many(&[1]).await.unwrap() == [Some(1)] {
            tokio::task::yield_now().await;
        }
        assert_eq!(kv.get(&1).await.unwrap(), Some(2));
        kv.update(&1, |n| Ok(n.unwrap() + 1)).await.unwrap();
        assert_eq!(kv.get(&1).await.unwrap(), Some(3));
        manager.close().await.unwrap();
    }

    async fn batch_3_an_update_whose_read_is_late_sees_the_write_that_came_between(place: Place) {
        for cache in [0, 1 << 20] {
            let manager = place.open(place.sized(1 << 20, cache)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            let map = manager.key_map::<u64, u64, u64>("map").await.unwrap();
            let list = manager.key_list::<u64, u64>("list").await.unwrap();
            list.put(&1, [1, 2, 3]).await.unwrap();
            uncached(&manager, &kv, &map).await;
            let late = place.faults.delay().await;
            {
                let mut update = Box::pin(kv.update(&1, |n| Ok(n.unwrap() + 1)));
                let mut entry = Box::pin(map.update(&1, &1, |n| Ok(n.unwrap() + 1)));
                let mut pop = Box::pin(list.pop_front(&1));
                assert!(futures::poll!(&mut update).is_pending());
                assert!(futures::poll!(&mut entry).is_pending());
                assert!(futures::poll!(&mut pop).is_pending());
                kv.put(&1, 10).await.unwrap();
                map.remove_key(&1).await.unwrap();
                map.put(&1, &1, 10).await.unwrap();
                list.put(&1, [7, 8]).await.unwrap();
                drop(late);
                update.await.unwrap();
                entry.await.unwrap();
                assert_eq!(pop.await.unwrap(), Some(7));
            }
            assert_eq!((kv.get(&1).await.unwrap(), map.get(&1, &1).await.unwrap()), (Some(11), Some(11)));
            assert_eq!(list.get(&1).await.unwrap(), [8]);
            manager.close().await.unwrap();
        }
    }

    async fn own_7_memory_shows_buffer_and_cache_and_both_stay_under_their_budgets(place: Place) {
        let (buffer, cache) = (64 << 10, 32 << 10);
        let manager = place.open(place.sized(buffer, cache)).await;
        let state = manager.key_value::<u64, Vec<u8>>("kv").await.unwrap();
        let (mut greatest_buffer, mut greatest_cache) = (0, 0);
        for n in 0..5_000_u64 {
            state.put(&n, vec![0; 100]).await.unwrap();
            state.get(&n).await.unwrap();
            let memory = manager.memory().await;
            greatest_buffer = greatest_buffer.max(memory.stores["local"].buffer);
            greatest_cache = greatest_cache.max(memory.caches["kv"]);
            assert!(memory.total() >= memory.stores["local"].buffer + memory.caches["kv"]);
        }
        // The last write may pass the limit.
        assert!((1..=buffer as u64 + 300).contains(&greatest_buffer), "{greatest_buffer}");
        assert!((1..=cache as u64).contains(&greatest_cache), "{greatest_cache}");
        manager.close().await.unwrap();
    }

    async fn own_7_a_value_too_great_for_the_cache_is_not_shadowed_by_the_one_before(place: Place) {
        let manager = place.open(place.sized(1 << 20, 4 << 10)).await;
        let state = manager.key_value::<String, Vec<u8>>("kv").await.unwrap();
        for length in [10, 100_000, 20, 5_000, 30] {
            state.put("a", vec![1; length]).await.unwrap();
            assert_eq!(state.get("a").await.unwrap().map(|v| v.len()), Some(length));
            state.update("a", |v| Ok(vec![2; v.unwrap().len() + 70_000])).await.unwrap();
            assert_eq!(state.get("a").await.unwrap().map(|v| v.len()), Some(length + 70_000));
        }
        manager.close().await.unwrap();
    }

    async fn own_7_what_is_written_is_read_from_the_cache_while_there_is_room(place: Place) {
        let manager = place.open(place.sized(1 << 20, 1 << 20)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        let map = manager.key_map::<u64, u64, u64>("map").await.unwrap();
        kv.put(&1, 1).await.unwrap();
        kv.put_many([(2, 2)]).await.unwrap();
        map.put(&1, &1, 1).await.unwrap();
        map.update(&1, &2, |_| Ok(2)).await.unwrap();
        let mut batch = WriteBatch::new();
        batch.put(&kv, &3, 3).unwrap();
        batch.put_entry(&map, &1, &3, 3).unwrap();
        batch.commit().await.unwrap();
        manager.finish().await.unwrap();
        // Nothing is staged any more, and the engine does not answer.
        let late = place.faults.delay().await;
        for n in 1..=3 {
            assert_eq!(kv.get(&n).now_or_never().expect("cached").unwrap(), Some(n));
            assert!(kv.contains(&n).now_or_never().expect("cached").unwrap());
            assert_eq!(map.get(&1, &n).now_or_never().expect("cached").unwrap(), Some(n));
            assert!(map.contains(&1, &n).now_or_never().expect("cached").unwrap());
        }
        drop(late);
        manager.close().await.unwrap();
    }

    async fn own_7_a_map_that_is_cleared_is_not_read_from_the_cache(place: Place) {
        let manager = place.open(place.sized(1 << 20, 1 << 20)).await;
        let map = manager.key_map::<u64, u64, u64>("map").await.unwrap();
        for (key, sub) in [(1, 1), (1, 2), (2, 1)] {
            map.put(&key, &sub, 7).await.unwrap();
        }
        map.remove_key(&1).await.unwrap();
        for round in 0..2 {
            assert_eq!(map.get(&1, &1).await.unwrap(), None, "round {round}");
            assert!(!map.contains(&1, &2).await.unwrap());
            assert_eq!(map.get(&2, &1).await.unwrap(), Some(7));
            manager.finish().await.unwrap();
        }
        map.put(&1, &2, 8).await.unwrap();
        assert_eq!(map.get(&1, &2).await.unwrap(), Some(8));
        assert_eq!(map.get(&1, &1).await.unwrap(), None);
        manager.close().await.unwrap();
    }
}
