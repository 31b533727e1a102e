//! Contract OWN-1: the log decides between owners, whatever order their calls come in.

use std::{collections::BTreeSet, sync::Arc};

use object_store::ObjectStore;
use statehold::archive::{CheckpointId, Cut, Metadata, Select};
use statehold_core::ErrorKind;

use crate::{
    shelf::counts,
    support::{archive_on, checkpoint, groups, ids, objects},
    unruly::{Fate, Unruly},
};

#[tokio::test]
async fn own_1_a_superseded_owner_is_fenced_and_changes_nothing() {
    let store = objects();
    let (old, new) = (archive_on(&store).await.unwrap(), archive_on(&store).await.unwrap());
    let first = old.claim(groups(), "host-1", None).await.unwrap();
    checkpoint(&old, &first, 1, &counts(1)).await.unwrap();
    let second = new.claim(groups(), "host-2", Some(CheckpointId(1))).await.unwrap();
    assert!(second.epoch() > first.epoch());
    let error = checkpoint(&old, &first, 2, &counts(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("host-2"), "{error}");
    assert_eq!(ids(&new).await, [1]);
    checkpoint(&new, &second, 2, &counts(2)).await.unwrap();
}

#[tokio::test]
async fn own_1_an_object_store_that_overwrites_records_is_refused() {
    let store = objects();
    let forcing: Arc<dyn ObjectStore> = Unruly::new(store.clone(), |_| Fate::Forced);
    let error = archive_on(&forcing).await.unwrap().claim(groups(), "host-1", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("00000000000000000001.json"), "{error}");
    assert!(error.advice().unwrap().contains("If-None-Match"), "{error}");
    // What it overwrote is what it was.
    let claim = archive_on(&store).await.unwrap().claim(groups(), "host-2", None).await.unwrap();
    assert_eq!(claim.epoch(), 2);
}

#[tokio::test]
async fn own_1_an_owner_superseded_while_it_uploads_is_fenced() {
    let store = objects();
    let new = archive_on(&store).await.unwrap();
    let slow: Arc<dyn ObjectStore> = Unruly::slow(store);
    let old = archive_on(&slow).await.unwrap();
    let first = old.claim(groups(), "host-1", None).await.unwrap();
    let shelf = counts(5);
    let write = checkpoint(&old, &first, 1, &shelf);
    let claim = async {
        // The writer has read the log and not yet appended: it needs many more turns than this.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        new.claim(groups(), "host-2", None).await.unwrap()
    };
    let (written, _) = futures::join!(write, claim);
    assert_eq!(written.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(ids(&new).await, [0_u64; 0]);
}

#[tokio::test]
async fn own_1_of_owners_that_claim_at_once_the_last_in_the_log_owns() {
    let slow: Arc<dyn ObjectStore> = Unruly::slow(objects());
    let archives = futures::future::join_all((0..8).map(|_| archive_on(&slow))).await;
    let claims = archives.iter().map(|a| a.as_ref().unwrap().claim(groups(), "one of many", None));
    let claims: Vec<_> = futures::future::join_all(claims).await.into_iter().map(Result::unwrap).collect();
    let epochs: BTreeSet<u64> = claims.iter().map(|c| c.epoch()).collect();
    assert_eq!(epochs, (1..=8).collect());
    for (claim, archive) in claims.iter().zip(&archives) {
        let written = checkpoint(archive.as_ref().unwrap(), claim, claim.epoch(), &counts(1)).await;
        assert_eq!(written.is_ok(), claim.epoch() == 8);
    }
}

#[tokio::test]
async fn two_checkpoints_of_one_owner_at_once_are_both_recorded_and_one_id_only_once() {
    let slow: Arc<dyn ObjectStore> = Unruly::slow(objects());
    let archive = archive_on(&slow).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    let shelf = counts(3);
    let write = |archive: statehold::archive::Archive, id| {
        let (claim, shelf) = (&claim, &shelf);
        async move {
            let cut = Cut::take(&[("local", shelf.store())]).await?;
            archive.write(claim, CheckpointId(id), &Metadata::new(), cut).await
        }
    };
    let other = archive_on(&slow).await.unwrap();
    let (a, b) = futures::join!(write(archive.clone(), 1), write(other.clone(), 2));
    assert!(a.is_ok() && b.is_ok());
    let (a, b) = futures::join!(write(archive.clone(), 3), write(other, 3));
    let failed: Vec<ErrorKind> = [a, b].into_iter().filter_map(|w| w.err().map(|e| e.kind())).collect();
    assert_eq!(failed, [ErrorKind::Conflict]);
    assert_eq!(archive.resolve(Select::Latest).await.unwrap().id, CheckpointId(3));
}

#[tokio::test]
async fn a_claim_of_another_archive_is_refused() {
    let (here, there) = (archive_on(&objects()).await.unwrap(), archive_on(&objects()).await.unwrap());
    let claim = there.claim(groups(), "test", None).await.unwrap();
    let error = checkpoint(&here, &claim, 1, &counts(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
