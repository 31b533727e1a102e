//! Contract LIFE-8: prune deletes only what no kept checkpoint names, whatever happens beside it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::TryStreamExt;
use object_store::ObjectStore;
use statehold::archive::{CheckpointId, Cut, Retention, Select};
use statehold_core::{ErrorKind, Result};

use crate::{
    shelf::{Shelf, counts},
    support::{archive_on, checkpoint, groups, id, ids, objects, recover},
    unruly::{Fate, Unruly},
};

const LAST: Retention = Retention { keep_last: 1, keep_for: None };

async fn stored(store: &Arc<dyn ObjectStore>) -> BTreeSet<String> {
    let all: Vec<_> = store.list(None).try_collect().await.unwrap();
    let paths = all.into_iter().map(|meta| meta.location.to_string());
    paths.filter(|p| p.contains("/objects/")).collect()
}

#[tokio::test]
async fn life_8_what_is_given_up_goes_and_what_is_kept_is_whole() {
    let store = objects();
    let archive = archive_on(&store).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    let shelves: Vec<Shelf> = (1..=4).map(counts).collect();
    for (shelf, n) in shelves.iter().zip(1..) {
        checkpoint(&archive, &claim, n, shelf).await.unwrap();
    }
    let before = stored(&store).await;
    let mut kept = BTreeSet::new();
    for n in [3, 4] {
        let contents = archive.show(id(n)).await.unwrap().contents;
        kept.extend(contents.into_iter().flat_map(|s| s.objects).map(|o| format!("orders/objects/{}", o.name)));
    }
    let retention = Retention { keep_last: 2, keep_for: None };
    let would = archive.would_prune(&retention, Some(&claim)).await.unwrap();
    assert_eq!((stored(&store).await, ids(&archive).await), (before.clone(), vec![1, 2, 3, 4]));
    let pruned = archive.prune(&retention, Some(&claim)).await.unwrap();
    assert_eq!(would, pruned);
    assert_eq!(pruned.checkpoints, [CheckpointId(1), CheckpointId(2)]);
    assert_eq!(stored(&store).await, kept);
    assert!(pruned.objects > 0 && pruned.objects as usize == before.len() - kept.len());
    assert_eq!(ids(&archive).await, [3, 4]);
    assert_eq!(archive.show(id(1)).await.unwrap_err().kind(), ErrorKind::NotFound);
    for n in [3, 4] {
        let back = Shelf::new(groups());
        recover(&archive, id(n), &back).await.unwrap();
        assert_eq!(back.content(), shelves[n as usize - 1].content());
    }
    assert_eq!(archive.prune(&retention, Some(&claim)).await.unwrap(), Default::default());
}

#[tokio::test]
async fn life_8_an_object_that_a_kept_checkpoint_shares_stays() {
    let store = objects();
    let archive = archive_on(&store).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    let shelf = counts(50);
    checkpoint(&archive, &claim, 1, &shelf).await.unwrap();
    let shared = checkpoint(&archive, &claim, 2, &shelf).await.unwrap();
    assert_eq!(shared.summary.new_bytes, 0);
    assert_eq!(archive.prune(&LAST, Some(&claim)).await.unwrap().objects, 0);
    archive.verify(Select::Latest).await.unwrap();
}

#[tokio::test]
async fn life_8_leftovers_of_failed_attempts_go_with_their_owners_prune_or_when_he_is_superseded() {
    let store = objects();
    let failing = Arc::new(AtomicBool::new(false));
    let plan = failing.clone();
    let unruly: Arc<dyn ObjectStore> = Unruly::new(store.clone(), move |path| {
        let log = path.as_ref().contains("/log/");
        if log && plan.load(Ordering::Relaxed) { Fate::Lost } else { Fate::Done }
    });
    let archive = archive_on(&unruly).await.unwrap();
    for by_owner in [true, false] {
        let claim = archive.claim(groups(), "test", None).await.unwrap();
        failing.store(true, Ordering::Relaxed);
        checkpoint(&archive, &claim, 1, &counts(30)).await.unwrap_err();
        failing.store(false, Ordering::Relaxed);
        assert_eq!(stored(&store).await.len(), 1);
        // Anybody else may be looking at an attempt that is under way.
        let other = archive_on(&store).await.unwrap();
        assert_eq!(other.prune(&LAST, None).await.unwrap().objects, 0);
        let pruned = if by_owner {
            archive.prune(&LAST, Some(&claim)).await.unwrap()
        } else {
            other.claim(groups(), "successor", None).await.unwrap();
            assert_eq!(archive.prune(&LAST, Some(&claim)).await.unwrap_err().kind(), ErrorKind::Fenced);
            other.prune(&LAST, None).await.unwrap()
        };
        assert_eq!((pruned.objects, stored(&store).await.len()), (1, 0));
    }
}

#[tokio::test]
async fn life_8_parts_that_are_aborted_or_never_completed_keep_nothing_once_they_cannot_be() {
    let store = objects();
    let archive = archive_on(&store).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    let shelf = counts(10);
    let prepare = |n| async move { Cut::take(&[("local", counts(n).store())]).await };
    archive.prepare(&claim, CheckpointId(1), prepare(3).await.unwrap()).await.unwrap();
    archive.prepare(&claim, CheckpointId(2), prepare(4).await.unwrap()).await.unwrap();
    assert_eq!(archive.prune(&LAST, None).await.unwrap().objects, 0, "both may still be completed");
    archive.abort(CheckpointId(1)).await.unwrap();
    assert_eq!(archive.prune(&LAST, None).await.unwrap().objects, 1);
    checkpoint(&archive, &claim, 2, &shelf).await.unwrap();
    assert_eq!(archive.prune(&LAST, None).await.unwrap().objects, 1);
    archive.verify(Select::Latest).await.unwrap();
}

#[tokio::test]
async fn life_8_files_of_others_and_objects_of_unknown_claims_stay() {
    let store = objects();
    let archive = archive_on(&store).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    checkpoint(&archive, &claim, 1, &counts(5)).await.unwrap();
    let foreign = format!("orders/objects/{}-77.0", blake3::hash(b"x").to_hex());
    for name in ["orders/objects/README", foreign.as_str(), "payments/objects/x"] {
        store.put_opts(&name.into(), "x".into(), Default::default()).await.unwrap();
    }
    checkpoint(&archive, &claim, 2, &counts(6)).await.unwrap();
    assert_eq!(archive.prune(&LAST, Some(&claim)).await.unwrap().objects, 1);
    assert_eq!(stored(&store).await.len(), 4);
}

/// Archives and prunes at once, many times over, on a store that gives each a turn at every call.
#[tokio::test]
async fn life_8_prunes_beside_archives_leave_every_listed_checkpoint_whole() {
    let inner = objects();
    let store: Arc<dyn ObjectStore> = Unruly::slow(inner.clone());
    let archive = archive_on(&store).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    let other = archive_on(&store).await.unwrap();
    for n in 1..40_u64 {
        // Half of the time content comes back that was pruned, or is about to be.
        let shelf = counts(n % 3 + 1);
        let write = async { checkpoint(&archive, &claim, n, &shelf).await.map(drop) };
        let prune = async {
            for _ in 0..n % 7 {
                tokio::task::yield_now().await;
            }
            let by = if n % 2 == 0 { Some(&claim) } else { None };
            other.prune(&LAST, by).await.map(drop)
        };
        let both: (Result<()>, Result<()>) = futures::join!(write, prune);
        both.0.unwrap();
        both.1.unwrap();
        for kept in ids(&archive).await {
            archive.verify(id(kept)).await.unwrap();
        }
    }
    other.prune(&LAST, Some(&claim)).await.unwrap();
    assert_eq!(stored(&inner).await.len(), 1);
}
