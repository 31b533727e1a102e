use futures::TryStreamExt;
use statehold::{Count, KeyMapState, ScanOrder};

use crate::support::{SIZES, on_every_engine};

type Map = KeyMapState<String, String, u64>;

on_every_engine! {
    async fn map_1_writing_or_removing_one_subkey_moves_no_other(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let map: Map = manager.key_map("map").await.unwrap();
            map.put("a", "x", 1).await.unwrap();
            map.put("a", "y", 2).await.unwrap();
            map.put("a", "", 3).await.unwrap();
            map.put("b", "x", 4).await.unwrap();
            map.put("a", "x", 5).await.unwrap();
            map.remove("a", "y").await.unwrap();
            map.remove("a", "none").await.unwrap();
            assert_eq!(map.entries("a").await.unwrap(), [(String::new(), 3), ("x".into(), 5)]);
            assert_eq!(map.get("b", "x").await.unwrap(), Some(4));
            assert!(map.contains("a", "").await.unwrap() && !map.contains("a", "y").await.unwrap());
            let asked = [("b", "x"), ("a", "y"), ("a", "x"), ("b", "x")];
            assert_eq!(map.get_many(&asked).await.unwrap(), [Some(4), None, Some(5), Some(4)]);
            map.update("a", "x", |n| Ok(n.unwrap() + 1)).await.unwrap();
            map.update("a", "new", |n| Ok(n.unwrap_or(40) + 2)).await.unwrap();
            assert_eq!((map.get("a", "x").await.unwrap(), map.get("a", "new").await.unwrap()), (Some(6), Some(42)));
            map.remove_key("a").await.unwrap();
            map.remove_key("b").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn map_2_remove_key_removes_all_entries_and_an_empty_map_is_an_absent_key(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let map: Map = manager.key_map("map").await.unwrap();
            map.put_many((0..100).map(|n| ("a", format!("{n:03}"), n))).await.unwrap();
            manager.finish().await.unwrap();
            map.put_many((100..120).map(|n| ("a", format!("{n:03}"), n))).await.unwrap();
            assert_eq!(map.get("a", "007").await.unwrap(), Some(7));
            map.remove_key("a").await.unwrap();
            assert_eq!(map.get("a", "007").await.unwrap(), None, "buffer {buffer}, cache {cache}");
            assert_eq!(map.entries("a").await.unwrap(), []);
            map.put("a", "back", 1).await.unwrap();
            manager.finish().await.unwrap();
            assert_eq!(map.entries("a").await.unwrap(), [("back".into(), 1)]);
            map.remove("a", "back").await.unwrap();
            assert_eq!(map.count().await.unwrap(), Count::Exact(0));
            manager.close().await.unwrap();
        }
    }

    async fn map_2_entries_come_by_subkey_and_in_pages(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let map: Map = manager.key_map("map").await.unwrap();
            map.put_many((0..60).rev().map(|n| ("a", format!("{n:03}"), n))).await.unwrap();
            manager.finish().await.unwrap();
            map.put_many((30..90).map(|n| ("a", format!("{n:03}"), n + 1_000))).await.unwrap();
            let (mut entries, mut cursor, mut pages) = (Vec::new(), None, 0);
            loop {
                let (page, next) = map.page("a", cursor.as_ref(), 7).await.unwrap();
                assert!(page.len() <= 7);
                entries.extend(page);
                pages += 1;
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
            let expected = (0..90).map(|n| (format!("{n:03}"), if n < 30 { n } else { n + 1_000 }));
            assert_eq!(entries, expected.collect::<Vec<_>>());
            assert!(pages >= 13);
            assert_eq!(map.entries("a").await.unwrap(), entries);
            let scanned: Vec<(String, String, u64)> = map.scan(ScanOrder::Key).try_collect().await.unwrap();
            assert_eq!(scanned.len(), 90);
            map.remove_key("a").await.unwrap();
            manager.close().await.unwrap();
        }
    }
}
