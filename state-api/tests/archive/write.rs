//! What a checkpoint is, when nothing goes wrong and when the caller is.

use statehold::archive::{Archive, CheckpointId, Cut, Metadata, Select, Status};
use statehold_core::{ErrorKind, KeyGroups, Model};

use crate::{
    shelf::{Shelf, counts, everything},
    support::{checkpoint, fresh, groups, id, ids, recover, resources},
};

#[tokio::test]
async fn life_7_everything_comes_back_byte_for_byte() {
    let (archive, claim) = fresh().await;
    let written = checkpoint(&archive, &claim, 7, &everything()).await.unwrap();
    let shelf = counts(3);
    let recovered = recover(&archive, Select::Latest, &shelf).await.unwrap();
    assert_eq!(shelf.content(), everything().content());
    assert_eq!(recovered, written);
    assert_eq!(archive.show(id(7)).await.unwrap(), written);
    assert_eq!(archive.verify(id(7)).await.unwrap().rows, Some(11));
}

#[tokio::test]
async fn what_is_told_of_a_checkpoint_is_what_is_in_it() {
    let (archive, claim) = fresh().await;
    let info = checkpoint(&archive, &claim, 7, &everything()).await.unwrap();
    assert_eq!((info.summary.id, info.summary.status), (CheckpointId(7), Status::Current));
    assert_eq!((info.summary.claim, info.summary.created_at), (claim.epoch(), 1_000));
    let [store] = &info.contents[..] else { panic!("{info:?}") };
    let rows: Vec<_> = store.states.iter().map(|s| (s.spec.name.as_str(), s.rows)).collect();
    assert_eq!(rows, [("counts", Some(4)), ("queues", Some(4)), ("carts", Some(3)), ("nothing", Some(0))]);
    assert_eq!(store.objects.iter().map(|o| o.bytes).sum::<u64>(), info.summary.new_bytes);
    assert_eq!(info.summary.metadata.get("offset").and_then(|v| v.as_u64()), Some(7));
    let json = serde_json::to_value(&info).unwrap();
    assert_eq!(
        (&json["id"], &json["status"], &json["contents"][0]["name"]),
        (&7.into(), &"current".into(), &"local".into())
    );
}

#[tokio::test]
async fn life_2_writes_after_the_cut_are_not_in_it() {
    let (archive, claim) = fresh().await;
    let shelf = counts(3);
    let cut = Cut::take(&[("local", shelf.store())]).await.unwrap();
    shelf.put("counts", b"later", b"", b"x");
    archive.write(&claim, CheckpointId(1), &Metadata::new(), cut).await.unwrap();
    recover(&archive, Select::Latest, &shelf).await.unwrap();
    assert_eq!(shelf.content(), counts(3).content());
}

#[tokio::test]
async fn a_checkpoint_of_several_stores_is_one() {
    let (archive, claim) = fresh().await;
    let (a, b) = (counts(3), everything());
    let cut = Cut::take(&[("a", a.store()), ("b", b.store())]).await.unwrap();
    let info = archive.write(&claim, CheckpointId(1), &Metadata::new(), cut).await.unwrap();
    assert_eq!(info.summary.stores, ["a", "b"]);
    let shelf = counts(0);
    archive.recover_into(Select::Latest, "b", shelf.store(), groups()).await.unwrap();
    assert_eq!(shelf.content(), everything().content());
    let error = archive.recover_into(Select::Latest, "c", shelf.store(), groups()).await.unwrap_err();
    assert_eq!((error.kind(), error.advice()), (ErrorKind::NotFound, Some("it has: a, b")));
}

#[tokio::test]
async fn a_store_without_rows_is_a_checkpoint_without_objects() {
    let (archive, claim) = fresh().await;
    let info = checkpoint(&archive, &claim, 1, &counts(0)).await.unwrap();
    assert_eq!((info.contents[0].objects.len(), info.summary.new_bytes), (0, 0));
    let shelf = counts(5);
    recover(&archive, Select::Latest, &shelf).await.unwrap();
    assert_eq!(shelf.content(), counts(0).content());
}

#[tokio::test]
async fn an_id_is_taken_once() {
    let (archive, claim) = fresh().await;
    checkpoint(&archive, &claim, 1, &counts(1)).await.unwrap();
    let error = checkpoint(&archive, &claim, 1, &counts(2)).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Conflict, Some("archive")));
    assert_eq!(ids(&archive).await, [1]);
}

#[tokio::test]
async fn name_2_metadata_over_its_limit_is_refused_before_anything_is_stored() {
    let (archive, claim) = fresh().await;
    let metadata = Metadata::new().with("large", "x".repeat(Metadata::MAX_BYTES));
    let shelf = counts(1);
    let cut = Cut::take(&[("local", shelf.store())]).await.unwrap();
    let error = archive.write(&claim, CheckpointId(1), &metadata, cut).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert_eq!(ids(&archive).await, [0_u64; 0]);
}

#[tokio::test]
async fn a_store_with_groups_that_are_not_claimed_is_refused() {
    let (archive, _) = fresh().await;
    let half = archive.claim(KeyGroups::new(0..4, 8).unwrap(), "half", None).await.unwrap();
    let error = checkpoint(&archive, &half, 1, &counts(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.store()), (ErrorKind::InvalidInput, Some("local")));
    let error = archive.claim(KeyGroups::all(16).unwrap(), "other", None).await.unwrap_err();
    assert_eq!((error.kind(), error.subject()), (ErrorKind::InvalidInput, Some("key_groups")));
}

#[tokio::test]
async fn a_cut_needs_stores_with_names_of_their_own() {
    let shelf = counts(1);
    let shelf = shelf.store();
    for stores in [&[][..], &[("a", shelf), ("a", shelf)], &[("../a", shelf)]] {
        assert_eq!(Cut::take(stores).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn a_memory_archive_is_shared_by_all_who_name_it() {
    let name = "orders".parse().unwrap();
    let open = || async { Archive::open("memory://write-shared", &name, &resources()).await.unwrap() };
    let claim = open().await.claim(groups(), "test", None).await.unwrap();
    checkpoint(&open().await, &claim, 1, &counts(3)).await.unwrap();
    assert_eq!(ids(&open().await).await, [1]);
    let other = Archive::open("memory://write-shared", &"payments".parse().unwrap(), &resources()).await.unwrap();
    assert_eq!(ids(&other).await, [0_u64; 0], "another namespace");
}

#[tokio::test]
async fn a_file_archive_is_made_by_the_first_claim_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/not yet/there", folder.path().display());
    let name = "orders".parse().unwrap();
    let archive = Archive::open(&url, &name, &resources()).await.unwrap();
    assert_eq!(archive.resolve(Select::Latest).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    checkpoint(&archive, &claim, 1, &everything()).await.unwrap();
    let again = Archive::open(&url, &name, &resources()).await.unwrap();
    let shelf = Shelf::new(groups()).with_state("old", Model::Kv);
    recover(&again, Select::Latest, &shelf).await.unwrap();
    assert_eq!(shelf.content(), everything().content());
}

#[tokio::test]
async fn a_file_archive_on_something_else_than_a_folder_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let url = format!("file://{}", file.path().display());
    let error = Archive::open(&url, &"orders".parse().unwrap(), &resources()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains("folder"), "{error}");
}
