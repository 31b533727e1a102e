use futures::TryStreamExt;
use statehold::{
    ErrorKind, ScanOrder,
    archive::{CheckpointId, Metadata},
    testing::Fault,
};

use crate::support::{BUFFERS, on_every_engine, refused};

on_every_engine! {
    async fn own_3_a_lost_flush_loses_nothing_says_so_and_the_next_finish_succeeds(place: Place) {
        for kind in [ErrorKind::ResourceExhausted, ErrorKind::Internal] {
            let manager = place.open(place.sized(1 << 20, 1 << 20)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            kv.put_many((0..100).map(|n| (n, n))).await.unwrap();
            place.faults.fail_commit(0, Fault::Lost(kind));
            let (found, message) = refused(manager.finish().await);
            assert_eq!(found, kind);
            assert!(message.contains("nothing is lost") && message.contains("`local`"), "{message}");
            assert_eq!(kv.get(&7).await.unwrap(), Some(7));
            kv.put(&7, 8).await.unwrap();
            manager.finish().await.unwrap();
            manager.close().await.unwrap();
            let manager = place.open(place.sized(1 << 20, 1 << 20)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            assert_eq!(kv.get_many(&[6, 7]).await.unwrap(), [Some(6), Some(8)]);
            manager.drop_state("kv").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn batch_4_lost_answers_neither_lose_nor_repeat_an_append(place: Place) {
        let manager = place.open(place.sized(2 << 10, 0)).await;
        let list = manager.key_list::<u64, u64>("list").await.unwrap();
        for n in 0..600 {
            if n % 50 == 0 {
                place.faults.fail_commit(0, Fault::AnswerLost);
            }
            list.append(&1, n).await.unwrap();
        }
        manager.finish().await.unwrap();
        place.faults.mend();
        assert_eq!(list.get(&1).await.unwrap(), (0..600).collect::<Vec<_>>());
        manager.close().await.unwrap();
    }

    async fn batch_4_an_answer_lost_again_and_again_is_indeterminate_and_resolved_by_the_next_finish(place: Place) {
        let manager = place.open(place.sized(1 << 20, 0)).await;
        let list = manager.key_list::<u64, u64>("list").await.unwrap();
        list.append_all(&1, [1, 2, 3]).await.unwrap();
        for _ in 0..4 {
            place.faults.fail_commit(0, Fault::AnswerLost);
        }
        assert_eq!(refused(manager.finish().await).0, ErrorKind::Indeterminate);
        list.append(&1, 4).await.unwrap();
        manager.finish().await.unwrap();
        assert_eq!(list.get(&1).await.unwrap(), [1, 2, 3, 4]);
        manager.close().await.unwrap();
    }

    async fn own_3_writers_beside_a_dead_engine_get_its_error_and_go_on_when_it_is_back(place: Place) {
        let manager = place.open(place.sized(2 << 10, 4 << 10)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        for _ in 0..100_000 {
            place.faults.fail_commit(0, Fault::Lost(ErrorKind::ResourceExhausted));
        }
        let mut answered = Vec::new();
        for n in 0..200 {
            match kv.put(&n, n).await {
                Ok(()) => answered.push(n),
                Err(error) => assert_eq!(error.kind(), ErrorKind::ResourceExhausted),
            }
        }
        assert!((1..100).contains(&answered.len()), "{}", answered.len());
        assert_eq!(refused(manager.archive(CheckpointId(1), &Metadata::new()).await).0, ErrorKind::ResourceExhausted);
        place.faults.mend();
        manager.finish().await.unwrap();
        let rows: Vec<(u64, u64)> = kv.scan(ScanOrder::Key).try_collect().await.unwrap();
        assert_eq!(rows, answered.iter().map(|n| (*n, *n)).collect::<Vec<_>>());
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        manager.close().await.unwrap();
    }

    async fn life_10_a_close_whose_flush_fails_says_what_is_lost_and_releases_the_store(place: Place) {
        let manager = place.open(place.sized(1 << 20, 0)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        kv.put(&1, 1).await.unwrap();
        manager.finish().await.unwrap();
        kv.put_many([(1, 2), (2, 2)]).await.unwrap();
        // More than the flusher ever tries within one close.
        for _ in 0..100 {
            place.faults.fail_commit(0, Fault::Lost(ErrorKind::ResourceExhausted));
        }
        let (kind, message) = refused(manager.close().await);
        place.faults.mend();
        assert_eq!(kind, ErrorKind::ResourceExhausted);
        assert!(message.contains("2 staged writes") && message.contains("lost"), "{message}");
        let manager = place.open(place.sized(1 << 20, 0)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        assert_eq!(kv.get_many(&[1, 2]).await.unwrap(), [Some(1), None]);
        manager.close().await.unwrap();
    }

    async fn own_3_a_failed_read_is_an_error_and_never_an_absent_value(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            let list = manager.key_list::<u64, u64>("list").await.unwrap();
            kv.put(&1, 1).await.unwrap();
            list.put(&1, [1]).await.unwrap();
            manager.finish().await.unwrap();
            let lose = || place.faults.fail_read(0, ErrorKind::Unavailable);
            lose();
            assert_eq!(kv.get(&1).await.unwrap_err().kind(), ErrorKind::Unavailable);
            lose();
            assert!(kv.update(&1, |n| Ok(n.map_or(0, |n| n + 1))).await.is_err());
            if buffer > 0 {
                // Without a buffer the engine itself evaluates the condition.
                lose();
                assert!(kv.put_if_absent(&1, 9).await.is_err());
            }
            lose();
            assert!(list.pop_front(&1).await.is_err());
            lose();
            assert!(kv.count().await.is_err());
            assert_eq!((kv.get(&1).await.unwrap(), list.get(&1).await.unwrap()), (Some(1), vec![1]));
            manager.close().await.unwrap();
        }
    }

    async fn own_3_put_many_says_how_many_entries_are_in(place: Place) {
        let manager = place.open(place.sized(0, 0)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        place.faults.fail_commit(2, Fault::Lost(ErrorKind::ResourceExhausted));
        let (_, message) = refused(kv.put_many((0..2_000).map(|n| (n, n))).await);
        let rows: Vec<u64> = kv.keys(ScanOrder::Key).try_collect().await.unwrap();
        assert!(message.contains(&format!("{} of 2000 entries are in", rows.len())), "{message}");
        assert!((1..2_000).contains(&rows.len()));
        manager.close().await.unwrap();
    }
}

/// A lie of the engine is noticed by what is read: the tests above could fail.
#[tokio::test]
async fn a_backend_that_says_a_commit_happened_which_did_not_is_noticed() {
    let place = crate::support::Place::new("memory");
    let manager = place.open(place.sized(1 << 20, 0)).await;
    let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
    kv.put(&1, 1).await.unwrap();
    place.faults.fail_commit(0, Fault::Lie);
    manager.finish().await.unwrap();
    assert_eq!(kv.get(&1).await.unwrap(), None);
    manager.close().await.unwrap();
}
