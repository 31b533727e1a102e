//! Contract LIFE-2, OWN-1: checkpoints of several owners.

use std::sync::Arc;

use object_store::ObjectStore;
use statehold::archive::{Archive, CheckpointId, Claim, Cut, Metadata, Retention, Select};
use statehold_core::{ErrorKind, KeyGroups, Model, Result};

use crate::{
    shelf::{Shelf, counts},
    support::{archive_on, groups, id, ids, objects, recover},
    unruly::Unruly,
};

const ONE: CheckpointId = CheckpointId(1);

fn half(upper: bool) -> KeyGroups {
    KeyGroups::new(if upper { 4..8 } else { 0..4 }, 8).unwrap()
}

/// The rows of a whole store that are in one half.
fn halved(whole: &Shelf, upper: bool) -> Shelf {
    let shelf = Shelf::new(half(upper)).with_state("counts", Model::Kv);
    let rows = whole.content().rows.into_iter().filter(|((group, ..), _)| (*group >= 4) == upper);
    shelf.change(|c| c.rows = rows.collect());
    shelf
}

struct Owner {
    archive: Archive,
    claim: Claim,
}

impl Owner {
    async fn new(store: &Arc<dyn ObjectStore>, upper: bool) -> Self {
        let archive = archive_on(store).await.unwrap();
        let latest = archive.resolve(Select::Latest).await.ok().map(|c| c.id);
        let claim = archive.claim(half(upper), if upper { "upper" } else { "lower" }, latest).await.unwrap();
        Self { archive, claim }
    }

    async fn prepare(&self, id: CheckpointId, shelf: &Shelf) -> Result<usize> {
        let cut = Cut::take(&[("local", shelf.store())]).await?;
        Ok(self.archive.prepare(&self.claim, id, cut).await?.len())
    }
}

#[tokio::test]
async fn life_2_two_owners_prepare_at_once_and_the_coordinator_completes() {
    let store: Arc<dyn ObjectStore> = Unruly::slow(objects());
    let whole = counts(100);
    let (lower, upper) = (Owner::new(&store, false).await, Owner::new(&store, true).await);
    let (low, high) = (halved(&whole, false), halved(&whole, true));
    let prepared = futures::join!(lower.prepare(ONE, &low), upper.prepare(ONE, &high));
    assert_eq!((prepared.0.unwrap(), prepared.1.unwrap()), (1, 1));
    // Nobody sees it yet.
    let coordinator = archive_on(&store).await.unwrap();
    assert_eq!(ids(&coordinator).await, [0_u64; 0]);
    assert_eq!(coordinator.prepared(ONE).await.unwrap().len(), 2);
    let info = coordinator.complete(ONE, &Metadata::new().with("offset", 7)).await.unwrap();
    assert_eq!((info.summary.parts, info.summary.rows), (2, Some(100)));
    assert_eq!(coordinator.verify(Select::Latest).await.unwrap().rows, Some(100));
    assert!(coordinator.prepared(ONE).await.unwrap().is_empty());
    for (upper, rows) in [(false, low.content().rows), (true, high.content().rows)] {
        let back = Shelf::new(half(upper));
        coordinator.recover_into(id(1), "local", back.store(), half(upper)).await.unwrap();
        assert_eq!(back.content().rows, rows);
    }
}

#[tokio::test]
async fn life_2_a_checkpoint_that_lacks_an_owners_part_is_refused_naming_the_groups() {
    let store = objects();
    let lower = Owner::new(&store, false).await;
    let error = lower.archive.complete(ONE, &Metadata::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    lower.prepare(ONE, &halved(&counts(9), false)).await.unwrap();
    let error = lower.archive.complete(ONE, &Metadata::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("4..8"), "{error}");
    assert_eq!(ids(&lower.archive).await, [0_u64; 0]);
}

#[tokio::test]
async fn life_2_a_late_answer_to_a_call_that_was_given_up_is_in_no_checkpoint() {
    let store = objects();
    let (lower, upper) = (Owner::new(&store, false).await, Owner::new(&store, true).await);
    let whole = counts(20);
    lower.prepare(ONE, &halved(&counts(3), false)).await.unwrap();
    assert_eq!(lower.archive.abort(ONE).await.unwrap(), 1);
    for late in [
        upper.prepare(ONE, &halved(&whole, true)).await.map(drop),
        lower.archive.abort(ONE).await.map(drop),
        lower.archive.complete(ONE, &Metadata::new()).await.map(drop),
    ] {
        let error = late.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.advice().unwrap().contains("another id"), "{error}");
    }
    let two = CheckpointId(2);
    lower.prepare(two, &halved(&whole, false)).await.unwrap();
    upper.prepare(two, &halved(&whole, true)).await.unwrap();
    assert_eq!(upper.archive.complete(two, &Metadata::new()).await.unwrap().summary.rows, Some(20));
    for late in [lower.archive.abort(two).await.map(drop), lower.prepare(two, &halved(&whole, false)).await.map(drop)] {
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn life_2_the_latest_never_goes_back_to_an_earlier_cut() {
    let (archive, claim) = crate::support::fresh().await;
    let early = Cut::take(&[("local", counts(1).store())]).await.unwrap();
    let prepared = Cut::take(&[("local", counts(2).store())]).await.unwrap();
    let late = Cut::take(&[("local", counts(3).store())]).await.unwrap();
    let none = Metadata::new();
    let write = |id, cut| archive.write(&claim, CheckpointId(id), &none, cut);
    archive.prepare(&claim, CheckpointId(2), prepared).await.unwrap();
    write(3, late).await.unwrap();
    assert_eq!(write(1, early).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(archive.complete(CheckpointId(2), &Metadata::new()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(ids(&archive).await, [3]);
}

#[tokio::test]
async fn own_1_what_a_superseded_owner_prepared_is_never_completed() {
    let store = objects();
    let whole = counts(20);
    let (lower, upper) = (Owner::new(&store, false).await, Owner::new(&store, true).await);
    lower.prepare(ONE, &halved(&whole, false)).await.unwrap();
    upper.prepare(ONE, &halved(&whole, true)).await.unwrap();
    let successor = Owner::new(&store, true).await;
    assert_eq!(lower.archive.complete(ONE, &Metadata::new()).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(upper.prepare(ONE, &halved(&whole, true)).await.unwrap_err().kind(), ErrorKind::Fenced);
    successor.prepare(ONE, &halved(&whole, true)).await.unwrap();
    lower.archive.complete(ONE, &Metadata::new()).await.unwrap();
}

#[tokio::test]
async fn own_1_after_somebody_went_back_all_owners_begin_anew() {
    let store = objects();
    let whole = counts(20);
    let (lower, upper) = (Owner::new(&store, false).await, Owner::new(&store, true).await);
    for checkpoint in [ONE, CheckpointId(2)] {
        lower.prepare(checkpoint, &halved(&whole, false)).await.unwrap();
        upper.prepare(checkpoint, &halved(&whole, true)).await.unwrap();
        lower.archive.complete(checkpoint, &Metadata::new()).await.unwrap();
    }
    // A mixed checkpoint of one half at 1 and the other beyond 2 must not come about.
    let back = lower.archive.claim(half(false), "lower", Some(ONE)).await.unwrap();
    assert_eq!(upper.prepare(CheckpointId(3), &halved(&whole, true)).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(lower.archive.resolve(Select::Latest).await.unwrap().id, ONE);
    let (lower, upper) = (Owner { claim: back, ..lower }, Owner::new(&store, true).await);
    lower.prepare(CheckpointId(3), &halved(&whole, false)).await.unwrap();
    upper.prepare(CheckpointId(3), &halved(&whole, true)).await.unwrap();
    assert_eq!(upper.archive.complete(CheckpointId(3), &Metadata::new()).await.unwrap().summary.parts, 2);
}

#[tokio::test]
async fn life_2_a_complete_whose_answer_is_lost_is_complete_all_the_same() {
    let inner = objects();
    let store: Arc<dyn ObjectStore> = Unruly::new(inner.clone(), |_| crate::unruly::Fate::Unreported);
    let archive = archive_on(&store).await.unwrap();
    let claim = archive.claim(groups(), "all", None).await.unwrap();
    let shelf = counts(10);
    let cut = Cut::take(&[("local", shelf.store())]).await.unwrap();
    archive.prepare(&claim, ONE, cut).await.unwrap();
    archive.complete(ONE, &Metadata::new()).await.unwrap();
    let back = Shelf::new(groups());
    recover(&archive_on(&inner).await.unwrap(), Select::Latest, &back).await.unwrap();
    assert_eq!(back.content(), shelf.content());
}

#[tokio::test]
async fn life_8_what_an_owner_goes_on_from_stays_until_he_has_written() {
    let store = objects();
    let whole = counts(100);
    let (low, high) = (halved(&whole, false), halved(&whole, true));
    let archive = archive_on(&store).await.unwrap();
    let all = archive.claim(groups(), "both", None).await.unwrap();
    let cut = async |shelf: &Shelf| Cut::take(&[("local", shelf.store())]).await.unwrap();
    archive.write(&all, ONE, &Metadata::new(), cut(&whole).await).await.unwrap();
    let (lower, upper) = (Owner::new(&store, false).await, Owner::new(&store, true).await);
    for n in 2..5 {
        upper.archive.write(&upper.claim, CheckpointId(n), &Metadata::new(), cut(&high).await).await.unwrap();
        // The lower one may still be recovering the first.
        archive.prune(&Retention { keep_last: 1, keep_for: None }, None).await.unwrap();
        assert_eq!(ids(&archive).await, [1, n]);
        archive.verify(id(1)).await.unwrap();
    }
    lower.archive.write(&lower.claim, CheckpointId(5), &Metadata::new(), cut(&low).await).await.unwrap();
    archive.prune(&Retention { keep_last: 1, keep_for: None }, None).await.unwrap();
    assert_eq!(ids(&archive).await, [5]);
}
