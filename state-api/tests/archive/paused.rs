//! Contract LIFE-8: prunes while an archive stands still, at every point where it can.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::poll;
use object_store::{ObjectStore, ObjectStoreExt as _};
use statehold::archive::{CheckpointId, Cut, Metadata, Retention, Select};
use tokio::pin;

use crate::{
    shelf::{Shelf, counts},
    support::{archive_on, checkpoint, groups, id, ids, objects, recover},
    unruly::{Fate, Unruly},
};

const LAST: Retention = Retention { keep_last: 1, keep_for: None };

#[tokio::test]
async fn life_8_an_archive_whose_parent_is_given_up_meanwhile_is_whole_all_the_same() {
    let (mut pause, mut done) = (0, false);
    while !done {
        let slow: Arc<dyn ObjectStore> = Unruly::slow(objects());
        let archive = archive_on(&slow).await.unwrap();
        let claim = archive.claim(groups(), "test", None).await.unwrap();
        let (shelf, between) = (counts(50), counts(3));
        checkpoint(&archive, &claim, 1, &shelf).await.unwrap();
        let earlier = Cut::take(&[("local", between.store())]).await.unwrap();
        {
            // Shares all that the first has.
            let write = checkpoint(&archive, &claim, 3, &shelf);
            pin!(write);
            for _ in 0..pause {
                done = done || poll!(&mut write).is_ready();
                if done {
                    break;
                }
                tokio::task::yield_now().await;
            }
            if !done {
                let other = archive_on(&slow).await.unwrap();
                // Where the third is in the log already it is the latest, and an earlier cut is refused.
                let _ = other.write(&claim, CheckpointId(2), &Metadata::new(), earlier).await;
                other.prune(&LAST, None).await.unwrap();
                write.await.unwrap();
            }
        }
        for kept in ids(&archive).await {
            archive.verify(id(kept)).await.unwrap();
        }
        let back = Shelf::new(groups());
        recover(&archive, Select::Latest, &back).await.unwrap();
        assert_eq!(back.content(), shelf.content(), "paused after {pause} turns");
        pause += 1;
    }
    assert!(pause > 10, "it was done after {pause} turns");
}

#[tokio::test]
async fn life_8_a_record_that_arrives_after_its_attempt_was_swept_makes_no_checkpoint() {
    let store = objects();
    let late = Arc::new(AtomicBool::new(false));
    let plan = late.clone();
    let unruly = Unruly::new(store.clone(), move |path| {
        let is_late = path.as_ref().contains("/log/") && plan.swap(false, Ordering::Relaxed);
        if is_late { Fate::Late } else { Fate::Done }
    });
    let on: Arc<dyn ObjectStore> = unruly.clone();
    let archive = archive_on(&on).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    checkpoint(&archive, &claim, 1, &counts(2)).await.unwrap();
    late.store(true, Ordering::Relaxed);
    {
        let shelf = counts(30);
        let write = checkpoint(&archive, &claim, 2, &shelf);
        pin!(write);
        while late.load(Ordering::Relaxed) {
            assert!(poll!(&mut write).is_pending());
            tokio::task::yield_now().await;
        }
        // Whoever waited for it goes away; the object store has the record, and takes its time.
    }
    let pruned = archive_on(&store).await.unwrap().prune(&LAST, Some(&claim)).await.unwrap();
    assert_eq!(pruned.objects, 1);
    unruly.let_late_happen().await;
    let archive = archive_on(&store).await.unwrap();
    assert_eq!(ids(&archive).await, [1]);
    archive.verify(Select::Latest).await.unwrap();
    let claim = archive.claim(groups(), "successor", Some(CheckpointId(1))).await.unwrap();
    checkpoint(&archive, &claim, 2, &counts(30)).await.unwrap();
}

#[tokio::test]
async fn life_3_a_shared_object_that_is_gone_is_stored_again() {
    let store = objects();
    let archive = archive_on(&store).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    let shelf = counts(50);
    let first = checkpoint(&archive, &claim, 1, &shelf).await.unwrap();
    for object in first.contents.iter().flat_map(|s| &s.objects) {
        store.delete(&format!("orders/objects/{}", object.name).into()).await.unwrap();
    }
    let second = checkpoint(&archive, &claim, 2, &shelf).await.unwrap().summary;
    assert_eq!(second.new_bytes, second.size);
    archive.verify(Select::Latest).await.unwrap();
}
