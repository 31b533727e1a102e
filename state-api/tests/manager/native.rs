//! Checkpoints made of RocksDB's own files (contract LIFE-3, LIFE-5, LIFE-6).

use std::path::Path;

use statehold::{
    Descriptor, ErrorKind, RecoverFrom, StateManager,
    archive::{CheckpointForm, CheckpointId, Metadata, Retention, Select},
};

use crate::support::{Place, refused};

const ONE: CheckpointId = CheckpointId(1);
const TWO: CheckpointId = CheckpointId(2);

fn descriptor(place: &Place) -> Descriptor {
    place.sized(64 << 10, 64 << 10).checkpoint_form(CheckpointForm::Native)
}

async fn fill(manager: &StateManager, from: u64, to: u64, version: u64) {
    let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
    // Noise, so that compression does not hide what is stored.
    let noise = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ version;
    kv.put_many((from..to).map(|n| (n, noise(n)))).await.unwrap();
    manager.key_list::<u64, u64>("list").await.unwrap().append(&1, version).await.unwrap();
}

async fn count(manager: &StateManager) -> u64 {
    manager.key_value::<u64, u64>("kv").await.unwrap().count().await.unwrap().value()
}

fn stored(place: &Place) -> usize {
    let objects = place.folder.path().join("archive/orders/objects");
    if Path::new(&objects).exists() { std::fs::read_dir(objects).unwrap().count() } else { 0 }
}

#[tokio::test]
async fn life_5_a_native_checkpoint_brings_everything_back() {
    let place = Place::new("rocksdb");
    let manager = place.open(descriptor(&place)).await;
    fill(&manager, 0, 2_000, 1).await;
    let info = manager.archive(ONE, &Metadata::new().with("offset", 17)).await.unwrap();
    assert_eq!((info.contents[0].form.as_str(), info.summary.rows), ("rocksdb", None));
    let old = manager.key_value::<u64, u64>("kv").await.unwrap();
    fill(&manager, 1_000, 3_000, 2).await;
    let back = manager.recover(Select::Latest).await.unwrap();
    assert_eq!(back.summary.metadata.get("offset").and_then(|v| v.as_u64()), Some(17));
    assert_eq!(refused(old.get(&1).await).0, ErrorKind::Fenced);
    assert_eq!(count(&manager).await, 2_000);
    assert_eq!(manager.key_list::<u64, u64>("list").await.unwrap().get(&1).await.unwrap(), [1]);
    // What is written now changes nothing in the archive, whose files the store may share.
    fill(&manager, 0, 4_000, 3).await;
    manager.compact().await.unwrap();
    manager.checkpoints().unwrap().verify(ONE.into()).await.unwrap();
    manager.close().await.unwrap();
    let manager = place.builder(descriptor(&place)).recover(RecoverFrom::Latest).open().await.unwrap();
    assert_eq!(count(&manager).await, 2_000);
    manager.close().await.unwrap();
}

#[tokio::test]
async fn life_3_a_native_checkpoint_stores_what_changed() {
    let place = Place::new("rocksdb");
    let manager = place.open(descriptor(&place)).await;
    fill(&manager, 0, 50_000, 1).await;
    // In few files, which nobody merges meanwhile.
    manager.compact().await.unwrap();
    let first = manager.archive(ONE, &Metadata::new()).await.unwrap().summary;
    assert!(first.new_bytes == first.size && first.size > 500_000, "{first:?}");
    manager.close().await.unwrap();
    // After a reopen files are told by their content.
    let manager = place.open(descriptor(&place)).await;
    fill(&manager, 0, 100, 2).await;
    let second = manager.archive(TWO, &Metadata::new()).await.unwrap().summary;
    assert!(second.new_bytes < 100_000 && second.size > first.size, "{second:?}");
    manager.close().await.unwrap();
}

#[tokio::test]
async fn name_2_native_files_of_a_store_with_wider_limits_are_refused_before_anything_changes() {
    let place = Place::new("rocksdb");
    let wide = |size: usize| {
        let mut descriptor = descriptor(&place);
        for store in descriptor.stores.values_mut() {
            store.limits.key = size;
        }
        descriptor
    };
    let manager = place.open(wide(2_048)).await;
    let words = manager.key_value::<String, u64>("kv").await.unwrap();
    words.put("short", 1).await.unwrap();
    manager.archive(ONE, &Metadata::new()).await.unwrap();
    manager.savepoint(TWO, &Metadata::new()).await.unwrap();
    words.put("later", 2).await.unwrap();
    manager.close().await.unwrap();

    let manager = place.open(wide(1_024)).await;
    let (kind, said) = refused(manager.recover(Select::Id(ONE)).await);
    assert_eq!(kind, ErrorKind::LimitExceeded, "{said}");
    assert!(said.contains("limits.key") && said.contains("2048") && said.contains("savepoint"), "{said}");
    let words = manager.key_value::<String, u64>("kv").await.unwrap();
    assert_eq!(words.get("later").await.unwrap(), Some(2), "nothing has changed");
    // Of a savepoint every row is looked at, and these are short.
    manager.recover(Select::Id(TWO)).await.unwrap();
    let words = manager.key_value::<String, u64>("kv").await.unwrap();
    assert_eq!((words.get("short").await.unwrap(), words.get("later").await.unwrap()), (Some(1), None));
    manager.close().await.unwrap();

    let manager = place.open(wide(4_096)).await;
    manager.recover(Select::Id(ONE)).await.unwrap();
    manager.close().await.unwrap();
}

#[tokio::test]
async fn life_7_a_savepoint_of_a_native_job_is_portable() {
    let place = Place::new("rocksdb");
    let manager = place.open(descriptor(&place)).await;
    fill(&manager, 0, 500, 1).await;
    manager.archive(ONE, &Metadata::new()).await.unwrap();
    let savepoint = manager.savepoint(TWO, &Metadata::new()).await.unwrap();
    assert_eq!((savepoint.contents[0].form.as_str(), savepoint.summary.rows), ("portable", Some(501)));
    manager.close().await.unwrap();

    let url = place.descriptor().archive.unwrap().url;
    let elsewhere = Place::new("memory");
    let builder = |id| elsewhere.builder(elsewhere.descriptor().archive(&url)).recover(RecoverFrom::Id(id));
    let (kind, message) = refused(builder(ONE).open().await);
    assert_eq!(kind, ErrorKind::Unsupported);
    assert!(message.contains("rocksdb"), "{message}");
    let other = builder(TWO).open().await.unwrap();
    assert_eq!(count(&other).await, 500);
    other.close().await.unwrap();
}

#[tokio::test]
async fn life_8_a_native_job_that_keeps_two_checkpoints_can_recover_both_and_stores_no_more() {
    let place = Place::new("rocksdb");
    let retention = Retention { keep_last: 2, keep_for: None };
    let manager = place.open(descriptor(&place).retention(retention)).await;
    for n in 1..=8 {
        fill(&manager, 0, 1_000 * n, n).await;
        manager.archive(CheckpointId(n), &Metadata::new()).await.unwrap();
    }
    let archive = manager.checkpoints().unwrap();
    let ids: Vec<u64> = archive.list().await.unwrap().iter().map(|c| c.id.0).collect();
    assert_eq!(ids, [7, 8]);
    let mut named = std::collections::BTreeSet::new();
    for n in ids {
        let contents = archive.show(CheckpointId(n).into()).await.unwrap().contents;
        named.extend(contents.into_iter().flat_map(|s| s.objects).map(|o| o.name));
    }
    assert_eq!(stored(&place), named.len());
    for n in [7, 8] {
        manager.recover(CheckpointId(n)).await.unwrap();
        assert_eq!(count(&manager).await, 1_000 * n);
        if n == 7 {
            // Recovering the older one has superseded the newer.
            assert_eq!(manager.checkpoints().unwrap().resolve(Select::Latest).await.unwrap().id.0, 7);
        }
    }
    manager.close().await.unwrap();
}

#[tokio::test]
async fn life_5_a_damaged_native_object_is_named_and_the_store_keeps_its_content() {
    let place = Place::new("rocksdb");
    let manager = place.open(descriptor(&place)).await;
    fill(&manager, 0, 2_000, 1).await;
    manager.archive(ONE, &Metadata::new()).await.unwrap();
    fill(&manager, 2_000, 3_000, 2).await;
    let objects = place.folder.path().join("archive/orders/objects");
    for object in std::fs::read_dir(objects).unwrap().map(|o| o.unwrap().path()) {
        // A new file: the old one may be the store's too.
        let mut bytes = std::fs::read(&object).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::remove_file(&object).unwrap();
        std::fs::write(&object, bytes).unwrap();
    }
    let (kind, message) = refused(manager.recover(ONE).await);
    assert_eq!(kind, ErrorKind::Corrupt);
    assert!(message.contains("objects/"), "{message}");
    assert_eq!(count(&manager).await, 3_000);
    manager.close().await.unwrap();
}

/// Each of m owners takes part in one checkpoint; n others go on from it.
async fn rescale(from: &[(u16, u16)], to: &[(u16, u16)], form: CheckpointForm) {
    let archive = tempfile::tempdir().unwrap();
    let url = format!("file://{}", archive.path().display());
    let describe = |place: &Place| place.descriptor().archive(&url).checkpoint_form(form);
    let mut owners = Vec::new();
    for range in from {
        let place = Place::new("rocksdb");
        let manager = place.builder(describe(&place)).groups(range.0..range.1).open().await.unwrap();
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        let groups = manager.groups();
        let own = (0..5_000_u64).filter(|n| groups.contains(statehold::KeyGroup::of(&n.to_be_bytes(), 128)));
        kv.put_many(own.map(|n| (n, n * 7))).await.unwrap();
        owners.push((place, manager));
    }
    for (_, manager) in &owners {
        manager.prepare(ONE).await.unwrap();
    }
    owners[0].1.checkpoints().unwrap().complete(ONE, &Metadata::new()).await.unwrap();
    for (_, manager) in owners {
        manager.close().await.unwrap();
    }
    let mut total = 0;
    for range in to {
        let place = Place::new("rocksdb");
        let builder = place.builder(describe(&place)).groups(range.0..range.1);
        let manager = builder.recover(RecoverFrom::Id(ONE)).open().await.unwrap();
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        for n in 0..5_000_u64 {
            if manager.groups().contains(statehold::KeyGroup::of(&n.to_be_bytes(), 128)) {
                assert_eq!(kv.get(&n).await.unwrap(), Some(n * 7), "{n} in {range:?}");
            }
        }
        total += count(&manager).await;
        manager.close().await.unwrap();
    }
    assert_eq!(total, 5_000);
}

#[tokio::test]
async fn life_6_parts_of_any_owners_recover_into_any_ranges() {
    for form in CheckpointForm::ALL {
        rescale(&[(0, 128)], &[(0, 64), (64, 128)], form).await;
        rescale(&[(0, 64), (64, 128)], &[(0, 128)], form).await;
        rescale(&[(0, 40), (40, 128)], &[(0, 10), (10, 100), (100, 128)], form).await;
    }
}
