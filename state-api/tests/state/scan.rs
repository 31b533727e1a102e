use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::TryStreamExt;
use statehold::ScanOrder;

use crate::support::{BUFFERS, on_every_engine};

/// Above it, keys come and go while scans run.
const STEADY: u64 = 2_000;

on_every_engine! {
    async fn kv_4_a_scan_beside_writers_yields_what_is_unchanged_exactly_once(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let state = manager.key_value::<u64, u64>("kv").await.unwrap();
            state.put_many((0..STEADY).map(|n| (n, n))).await.unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let (writer, until) = (state.clone(), stop.clone());
            let writing = tokio::spawn(async move {
                let mut n = 0;
                while !until.load(Ordering::Relaxed) {
                    n += 1;
                    let key = STEADY + n % 500;
                    if n % 3 == 0 { writer.delete(&key).await.unwrap() } else { writer.put(&key, n).await.unwrap() }
                    if n % 16 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            });
            for order in [ScanOrder::Group, ScanOrder::Key, ScanOrder::Group] {
                let rows: Vec<(u64, u64)> = state.scan(order).try_collect().await.unwrap();
                let by_key: BTreeMap<u64, u64> = rows.iter().copied().collect();
                assert_eq!(by_key.len(), rows.len(), "no key twice; buffer {buffer}");
                assert!((0..STEADY).all(|n| by_key.get(&n) == Some(&n)), "none lost; buffer {buffer}");
                if order == ScanOrder::Key {
                    assert!(rows.is_sorted_by_key(|(key, _)| *key));
                }
            }
            stop.store(true, Ordering::Relaxed);
            writing.await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn kv_4_a_key_order_scan_merges_all_groups_staged_rows_too(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let state = manager.key_value::<String, u64>("kv").await.unwrap();
            state.put_many((0..20_000).step_by(2).map(|n| (format!("{n:06}"), n))).await.unwrap();
            manager.finish().await.unwrap();
            state.put_many((1..20_000).step_by(2).map(|n| (format!("{n:06}"), n))).await.unwrap();
            state.delete_many(&(0..20_000).step_by(10).map(|n| format!("{n:06}")).collect::<Vec<_>>()).await.unwrap();
            let keys: Vec<String> = state.keys(ScanOrder::Key).try_collect().await.unwrap();
            let expected: Vec<String> = (0..20_000).filter(|n| n % 10 != 0).map(|n| format!("{n:06}")).collect();
            assert_eq!(keys, expected, "buffer {buffer}");
            manager.close().await.unwrap();
        }
    }

    async fn kv_4_a_hundred_thousand_entries_are_scanned_with_a_small_buffer(place: Place) {
        let manager = place.open(place.sized(64 << 10, 0)).await;
        let state = manager.key_value::<u64, u64>("kv").await.unwrap();
        state.put_many((0..100_000).map(|n| (n, n * 3))).await.unwrap();
        for order in [ScanOrder::Group, ScanOrder::Key] {
            let (mut count, mut sum) = (0, 0);
            let mut rows = state.scan(order);
            while let Some((key, value)) = rows.try_next().await.unwrap() {
                assert_eq!(value, key * 3);
                (count, sum) = (count + 1, sum + key);
            }
            assert_eq!((count, sum), (100_000, 99_999 * 50_000));
        }
        manager.close().await.unwrap();
    }

    async fn list_2_a_long_list_is_read_at_one_instant_however_often_it_is_replaced(place: Place) {
        for buffer in [256 << 10, 0] {
            let manager = place.open(place.sized(buffer, 0)).await;
            let list = manager.key_list::<String, u64>("list").await.unwrap();
            let map = manager.key_map::<String, u64, u64>("map").await.unwrap();
            list.put("a", std::iter::repeat_n(0, 3_000)).await.unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let (replaced, until) = (list.clone(), stop.clone());
            let writing = tokio::spawn(async move {
                let mut n = 0;
                while !until.load(Ordering::Relaxed) {
                    n += 1;
                    replaced.put("a", std::iter::repeat_n(n, 3_000)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
            for _ in 0..30 {
                let found = list.get("a").await.unwrap();
                assert_eq!(found.len(), 3_000, "buffer {buffer}");
                assert!(found.iter().all(|n| *n == found[0]), "old and new elements in one list; buffer {buffer}");
            }
            stop.store(true, Ordering::Relaxed);
            writing.await.unwrap();
            map.put_many((0..3_000).map(|n| ("a", n, n))).await.unwrap();
            assert_eq!(map.entries("a").await.unwrap(), (0..3_000).map(|n| (n, n)).collect::<Vec<_>>());
            manager.close().await.unwrap();
        }
    }
}
