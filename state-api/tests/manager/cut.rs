use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use futures::poll;
use statehold::{
    Descriptor, ErrorKind, Model, StateDescriptor,
    archive::{CheckpointForm, CheckpointId, Metadata},
};
use tokio::pin;

use crate::support::{BUFFERS, Place, on_every_engine, poll_once, refused};

/// State `a` in one store and state `b` in another.
fn two_stores(place: &Place, buffer: usize) -> Descriptor {
    let mut descriptor = place.sized(buffer, 16 << 10);
    descriptor.stores.clear();
    descriptor.states.clear();
    descriptor
        .store("one", place.store("one"))
        .store("two", place.store("two"))
        .state("a", StateDescriptor::new(Model::Kv).in_store("one"))
        .state("b", StateDescriptor::new(Model::Kv).in_store("two"))
}

on_every_engine! {
    async fn life_2_a_cut_holds_what_was_written_before_it_and_nothing_after_and_is_one_instant_over_two_stores(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(two_stores(&place, buffer)).await;
            let a = manager.key_value::<u64, u64>("a").await.unwrap();
            let b = manager.key_value::<u64, u64>("b").await.unwrap();
            a.put(&0, 0).await.unwrap();
            b.put(&0, 0).await.unwrap();
            let (stop, begun, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            let (first, second) = (a.clone(), b.clone());
            let (until, now_writing, acknowledged) = (stop.clone(), begun.clone(), written.clone());
            let writing = tokio::spawn(async move {
                let mut n = 0;
                while !until.load(Ordering::SeqCst) {
                    n += 1;
                    now_writing.store(n, Ordering::SeqCst);
                    // Always `a` before `b`.
                    first.put(&0, n).await.unwrap();
                    second.put(&0, n).await.unwrap();
                    first.put(&(n % 100 + 1), n).await.unwrap();
                    acknowledged.store(n, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            });
            let mut bounds = Vec::new();
            for id in 1..=5 {
                let least = written.load(Ordering::SeqCst);
                let cut = manager.cut(CheckpointId(buffer as u64 + id), &Metadata::new()).await.unwrap();
                let most = begun.load(Ordering::SeqCst);
                cut.persist().await.unwrap();
                bounds.push((CheckpointId(buffer as u64 + id), least, most));
            }
            stop.store(true, Ordering::SeqCst);
            writing.await.unwrap();
            for (id, least, most) in bounds {
                manager.recover(id).await.unwrap();
                let a = manager.key_value::<u64, u64>("a").await.unwrap().get(&0).await.unwrap().unwrap();
                let b = manager.key_value::<u64, u64>("b").await.unwrap().get(&0).await.unwrap().unwrap();
                assert!((least..=most).contains(&a), "{a} is not of {least}..={most}; buffer {buffer}");
                assert!(a == b || a == b + 1, "a is {a}, b is {b}; buffer {buffer}");
            }
            manager.close().await.unwrap();
        }
    }

    async fn life_2_writers_with_a_buffer_go_on_while_a_cut_is_taken_and_are_not_in_it(place: Place) {
        let manager = place.open(place.sized(1 << 20, 1 << 20).checkpoint_form(CheckpointForm::Portable)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        let list = manager.key_list::<u64, u64>("list").await.unwrap();
        let versioned = manager.key_value::<u64, u64>("versioned").await.unwrap();
        kv.put(&1, 1).await.unwrap();
        list.append(&1, 1).await.unwrap();
        manager.finish().await.unwrap();
        // Nothing is staged, so the engine is first asked for the cut itself, and is slow to give it.
        let slow = place.faults.delay().await;
        let metadata = Metadata::new();
        let cutting = manager.cut(CheckpointId(1), &metadata);
        pin!(cutting);
        assert!(poll!(&mut cutting).is_pending());
        assert!(poll_once(kv.put(&1, 2)).is_some_and(|done| done.is_ok()));
        assert!(poll_once(list.append(&1, 2)).is_some_and(|done| done.is_ok()));
        assert_eq!(poll_once(kv.get(&1)).unwrap().unwrap(), Some(2));
        // Of a state that stages nothing a write would be in the engine before the cut.
        let past = versioned.put(&1, 2);
        pin!(past);
        assert!(poll!(&mut past).is_pending());
        drop(slow);
        let cut = cutting.await.unwrap();
        past.await.unwrap();
        manager.finish().await.unwrap();
        cut.persist().await.unwrap();
        manager.recover(CheckpointId(1)).await.unwrap();
        assert_eq!(manager.key_value::<u64, u64>("kv").await.unwrap().get(&1).await.unwrap(), Some(1));
        assert_eq!(manager.key_list::<u64, u64>("list").await.unwrap().get(&1).await.unwrap(), [1]);
        assert_eq!(manager.key_value::<u64, u64>("versioned").await.unwrap().get(&1).await.unwrap(), None);
        manager.close().await.unwrap();
    }

    async fn own_2_a_cut_that_is_given_up_holds_nobody_up(place: Place) {
        let manager = place.open(place.sized(2 << 10, 0).checkpoint_form(CheckpointForm::Portable)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        {
            let _slow = place.faults.delay().await;
            let metadata = Metadata::new();
            let cutting = manager.cut(CheckpointId(1), &metadata);
            pin!(cutting);
            assert!(poll!(&mut cutting).is_pending());
        }
        // Many times what the buffer holds.
        for n in 0..1_000 {
            kv.put(&n, n).await.unwrap();
        }
        manager.finish().await.unwrap();
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        manager.close().await.unwrap();
    }

    async fn life_5_a_recover_that_reached_one_store_only_can_be_repeated_and_takes_no_checkpoints_before(place: Place) {
        let manager = place.open(two_stores(&place, 2 << 10)).await;
        let a = manager.key_value::<u64, u64>("a").await.unwrap();
        let b = manager.key_value::<u64, u64>("b").await.unwrap();
        b.put(&1, 1).await.unwrap();
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        let objects = place.folder.path().join("archive/orders/objects");
        let objects: Vec<_> = std::fs::read_dir(&objects).unwrap().map(|o| o.unwrap().path()).collect();
        let whole: Vec<Vec<u8>> = objects.iter().map(|o| std::fs::read(o).unwrap()).collect();
        objects.iter().for_each(|o| std::fs::write(o, b"damaged").unwrap());
        a.put(&1, 2).await.unwrap();
        b.put(&1, 2).await.unwrap();
        assert_eq!(refused(manager.recover(CheckpointId(1)).await).0, ErrorKind::Corrupt);
        // Store one holds the checkpoint, in which `a` was empty; store two what it held.
        assert_eq!(refused(a.get(&1).await).0, ErrorKind::Fenced);
        assert_eq!(manager.key_value::<u64, u64>("a").await.unwrap().get(&1).await.unwrap(), None);
        assert_eq!(b.get(&1).await.unwrap(), Some(2));
        assert_eq!(refused(manager.archive(CheckpointId(2), &Metadata::new()).await).0, ErrorKind::Fenced);
        objects.iter().zip(whole).for_each(|(o, bytes)| std::fs::write(o, bytes).unwrap());
        manager.recover(CheckpointId(1)).await.unwrap();
        assert_eq!(manager.key_value::<u64, u64>("b").await.unwrap().get(&1).await.unwrap(), Some(1));
        manager.archive(CheckpointId(2), &Metadata::new()).await.unwrap();
        manager.close().await.unwrap();
    }

    async fn life_2_what_is_written_while_a_cut_is_persisted_is_not_in_it(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            let list = manager.key_list::<u64, u64>("list").await.unwrap();
            kv.put(&1, 1).await.unwrap();
            list.put(&1, [1]).await.unwrap();
            let id = CheckpointId(buffer as u64);
            let cut = manager.cut(id, &Metadata::new().with("offset", 17)).await.unwrap();
            kv.put(&1, 2).await.unwrap();
            kv.put(&2, 2).await.unwrap();
            list.append(&1, 2).await.unwrap();
            manager.finish().await.unwrap();
            let info = cut.persist().await.unwrap();
            assert_eq!(info.summary.metadata.get("offset").and_then(|v| v.as_u64()), Some(17));
            assert_eq!(kv.get(&1).await.unwrap(), Some(2));
            manager.recover(id).await.unwrap();
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            assert_eq!(kv.get_many(&[1, 2]).await.unwrap(), [Some(1), None]);
            assert_eq!(manager.key_list::<u64, u64>("list").await.unwrap().get(&1).await.unwrap(), [1]);
            manager.close().await.unwrap();
        }
    }
}
