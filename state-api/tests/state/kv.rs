use futures::TryStreamExt;
use statehold::{Count, ErrorKind, KeyValueState, Revision, ScanOrder};

use crate::support::{SIZES, on_every_engine, refused};

async fn entries(state: &KeyValueState<String, u64>) -> Vec<(String, u64)> {
    state.scan(ScanOrder::Key).try_collect().await.unwrap()
}

on_every_engine! {
    async fn kv_1_get_sees_the_last_write_through_this_manager(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let state = manager.key_value::<String, u64>("kv").await.unwrap();
            let other = manager.key_value::<String, u64>("kv").await.unwrap();
            for n in 0..200 {
                let key = format!("key {}", n % 7);
                state.put(&key, n).await.unwrap();
                assert_eq!(other.get(&key).await.unwrap(), Some(n), "buffer {buffer}, cache {cache}");
                assert!(other.contains(&key).await.unwrap());
            }
            manager.close().await.unwrap();
        }
    }

    async fn kv_2_put_replaces_and_delete_removes_and_deleting_what_is_absent_succeeds(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let state = manager.key_value::<String, u64>("kv").await.unwrap();
            state.put("a", 1).await.unwrap();
            state.put("a", 2).await.unwrap();
            assert_eq!(state.get("a").await.unwrap(), Some(2));
            state.delete("a").await.unwrap();
            state.delete("a").await.unwrap();
            assert_eq!(state.get("a").await.unwrap(), None);
            assert!(!state.contains("a").await.unwrap());
            state.put_many([("b", 3), ("c", 4), ("b", 5)]).await.unwrap();
            assert_eq!(state.get_many(&["c", "b", "none", "b"]).await.unwrap(), [Some(4), Some(5), None, Some(5)]);
            state.delete_many(&["b", "none"]).await.unwrap();
            assert_eq!(entries(&state).await, [("c".into(), 4)]);
            state.delete("c").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn kv_2_what_was_written_is_there_when_the_manager_is_opened_again(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let state = manager.key_value::<String, u64>("kv").await.unwrap();
            state.put_many((0..500).map(|n| (format!("{n:04}"), n + buffer as u64))).await.unwrap();
            manager.close().await.unwrap();
            let manager = place.open(place.sized(buffer, cache)).await;
            let state = manager.key_value::<String, u64>("kv").await.unwrap();
            let found = entries(&state).await;
            assert_eq!(found, (0..500).map(|n| (format!("{n:04}"), n + buffer as u64)).collect::<Vec<_>>());
            assert_eq!(state.count().await.unwrap(), Count::Exact(500));
            manager.close().await.unwrap();
        }
    }

    async fn kv_5_a_revision_is_given_by_every_change_and_never_comes_again(place: Place) {
        let manager = place.open(place.descriptor()).await;
        let state = manager.key_value::<String, u64>("versioned").await.unwrap();
        let first = state.put_if("a", Revision::NONE, 1).await.unwrap().unwrap();
        assert_eq!(state.put_if("a", Revision::NONE, 2).await.unwrap(), None);
        let second = state.put_if("a", first, 2).await.unwrap().unwrap();
        assert!(second > first);
        assert_eq!(state.put_if("a", first, 3).await.unwrap(), None);
        let found = state.get_versioned("a").await.unwrap().unwrap();
        assert_eq!((found.value, found.revision), (2, second));
        state.delete("a").await.unwrap();
        let third = state.put_if("a", Revision::NONE, 4).await.unwrap().unwrap();
        assert!(third > second);
        let plain = manager.key_value::<String, u64>("kv").await.unwrap();
        assert_eq!(refused(plain.get_versioned("a").await).0, ErrorKind::Unsupported);
        assert_eq!(refused(plain.put_if("a", first, 1).await).0, ErrorKind::Unsupported);
        manager.close().await.unwrap();
    }

    async fn batch_2_conditions_hold_or_nothing_is_written(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            for name in ["kv", "versioned"] {
                let state = manager.key_value::<String, u64>(name).await.unwrap();
                assert!(state.put_if_absent("a", 1).await.unwrap());
                assert!(!state.put_if_absent("a", 2).await.unwrap());
                assert!(!state.replace("a", &2, 3).await.unwrap());
                assert_eq!(state.get("a").await.unwrap(), Some(1));
                assert!(state.replace("a", &1, 3).await.unwrap());
                assert_eq!(state.get("a").await.unwrap(), Some(3));
                assert!(!state.delete_if("a", &1).await.unwrap());
                assert!(state.delete_if("a", &3).await.unwrap());
                assert!(!state.delete_if("a", &3).await.unwrap());
                assert_eq!(state.get("a").await.unwrap(), None);
            }
            manager.close().await.unwrap();
        }
    }

    async fn kv_7_the_summary_counts_staged_and_committed_entries_once(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let state = manager.key_value::<String, u64>("kv").await.unwrap();
            state.put_many((0..100).map(|n| (format!("{n}"), 1))).await.unwrap();
            manager.finish().await.unwrap();
            state.put_many((50..150).map(|n| (format!("{n}"), 2))).await.unwrap();
            state.delete("0").await.unwrap();
            let summary = state.summary().await.unwrap();
            assert_eq!(summary.entries, Count::Exact(149));
            assert!(summary.bytes > 149 * 6);
            state.delete_many(&(0..150).map(|n| format!("{n}")).collect::<Vec<_>>()).await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn own_3_an_error_of_update_itself_changes_nothing(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let state = manager.key_value::<String, u64>("kv").await.unwrap();
            state.put("a", 7).await.unwrap();
            let failed = state.update("a", |_| Err(statehold::Error::invalid("no").advise("never"))).await;
            assert_eq!(refused(failed).0, ErrorKind::InvalidInput);
            assert_eq!(state.get("a").await.unwrap(), Some(7));
            manager.close().await.unwrap();
        }
    }
}
