use futures::TryStreamExt;
use statehold::{Count, KeyListState, ScanOrder};

use crate::support::{BUFFERS, on_every_engine};

type List = KeyListState<String, u32>;

on_every_engine! {
    async fn list_1_append_keeps_order_across_commits_and_reopen(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let list: List = manager.key_list("list").await.unwrap();
            let before = list.len("a").await.unwrap() as u32;
            for n in 0..100 {
                list.append("a", before + n).await.unwrap();
                if n % 13 == 0 {
                    manager.finish().await.unwrap();
                }
            }
            manager.close().await.unwrap();
            let manager = place.open(place.sized(buffer, 0)).await;
            let list: List = manager.key_list("list").await.unwrap();
            list.append_all("a", [before + 100, before + 101]).await.unwrap();
            assert_eq!(list.get("a").await.unwrap(), (0..before + 102).collect::<Vec<_>>());
            assert_eq!(list.range("a", 98, 3).await.unwrap(), [98, 99, 100]);
            assert_eq!(list.range("a", u64::from(before) + 101, 5).await.unwrap(), [before + 101]);
            assert_eq!(list.range("a", 1_000, 5).await.unwrap(), Vec::<u32>::new());
            manager.close().await.unwrap();
        }
    }

    async fn list_2_put_replaces_the_list_and_an_empty_list_is_an_absent_key(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let list: List = manager.key_list("list").await.unwrap();
            list.append_all("a", [1, 2, 3]).await.unwrap();
            list.append("b", 9).await.unwrap();
            list.put("a", [7, 8]).await.unwrap();
            assert_eq!(list.get("a").await.unwrap(), [7, 8]);
            assert_eq!(list.len("a").await.unwrap(), 2);
            list.append("a", 9).await.unwrap();
            manager.finish().await.unwrap();
            assert_eq!(list.get("a").await.unwrap(), [7, 8, 9]);
            list.put("a", []).await.unwrap();
            assert!(list.is_empty("a").await.unwrap());
            list.append_all("a", []).await.unwrap();
            assert_eq!(list.count().await.unwrap(), Count::Exact(1));
            list.remove("b").await.unwrap();
            list.remove("b").await.unwrap();
            manager.finish().await.unwrap();
            assert_eq!(list.scan(ScanOrder::Group).try_collect::<Vec<_>>().await.unwrap(), []);
            manager.close().await.unwrap();
        }
    }

    async fn list_2_pop_front_takes_the_elements_in_order_staged_or_committed(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let list: List = manager.key_list("list").await.unwrap();
            list.append_all("a", 0..50).await.unwrap();
            manager.finish().await.unwrap();
            list.append_all("a", 50..100).await.unwrap();
            for n in 0..100 {
                assert_eq!(list.len("a").await.unwrap(), 100 - n);
                assert_eq!(list.pop_front("a").await.unwrap(), Some(n as u32));
                if n % 30 == 0 {
                    manager.finish().await.unwrap();
                }
            }
            assert_eq!(list.pop_front("a").await.unwrap(), None);
            list.append("a", 100).await.unwrap();
            manager.finish().await.unwrap();
            assert_eq!(list.get("a").await.unwrap(), [100]);
            list.remove("a").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn list_2_taking_every_element_of_a_long_list_costs_no_more_each_than_of_a_short_one(place: Place) {
        // 20,000 pops that each walked over what was popped before would read 200 million rows.
        let manager = place.open(place.sized(64 << 20, 0)).await;
        let list: List = manager.key_list("list").await.unwrap();
        list.append_all("a", 0..10_000).await.unwrap();
        manager.finish().await.unwrap();
        list.append_all("a", 10_000..20_000).await.unwrap();
        let before = place.faults.rows_scanned();
        for n in 0..20_000 {
            assert_eq!(list.pop_front("a").await.unwrap(), Some(n));
        }
        let rows = place.faults.rows_scanned() - before;
        assert!(rows < 20 * 20_000, "{rows} rows were read");
        manager.finish().await.unwrap();
        assert!(list.is_empty("a").await.unwrap());
        manager.close().await.unwrap();
    }

    async fn list_1_many_lists_are_scanned_each_in_its_order(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let list: List = manager.key_list("list").await.unwrap();
            for n in 0..300 {
                list.append(&format!("{}", n % 10), n).await.unwrap();
            }
            let rows: Vec<(String, u32)> = list.scan(ScanOrder::Key).try_collect().await.unwrap();
            let expected = (0..10).flat_map(|k| (0..30).map(move |i| (k.to_string(), k + 10 * i)));
            assert_eq!(rows, expected.collect::<Vec<_>>());
            for k in 0..10 {
                list.remove(&k.to_string()).await.unwrap();
            }
            manager.close().await.unwrap();
        }
    }
}
