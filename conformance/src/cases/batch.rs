//! BATCH-1: all of a batch or nothing.

use statehold_core::{Address, Batch, ErrorKind, KeyGroup, Model, Mutation, StateId};

use crate::{
    Case, Context,
    case::cases,
    contents::Contents,
    failure::{Failure, Verdict, ensure, ensure_eq, refused, refused_as},
    state::{State, bytes, commit},
};

pub(super) const CASES: &[Case] = cases![Functional:
    batch_1_all_of_a_batch_is_applied,
    batch_1_a_batch_over_states_and_groups_is_applied_whole(StoreScope),
    batch_1_readers_never_see_part_of_a_batch,
    batch_1_readers_never_see_part_of_a_batch_over_groups(StoreScope),
    batch_1_a_batch_wider_than_the_scope_is_refused(NoStoreScope),
    batch_1_a_refused_batch_leaves_nothing,
    batch_1_an_empty_batch_changes_nothing,
    batch_1_a_batch_of_ten_thousand_is_applied_whole,
    batch_1_every_kind_of_change_in_one_batch,
    batch_1_an_unsorted_batch_is_refused,
    batch_1_a_batch_that_changes_a_record_twice_is_refused,
    batch_1_a_state_that_was_never_registered_is_refused,
    batch_1_a_batch_survives_reopen_whole(Persistent),
];

async fn batch_1_all_of_a_batch_is_applied(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys = kv.neighbours("key", 4);
    kv.put(&keys[0], "old").await?;
    kv.put(&keys[1], "old").await?;
    let changes = vec![kv.putting(&keys[0], "", "new"), kv.deleting(&keys[1], ""), kv.putting(&keys[2], "", "new")];
    commit(&*kv.store, changes).await?;
    let at: Vec<_> = keys.iter().map(|key| kv.at(key, "")).collect();
    let new = Some(bytes("new"));
    ensure_eq!(kv.get_many(&at).await?, [new.clone(), None, new, None], "the records after the batch");
    Ok(())
}

/// A state of each model in one store.
async fn three(cx: &Context) -> Result<[State; 3], Failure> {
    let store = cx.open().await?;
    let kv = State::register(&store, "kv", Model::Kv, |_| {}).await?;
    let map = State::register(&store, "map", Model::Map, |_| {}).await?;
    let list = State::register(&store, "list", Model::List, |_| {}).await?;
    Ok([kv, map, list])
}

async fn batch_1_a_batch_over_states_and_groups_is_applied_whole(cx: &Context) -> Verdict {
    let [kv, map, list] = three(cx).await?;
    let mut mutations = Vec::new();
    for i in 0..20 {
        let key = format!("key{i}");
        mutations.push(kv.putting(&key, "", "1"));
        mutations.push(map.putting(&key, "sub", "2"));
        mutations.push(list.appending(&key, &["3", "4"], None));
    }
    let groups: std::collections::BTreeSet<_> = mutations.iter().map(|m| m.at().group).collect();
    ensure!(groups.len() > 1, "the keys lie in one group");
    commit(&*kv.store, mutations).await?;
    let counts = [kv.entries().await?.len(), map.entries().await?.len(), list.entries().await?.len()];
    ensure_eq!(counts, [20, 20, 40], "the number of entries of the three states");
    Ok(())
}

/// Writes the same number to all of `at` in one batch, again and again, while another
/// thread reads all of them.
async fn write_beside_reader(cx: &Context, kv: &State, keys: &[bytes::Bytes]) -> Verdict {
    let at: Vec<Address> = keys.iter().map(|key| kv.at(key, "")).collect();
    let watch = {
        let kv = kv.clone();
        move || {
            let (kv, at) = (kv.clone(), at.clone());
            async move {
                let found = kv.get_many(&at).await?;
                ensure!(found.iter().all(|one| one == &found[0]), "a reader sees part of a batch: {found:?}");
                Ok(())
            }
        }
    };
    let step = async |i: usize| {
        let mutations = keys.iter().map(|key| match i % 5 {
            4 => kv.deleting(key, ""),
            _ => kv.putting(key, "", i.to_string()),
        });
        commit(&*kv.store, mutations.collect()).await?;
        Ok(())
    };
    cx.watching(watch, 300, step).await.map(drop)
}

async fn batch_1_readers_never_see_part_of_a_batch(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    write_beside_reader(cx, &kv, &kv.neighbours("key", 8)).await
}

async fn batch_1_readers_never_see_part_of_a_batch_over_groups(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys: Vec<_> = (0..16).map(|i| bytes(format!("key{i}"))).collect();
    write_beside_reader(cx, &kv, &keys).await
}

async fn batch_1_a_batch_wider_than_the_scope_is_refused(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let wide: Vec<_> = (0..16).map(|i| kv.putting(format!("key{i}"), "", "value")).collect();
    refused(commit(&*kv.store, wide).await, ErrorKind::Unsupported, "a batch over several groups")?;
    ensure_eq!(kv.entries().await?.len(), 0, "the number of entries after the refusal");
    Ok(())
}

async fn batch_1_a_refused_batch_leaves_nothing(cx: &Context) -> Verdict {
    let [kv, map, list] = three(cx).await?;
    let key = &kv.neighbours("key", 1)[0];
    let all = |payload: &str, bad: Mutation| {
        vec![kv.putting(key, "", payload), map.putting(key, "sub", payload), list.appending(key, &[payload], None), bad]
    };
    commit(&*kv.store, all("old", kv.deleting(key, "x")).into_iter().take(3).collect()).await?;
    let before = Contents::of(&*kv.store).await?;
    let long = vec![b'x'; kv.store.limits().key + 1];
    let empty = Mutation::Put(Address { key: bytes(""), ..kv.at(key, "") }, kv.seal(b"", b"", b"", None));
    for (bad, kind) in [
        (kv.putting(key, "a subkey in a kv state", ""), ErrorKind::InvalidInput),
        (Mutation::Delete(Address { group: kv.group(key), ..kv.at(&long, "") }), ErrorKind::LimitExceeded),
        (empty, ErrorKind::InvalidInput),
    ] {
        let what = format!("a batch with {bad:?}");
        refused(commit(&*kv.store, all("new", bad)).await, kind, &what)?;
        ensure_eq!(Contents::of(&*kv.store).await?, before, "the contents after the refusal");
    }
    Ok(())
}

async fn batch_1_an_empty_batch_changes_nothing(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    let committed = kv.store.commit(Batch::default()).finish().await?;
    ensure!(committed.revisions.is_empty() && !committed.duplicate, "an empty batch answers {committed:?}");
    ensure_eq!(kv.keys().await?, [bytes("key")], "the keys after an empty batch");
    Ok(())
}

async fn batch_1_a_batch_of_ten_thousand_is_applied_whole(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys = kv.neighbours("key", 10_000);
    commit(&*kv.store, keys.iter().map(|key| kv.putting(key, "", key)).collect()).await?;
    ensure_eq!(kv.entries().await?.len(), 10_000, "the number of entries");
    commit(&*kv.store, keys.iter().map(|key| kv.deleting(key, "")).collect()).await?;
    ensure_eq!(kv.entries().await?.len(), 0, "the number of entries when all were deleted");
    Ok(())
}

async fn batch_1_every_kind_of_change_in_one_batch(cx: &Context) -> Verdict {
    let [kv, map, list] = three(cx).await?;
    let keys = kv.neighbours("key", 2);
    let (a, b) = (&keys[0], &keys[1]);
    let first = vec![
        kv.putting(a, "", "1"),
        map.putting(a, "x", "1"),
        map.putting(a, "y", "1"),
        list.appending(a, &["1", "2", "3"], None),
    ];
    commit(&*kv.store, first).await?;
    let second = vec![
        kv.deleting(a, ""),
        kv.putting(b, "", "2"),
        map.removing(a),
        map.putting(a, "y", "2"),
        list.trimming(a, 2),
        list.appending(a, &["4"], None),
        list.appending(b, &["5"], None),
    ];
    commit(&*kv.store, second).await?;
    ensure_eq!(kv.keys().await?, std::slice::from_ref(b), "the keys of the kv");
    ensure_eq!(map.subs(a).await?, [(bytes("y"), bytes("2"))], "the map");
    ensure_eq!(list.elements(a).await?, [bytes("3"), bytes("4")], "the trimmed list");
    ensure_eq!(list.elements(b).await?, [bytes("5")], "the new list");
    Ok(())
}

async fn batch_1_an_unsorted_batch_is_refused(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let mut keys = kv.neighbours("key", 2);
    keys.sort();
    let mutations = keys.iter().rev().map(|key| kv.putting(key, "", "value")).collect();
    let result = kv.store.commit(Batch { mutations, ..Batch::default() }).finish().await;
    refused(result, ErrorKind::InvalidInput, "a batch that is not sorted")?;
    ensure_eq!(kv.entries().await?.len(), 0, "the number of entries after the refusal");
    Ok(())
}

async fn batch_1_a_batch_that_changes_a_record_twice_is_refused(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let twice = vec![kv.putting("key", "", "1"), kv.putting("key", "", "2")];
    refused(commit(&*kv.store, twice).await, ErrorKind::InvalidInput, "a batch that puts a record twice")?;
    let both = vec![kv.putting("key", "", "1"), kv.deleting("key", "")];
    refused(commit(&*kv.store, both).await, ErrorKind::InvalidInput, "a batch that puts and deletes a record")?;
    ensure_eq!(kv.entries().await?.len(), 0, "the number of entries after the refusals");
    Ok(())
}

async fn batch_1_a_state_that_was_never_registered_is_refused(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    let unknown = Address { state: StateId(kv.id.0.wrapping_add(12_345)), ..kv.at("key", "") };
    let kinds = [ErrorKind::Fenced, ErrorKind::NotFound, ErrorKind::InvalidInput];
    refused_as(kv.store.get(&unknown).finish().await, &kinds, "reading a state that was never registered")?;
    let request = statehold_core::ScanRequest::all(unknown.state, KeyGroup(0));
    refused_as(kv.store.scan(&request).finish().await, &kinds, "scanning a state that was never registered")?;
    let put = Mutation::Put(unknown, kv.seal(b"key", b"", b"", None));
    let both = vec![kv.putting("key", "", "changed"), put];
    refused_as(commit(&*kv.store, both).await, &kinds, "writing to a state that was never registered")?;
    ensure_eq!(kv.get("key").await?, Some(bytes("value")), "`key` after the refusals");
    Ok(())
}

async fn batch_1_a_batch_survives_reopen_whole(cx: &Context) -> Verdict {
    let [kv, map, list] = three(cx).await?;
    let key = &kv.neighbours("key", 1)[0];
    for i in 0..20 {
        let payload = i.to_string();
        let batch =
            vec![kv.putting(key, "", &payload), map.putting(key, &payload, ""), list.appending(key, &[&payload], None)];
        commit(&*kv.store, batch).await?;
    }
    let before = Contents::of(&*kv.store).await?;
    ensure_eq!([before.rows("kv"), before.rows("map"), before.rows("list")], [1, 20, 20], "the rows before reopen");
    let store = cx.reopen(kv.store).await?;
    ensure_eq!(Contents::of(&*store).await?, before, "the contents after reopen");
    Ok(())
}
