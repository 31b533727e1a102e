//! Which checkpoint is recovered, and how much of it.

use statehold::archive::{Select, Status};
use statehold_core::{ErrorKind, KeyGroups};

use crate::{
    shelf::{Shelf, counts, everything},
    support::{checkpoint, fresh, groups, id, ids, recover},
};

#[tokio::test]
async fn life_5_recover_makes_the_store_what_it_was_and_repeating_it_changes_nothing() {
    let (archive, claim) = fresh().await;
    for rows in [2, 4] {
        checkpoint(&archive, &claim, rows, &counts(rows)).await.unwrap();
    }
    let shelf = everything();
    for _ in 0..2 {
        recover(&archive, id(2), &shelf).await.unwrap();
        assert_eq!(shelf.content(), counts(2).content());
    }
    recover(&archive, Select::Latest, &shelf).await.unwrap();
    assert_eq!(shelf.content(), counts(4).content());
}

#[tokio::test]
async fn a_rolled_back_timeline_is_never_latest_and_gives_its_ids_back() {
    let (archive, claim) = fresh().await;
    for rows in 5..=7 {
        checkpoint(&archive, &claim, rows, &counts(rows)).await.unwrap();
    }
    let base = archive.resolve(id(5)).await.unwrap();
    let back = archive.claim(groups(), "test", Some(base.id)).await.unwrap();
    assert_eq!(archive.resolve(Select::Latest).await.unwrap(), base);
    let superseded = archive.resolve(id(7)).await.unwrap();
    assert_eq!(superseded.status, Status::Superseded);
    checkpoint(&archive, &back, 6, &counts(60)).await.unwrap();
    let shelf = counts(0);
    assert_eq!(recover(&archive, id(6), &shelf).await.unwrap().summary.rows, Some(60));
    assert_eq!(recover(&archive, id(7), &shelf).await.unwrap().summary.rows, Some(7));
    assert_eq!(ids(&archive).await, [5, 6, 7, 6]);
    assert_eq!(checkpoint(&archive, &back, 5, &counts(1)).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_unknown_id_names_the_nearest() {
    let (archive, claim) = fresh().await;
    checkpoint(&archive, &claim, 5, &counts(1)).await.unwrap();
    let error = recover(&archive, id(6), &counts(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.advice()), (ErrorKind::NotFound, Some("the nearest are 5")));
    let error = archive.claim(groups(), "test", Some(statehold::archive::CheckpointId(6))).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::NotFound, Some("claim")));
}

#[tokio::test]
async fn some_groups_are_recovered_without_the_others() {
    let (archive, claim) = fresh().await;
    checkpoint(&archive, &claim, 1, &counts(100)).await.unwrap();
    let range = KeyGroups::new(2..5, 8).unwrap();
    let shelf = Shelf::new(range);
    archive.recover_into(Select::Latest, "local", shelf.store(), range).await.unwrap();
    let mut expected = counts(100).content();
    expected.rows.retain(|(group, ..), _| (2..5).contains(group));
    assert!(expected.rows.len() > 3);
    assert_eq!(shelf.content(), expected);
}

#[tokio::test]
async fn groups_that_the_checkpoint_has_not_are_refused() {
    let (archive, _) = fresh().await;
    let half = KeyGroups::new(0..4, 8).unwrap();
    let claim = archive.claim(half, "half", None).await.unwrap();
    checkpoint(&archive, &claim, 1, &Shelf::new(half)).await.unwrap();
    for wanted in [KeyGroups::all(8).unwrap(), KeyGroups::new(0..4, 4).unwrap()] {
        let error = archive.recover_into(Select::Latest, "local", counts(0).store(), wanted).await.unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::InvalidInput, Some("key_groups")));
    }
}
