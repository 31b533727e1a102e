use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::TryStreamExt;
use statehold::{
    ErrorKind, RecoverFrom, Revision, ScanOrder, WriteBatch,
    archive::{CheckpointId, Metadata, Select},
};

use crate::support::{BUFFERS, SIZES, on_every_engine, refused};

on_every_engine! {
    async fn life_5_recover_fences_every_handle_of_before_cached_values_too(place: Place) {
        for (id, (buffer, cache)) in (1..).map(CheckpointId).zip(SIZES) {
            let manager = place.open(place.sized(buffer, cache)).await;
            let kv = manager.key_value::<String, u64>("kv").await.unwrap();
            let versioned = manager.key_value::<String, u64>("versioned").await.unwrap();
            let list = manager.key_list::<String, u64>("list").await.unwrap();
            let map = manager.key_map::<String, String, u64>("map").await.unwrap();
            kv.update("a", |_| Ok(1)).await.unwrap();
            manager.archive(id, &Metadata::new()).await.unwrap();
            kv.update("a", |_| Ok(2)).await.unwrap();
            assert_eq!(kv.get("a").await.unwrap(), Some(2));
            map.put("a", "s", 1).await.unwrap();
            map.get("a", "s").await.unwrap();
            let mut batch = WriteBatch::new();
            batch.put(&kv, "a", 3).unwrap();
            let scan = kv.scan(ScanOrder::Group);
            manager.recover(id).await.unwrap();

            let error = |kind| assert_eq!(kind, ErrorKind::Fenced, "buffer {buffer}, cache {cache}");
            error(refused(kv.get("a").await).0);
            error(refused(kv.get_many(&["a"]).await).0);
            error(refused(kv.put("a", 4).await).0);
            error(refused(kv.update("a", |_| Ok(4)).await).0);
            error(refused(kv.put_if_absent("b", 4).await).0);
            error(refused(versioned.put_if("b", Revision::NONE, 4).await).0);
            error(refused(list.append("a", 1).await).0);
            error(refused(list.pop_front("a").await).0);
            error(refused(map.get("a", "s").await).0);
            error(refused(map.remove_key("a").await).0);
            error(refused(batch.commit().await).0);
            error(refused(scan.try_collect::<Vec<_>>().await).0);
            let again = manager.key_value::<String, u64>("kv").await.unwrap();
            assert_eq!(again.get("a").await.unwrap(), Some(1));
            manager.close().await.unwrap();
        }
    }

    async fn life_5_recover_drops_staged_writes_and_later_states_and_repeats(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            kv.put_many((0..100).map(|n| (n, n))).await.unwrap();
            let id = CheckpointId(buffer as u64);
            manager.archive(id, &Metadata::new()).await.unwrap();
            kv.delete(&1).await.unwrap();
            kv.put_many((50..150).map(|n| (n, n + 1))).await.unwrap();
            let later = manager.key_map::<u64, u64, u64>("map").await.unwrap();
            later.put(&1, &1, 1).await.unwrap();
            for _ in 0..3 {
                manager.recover(Select::Id(id)).await.unwrap();
                let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
                let rows: Vec<(u64, u64)> = kv.scan(ScanOrder::Key).try_collect().await.unwrap();
                assert_eq!(rows, (0..100).map(|n| (n, n)).collect::<Vec<_>>(), "buffer {buffer}");
                let later = manager.key_map::<u64, u64, u64>("map").await.unwrap();
                assert_eq!(later.entries(&1).await.unwrap(), []);
                later.put(&1, &1, 2).await.unwrap();
            }
            manager.recover(Select::Latest).await.unwrap();
            manager.drop_state("kv").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn life_5_writers_who_run_into_a_recover_are_fenced_and_leave_nothing_behind(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 4 << 10)).await;
            let id = CheckpointId(buffer as u64);
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            kv.put(&1_000_000, 7).await.unwrap();
            manager.archive(id, &Metadata::new()).await.unwrap();
            for _ in 0..5 {
                let writers: Vec<_> = (0..4_u64).map(|task| {
                    let manager = manager.clone();
                    tokio::spawn(async move {
                        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
                        let list = manager.key_list::<u64, u64>("list").await.unwrap();
                        for n in 0.. {
                            let outcome = match n % 3 {
                                0 => kv.put(&(n % 50), task).await,
                                1 => kv.update(&task, |c| Ok(c.unwrap_or(0) + 1)).await,
                                _ => list.append(&task, n).await,
                            };
                            if let Err(error) = outcome {
                                return error.kind();
                            }
                            tokio::task::yield_now().await;
                        }
                        unreachable!()
                    })
                }).collect();
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                manager.recover(id).await.unwrap();
                // Also those who asked for their handles only after it.
                manager.recover(id).await.unwrap();
                for writer in writers {
                    // A writer who began after both goes on until the next.
                    while !writer.is_finished() {
                        manager.recover(id).await.unwrap();
                    }
                    assert_eq!(writer.await.unwrap(), ErrorKind::Fenced, "buffer {buffer}");
                }
                let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
                let rows: Vec<(u64, u64)> = kv.scan(ScanOrder::Group).try_collect().await.unwrap();
                assert_eq!(rows, [(1_000_000, 7)], "buffer {buffer}");
                // Nothing of the old content keeps what is written now from being committed.
                kv.put(&1, 1).await.unwrap();
                manager.finish().await.unwrap();
                kv.delete(&1).await.unwrap();
            }
            manager.close().await.unwrap();
        }
    }

    async fn life_5_recover_beside_drop_and_new_handles_comes_to_an_end(place: Place) {
        // Each of them takes locks of the others.
        let manager = place.open(place.sized(2 << 10, 0)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        kv.put(&1, 1).await.unwrap();
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (dropping, until) = (manager.clone(), stop.clone());
        let drops = tokio::spawn(async move {
            while !until.load(Ordering::SeqCst) {
                let map = dropping.key_map::<u64, u64, u64>("map").await.unwrap();
                let _ = map.put(&1, &1, 1).await;
                match dropping.drop_state("map").await {
                    Ok(()) => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
                }
                dropping.memory().await;
            }
        });
        for _ in 0..20 {
            manager.recover(CheckpointId(1)).await.unwrap();
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            assert_eq!(kv.get(&1).await.unwrap(), Some(1));
            tokio::task::yield_now().await;
        }
        stop.store(true, Ordering::SeqCst);
        drops.await.unwrap();
        manager.close().await.unwrap();
    }

    async fn life_5_revisions_rise_across_recover(place: Place) {
        let manager = place.open(place.descriptor()).await;
        let state = manager.key_value::<u64, u64>("versioned").await.unwrap();
        state.put(&1, 1).await.unwrap();
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        let archived = state.get_versioned(&1).await.unwrap().unwrap().revision;
        state.put(&1, 2).await.unwrap();
        let later = state.get_versioned(&1).await.unwrap().unwrap().revision;
        manager.recover(CheckpointId(1)).await.unwrap();
        let state = manager.key_value::<u64, u64>("versioned").await.unwrap();
        assert_eq!(state.get_versioned(&1).await.unwrap().unwrap().revision, archived);
        let next = state.put_if(&1, archived, 3).await.unwrap().unwrap();
        assert!(next > later);
        manager.close().await.unwrap();
    }

    async fn life_5_a_recover_whose_answer_is_lost_fences_handles_and_is_repeated(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 1 << 20)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            kv.put(&1, 1).await.unwrap();
            let id = CheckpointId(buffer as u64 + 1);
            manager.archive(id, &Metadata::new()).await.unwrap();
            kv.put(&1, 2).await.unwrap();
            assert_eq!(kv.get(&1).await.unwrap(), Some(2));
            place.faults.lose_answer_of_recover();
            assert_eq!(refused(manager.recover(Select::Id(id)).await).0, ErrorKind::Indeterminate);
            // Neither a cached value nor a staged one of before is shown, nor flushed into the new content.
            assert_eq!(refused(kv.get(&1).await).0, ErrorKind::Fenced);
            assert_eq!(refused(kv.put(&1, 3).await).0, ErrorKind::Fenced);
            let fresh = manager.key_value::<u64, u64>("kv").await.unwrap();
            assert_eq!(fresh.get(&1).await.unwrap(), Some(1));
            // What the content is, is not certain enough for a checkpoint.
            refused(manager.archive(CheckpointId(id.0 + 1), &Metadata::new()).await);
            manager.recover(Select::Id(id)).await.unwrap();
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            assert_eq!(kv.get(&1).await.unwrap(), Some(1));
            manager.archive(CheckpointId(id.0 + 1), &Metadata::new()).await.unwrap();
            manager.drop_state("kv").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn life_5_a_recover_that_finds_damage_changes_nothing_and_the_timeline_goes_on(place: Place) {
        let manager = place.open(place.descriptor()).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        kv.put(&1, 1).await.unwrap();
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        let old: Vec<_> = objects(&place).collect();
        kv.put(&1, 2).await.unwrap();
        manager.archive(CheckpointId(2), &Metadata::new()).await.unwrap();
        kv.put(&1, 3).await.unwrap();
        for object in old {
            std::fs::write(object, b"not what was archived").unwrap();
        }
        assert_eq!(refused(manager.recover(CheckpointId(1)).await).0, ErrorKind::Corrupt);
        // Neither content nor handles nor the latest checkpoint have changed.
        assert_eq!(kv.get(&1).await.unwrap(), Some(3));
        assert_eq!(refused(manager.recover(CheckpointId(9)).await).0, ErrorKind::NotFound);
        assert_eq!(manager.checkpoints().unwrap().show(Select::Latest).await.unwrap().summary.id, CheckpointId(2));
        manager.archive(CheckpointId(3), &Metadata::new()).await.unwrap();
        manager.recover(Select::Latest).await.unwrap();
        assert_eq!(manager.key_value::<u64, u64>("kv").await.unwrap().get(&1).await.unwrap(), Some(3));
        manager.close().await.unwrap();
        let damaged = place.builder(place.descriptor()).recover(RecoverFrom::Id(CheckpointId(1))).open().await;
        assert_eq!(refused(damaged).0, ErrorKind::Corrupt);
        let manager = place.builder(place.descriptor()).recover(RecoverFrom::Latest).open().await.unwrap();
        assert_eq!(manager.key_value::<u64, u64>("kv").await.unwrap().get(&1).await.unwrap(), Some(3));
        manager.close().await.unwrap();
    }
}

/// The files of all objects of the archive.
fn objects(place: &crate::support::Place) -> impl Iterator<Item = std::path::PathBuf> {
    let folder = place.folder.path().join("archive/orders/objects");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())
}
