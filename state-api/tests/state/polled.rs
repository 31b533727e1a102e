use futures::TryStreamExt;
use statehold::{
    ErrorKind, Model, ScanOrder, StateManager, WriteBatch,
    archive::{CheckpointId, Metadata},
};

use crate::support::{BUFFERS, on_every_engine, poll_once};

/// Begins every operation there is and lets it go after one poll.
async fn begin_and_drop_all(manager: &StateManager, round: u64) {
    poll_once(manager.key_value::<String, u64>("kv"));
    poll_once(manager.key_map::<String, String, u64>("map"));
    poll_once(manager.key_list::<String, u64>("list"));
    let kv = manager.key_value::<String, u64>("kv").await.unwrap();
    let versioned = manager.key_value::<String, u64>("versioned").await.unwrap();
    let map = manager.key_map::<String, String, u64>("map").await.unwrap();
    let list = manager.key_list::<String, u64>("list").await.unwrap();
    for state in [&kv, &versioned] {
        poll_once(state.put("a", round));
        poll_once(state.get("a"));
        poll_once(state.get_many(&["a", "b"]));
        poll_once(state.put_many((0..100).map(|n| (format!("{n}"), n))));
        poll_once(state.update("a", |n| Ok(n.unwrap_or(0) + 1)));
        poll_once(state.put_if_absent("b", 1));
        poll_once(state.replace("a", &1, 2));
        poll_once(state.delete("b"));
        poll_once(state.scan(ScanOrder::Key).try_collect::<Vec<_>>());
        poll_once(state.summary());
    }
    poll_once(map.put("a", "s", round));
    poll_once(map.remove_key("a"));
    poll_once(map.entries("a"));
    poll_once(list.append_all("a", 0..50));
    poll_once(list.pop_front("a"));
    poll_once(list.put("a", [1, 2]));
    poll_once(list.get("a"));
    let mut batch = WriteBatch::new();
    batch.put(&kv, "x", round).unwrap();
    batch.put(&versioned, "x", round).unwrap();
    poll_once(batch.commit());
    poll_once(manager.finish());
    poll_once(manager.compact());
    poll_once(manager.memory());
    poll_once(manager.cut(CheckpointId(1_000 + round), &Metadata::new()));
    poll_once(manager.archive(CheckpointId(2_000 + round), &Metadata::new()));
}

on_every_engine! {
    async fn own_2_every_operation_dropped_after_one_poll_leaves_the_manager_usable(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 4 << 10)).await;
            for round in 0..10 {
                begin_and_drop_all(&manager, round).await;
            }
            let kv = manager.key_value::<String, u64>("kv").await.unwrap();
            // A key of its own: what was let go may still happen, after what came later.
            kv.put("after", 7).await.unwrap();
            let list = manager.key_list::<String, u64>("list").await.unwrap();
            list.put("a", [1]).await.unwrap();
            manager.finish().await.unwrap();
            manager.archive(CheckpointId(buffer as u64), &Metadata::new()).await.unwrap();
            manager.close().await.unwrap();
            let manager = place.open(place.sized(buffer, 4 << 10)).await;
            let kv = manager.key_value::<String, u64>("kv").await.unwrap();
            assert_eq!(kv.get("after").await.unwrap(), Some(7));
            manager.close().await.unwrap();
        }
    }

    async fn own_2_a_batch_that_was_let_go_is_in_as_a_whole_or_not_at_all(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let kv = manager.key_value::<String, u64>("kv").await.unwrap();
            let versioned = manager.key_value::<String, u64>("versioned").await.unwrap();
            for n in 0..200 {
                let mut batch = WriteBatch::new();
                batch.put(&kv, "x", n).unwrap();
                batch.put(&kv, "y", n).unwrap();
                if n % 2 == 0 {
                    batch.put(&versioned, "z", n).unwrap();
                }
                poll_once(batch.commit());
                let found = kv.get_many(&["x", "y"]).await.unwrap();
                assert_eq!(found[0], found[1], "buffer {buffer}");
            }
            manager.close().await.unwrap();
        }
    }

    async fn own_2_a_recover_drop_or_close_that_was_let_go_runs_to_its_end(place: Place) {
        let manager = place.open(place.descriptor()).await;
        let kv = manager.key_value::<String, u64>("kv").await.unwrap();
        kv.put("a", 1).await.unwrap();
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        kv.put("a", 2).await.unwrap();
        let _ = poll_once(manager.recover(CheckpointId(1)));
        let fenced = async || kv.get("a").await.is_err_and(|e| e.kind() == ErrorKind::Fenced);
        while !fenced().await {
            tokio::task::yield_now().await;
        }
        let kv = manager.key_value::<String, u64>("kv").await.unwrap();
        assert_eq!(kv.get("a").await.unwrap(), Some(1));

        let _ = poll_once(manager.drop_state("kv"));
        while kv.get("a").await.is_ok() {
            tokio::task::yield_now().await;
        }
        let kv = manager.key_value::<String, u64>("kv").await.unwrap();
        assert_eq!(kv.get("a").await.unwrap(), None);
        kv.put("a", 3).await.unwrap();

        let _ = poll_once(manager.close());
        manager.close().await.unwrap();
        let manager = place.open(place.descriptor()).await;
        let kv = manager.key_value::<String, u64>("kv").await.unwrap();
        assert_eq!(kv.get("a").await.unwrap(), Some(3));
        manager.close().await.unwrap();
    }
}

/// A future is moved as a whole, once or twice a call.
#[tokio::test]
async fn what_waits_seldom_keeps_no_room_for_it() {
    let states = [("kv", Model::Kv), ("map", Model::Map), ("list", Model::List)];
    let manager = statehold::testing::memory_manager(&states).await.unwrap();
    let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
    let map = manager.key_map::<u64, u64, u64>("map").await.unwrap();
    let list = manager.key_list::<u64, u64>("list").await.unwrap();
    for (what, bytes, most) in [
        ("get", size_of_val(&kv.get(&1)), 256),
        ("put", size_of_val(&kv.put(&1, 1)), 256),
        ("delete", size_of_val(&kv.delete(&1)), 256),
        ("update", size_of_val(&kv.update(&1, |n| Ok(n.unwrap_or(0)))), 512),
        ("map get", size_of_val(&map.get(&1, &1)), 256),
        ("map put", size_of_val(&map.put(&1, &1, 1)), 256),
        ("map contains", size_of_val(&map.contains(&1, &1)), 256),
        ("list append", size_of_val(&list.append(&1, 1)), 512),
    ] {
        assert!(bytes <= most, "the future of {what} has {bytes} bytes");
    }
}
