//! Contract LIFE-3: what did not change is not uploaded again.

use statehold::archive::{Archive, CheckpointId, Retention, Select};
use statehold_core::{KeyGroup, Model};

use crate::{
    shelf::{Shelf, counts},
    support::{checkpoint, fresh, groups, id, recover},
};

/// Eight groups of some 200 kB each.
fn large() -> Shelf {
    let shelf = Shelf::new(groups()).with_state("counts", Model::Kv);
    for i in 0..800_u64 {
        let mut noise = [0; 2048];
        blake3::Hasher::new().update(&i.to_le_bytes()).finalize_xof().fill(&mut noise);
        shelf.put("counts", format!("key {i}").as_bytes(), b"", &noise);
    }
    shelf
}

async fn objects(archive: &Archive, at: u64) -> Vec<String> {
    let info = archive.show(id(at)).await.unwrap();
    info.contents.iter().flat_map(|s| &s.objects).map(|o| o.name.clone()).collect()
}

#[tokio::test]
async fn life_3_a_checkpoint_of_what_did_not_change_uploads_nothing() {
    let (archive, claim) = fresh().await;
    let shelf = large();
    let first = checkpoint(&archive, &claim, 1, &shelf).await.unwrap().summary;
    assert!(first.new_bytes == first.size && first.size > 1 << 20, "{first:?}");
    let second = checkpoint(&archive, &claim, 2, &shelf).await.unwrap().summary;
    assert_eq!((second.new_bytes, second.size), (0, first.size));
    assert_eq!(objects(&archive, 1).await, objects(&archive, 2).await);
    archive.verify(Select::Latest).await.unwrap();
}

#[tokio::test]
async fn life_3_a_change_in_one_key_group_uploads_that_group_only() {
    let (archive, claim) = fresh().await;
    let shelf = large();
    checkpoint(&archive, &claim, 1, &shelf).await.unwrap();
    shelf.put("counts", b"key 7", b"", b"changed");
    let second = checkpoint(&archive, &claim, 2, &shelf).await.unwrap();
    let (before, after) = (objects(&archive, 1).await, objects(&archive, 2).await);
    assert_eq!((before.len(), after.len()), (8, 8));
    let differ: Vec<usize> = (0..8).filter(|i| before[*i] != after[*i]).collect();
    assert_eq!(differ, [usize::from(KeyGroup::of(b"key 7", 8).0)]);
    assert!(second.summary.new_bytes * 6 < second.summary.size, "{:?}", second.summary);
    let other = Shelf::new(groups());
    recover(&archive, Select::Latest, &other).await.unwrap();
    assert_eq!(other.content(), shelf.content());
}

#[tokio::test]
async fn life_3_the_groups_of_a_tiny_state_share_one_object_and_part_when_they_grow() {
    let (archive, claim) = fresh().await;
    checkpoint(&archive, &claim, 1, &counts(100)).await.unwrap();
    assert_eq!(objects(&archive, 1).await.len(), 1);
    checkpoint(&archive, &claim, 2, &large()).await.unwrap();
    assert!(objects(&archive, 2).await.len() > 4);
}

#[tokio::test]
async fn life_4_another_archives_checkpoints_say_nothing_of_this_ones_objects() {
    let (archive, claim) = fresh().await;
    let shelf = large();
    checkpoint(&archive, &claim, 1, &shelf).await.unwrap();
    let (elsewhere, theirs) = fresh().await;
    let copy = checkpoint(&elsewhere, &theirs, 1, &shelf).await.unwrap().summary;
    assert_eq!(copy.new_bytes, copy.size);
    shelf.put("counts", b"key 7", b"", b"changed");
    checkpoint(&archive, &claim, 2, &shelf).await.unwrap();
    archive.prune(&Retention { keep_last: 1, keep_for: None }, Some(&claim)).await.unwrap();
    archive.verify(CheckpointId(2).into()).await.unwrap();
}
