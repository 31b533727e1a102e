//! LIFE-5 and LIFE-7: recover, and content that came from elsewhere.

use statehold_core::{
    ArchiveStep, Cell, Condition, ErrorKind, KeyGroup, KeyGroups, Limits, Millis, Model, Revision, Row, ScanRequest,
};

use crate::{
    Case, Context,
    case::cases,
    contents::Contents,
    context::START,
    failure::{Failure, Verdict, ensure, ensure_eq, refused},
    state::{State, bytes, commit, commit_if, only_revision, spec},
    tape::Tape,
};

pub(super) const CASES: &[Case] = cases![Functional:
    life_5_recover_restores_exactly_what_was_archived(Snapshots, Loading),
    life_5_later_states_are_gone_after_recover(Snapshots, Loading),
    life_5_dropped_states_are_back_after_recover(Snapshots, Loading),
    life_5_recovering_again_changes_nothing(Snapshots, Loading),
    life_5_what_was_recovered_survives_reopen(Snapshots, Loading, Persistent),
    life_5_nothing_changes_before_publish(Loading),
    life_5_a_loader_that_is_dropped_leaves_the_old_content(Loading),
    life_5_a_damaged_archive_leaves_the_old_content(Snapshots, Loading),
    life_5_a_recovery_that_was_cut_short_can_be_repeated(Snapshots, Loading),
    life_5_other_groups_keep_their_content(Snapshots, Loading),
    life_5_older_handles_are_fenced_after_recover(Snapshots, Loading),
    life_5_foreign_groups_are_refused(Loading),
    life_5_a_recovered_state_keeps_its_spec(Snapshots, Loading),
    life_7_another_store_recovers_the_same_content(Snapshots, Loading),
    life_7_rows_are_recovered_byte_for_byte(Loading),
    life_7_what_is_recovered_is_archived_again_alike(Snapshots, Loading),
    life_7_a_row_over_the_limits_is_refused_before_anything_changes(Snapshots, Loading),
    life_7_revisions_keep_their_order(Snapshots, Loading, Revisions),
];

/// Fills a store with a state of each model.
pub(super) async fn filled(cx: &Context) -> Result<[State; 3], Failure> {
    let store = cx.open().await?;
    let kv = State::register(&store, "kv", Model::Kv, |_| {}).await?;
    let map = State::register(&store, "map", Model::Map, |_| {}).await?;
    let list = State::register(&store, "list", Model::List, |_| {}).await?;
    let mut dice = cx.dice();
    for i in 0..100 {
        let key = dice.bytes(1, 3);
        kv.put(&key, i.to_string()).await?;
        map.put_sub(&key, dice.bytes(0, 3), i.to_string()).await?;
        list.append(&key, &[i.to_string()]).await?;
    }
    Ok([kv, map, list])
}

/// Changes a bit of everything.
pub(super) async fn spoil([kv, map, list]: &[State; 3]) -> Verdict {
    for i in 0..20 {
        kv.put(format!("later{i}"), "later").await?;
        list.append(format!("later{i}"), &["later"]).await?;
    }
    for entry in kv.entries().await?.iter().step_by(3) {
        kv.put(&entry.key, "changed").await?;
        map.commit(map.removing(&entry.key)).await?;
        list.commit(list.trimming(&entry.key, 1)).await?;
    }
    for entry in kv.entries().await?.iter().step_by(4) {
        kv.delete(&entry.key).await?;
    }
    Ok(())
}

async fn life_5_recover_restores_exactly_what_was_archived(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let before = Contents::of(&*store).await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    ensure_eq!(Contents::of(&*store).await?, before, "the contents after archive");
    spoil(&states).await?;
    ensure!(Contents::of(&*store).await? != before, "nothing was changed");
    tape.restore(&*store, store.groups()).await?;
    ensure_eq!(Contents::of(&*store).await?, before, "the contents after recover");
    Ok(())
}

async fn life_5_later_states_are_gone_after_recover(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let store = kv.store.clone();
    kv.put("key", "value").await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    let later = State::register(&store, "later", Model::Kv, |_| {}).await?;
    later.put("key", "value").await?;
    tape.restore(&*store, store.groups()).await?;
    let names: Vec<_> = store.states().await?.into_iter().map(|(_, spec)| spec.name).collect();
    ensure_eq!(names, ["state"], "the states after recover");
    let later = later.again(&store).await?;
    ensure_eq!(later.entries().await?.len(), 0, "the entries of a later state that was registered anew");
    Ok(())
}

async fn life_5_dropped_states_are_back_after_recover(cx: &Context) -> Verdict {
    let [kv, map, _] = filled(cx).await?;
    let store = kv.store.clone();
    let before = Contents::of(&*store).await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    store.drop_state(map.id).await?;
    tape.restore(&*store, store.groups()).await?;
    ensure_eq!(Contents::of(&*store).await?, before, "the contents after recover");
    Ok(())
}

async fn life_5_recovering_again_changes_nothing(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let before = Contents::of(&*store).await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    spoil(&states).await?;
    for i in 0..3 {
        tape.restore(&*store, store.groups()).await?;
        ensure_eq!(Contents::of(&*store).await?, before, "the contents after recovery {i}");
    }
    Ok(())
}

async fn life_5_what_was_recovered_survives_reopen(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let mut store = states[0].store.clone();
    let before = Contents::of(&*store).await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    spoil(&states).await?;
    tape.restore(&*store, store.groups()).await?;
    for i in 0..2 {
        store = cx.reopen(store).await?;
        ensure_eq!(Contents::of(&*store).await?, before, "the contents after recover and reopen {i}");
    }
    let kv = states[0].again(&store).await?;
    kv.put("key", "writable").await?;
    ensure_eq!(kv.get("key").await?, Some(bytes("writable")), "a write after recover and reopen");
    Ok(())
}

/// The one row under `key`, sealed as `kv` seals it.
fn row(kv: &State, key: &str, payload: &str) -> Row {
    let cell = kv.seal(key.as_bytes(), b"", payload.as_bytes(), None);
    Row { key: bytes(key), sub: bytes(""), cell }
}

async fn life_5_nothing_changes_before_publish(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "old").await?;
    let mut loader = kv.store.loader(kv.store.groups()).await?;
    let id = loader.state(&kv.spec).await?;
    loader.load(id, kv.group(b"key"), vec![row(&kv, "key", "new")]).await?;
    loader.floor(START, 1)?;
    ensure_eq!(kv.get("key").await?, Some(bytes("old")), "`key` before publish");
    ensure_eq!(kv.store.states().await?.len(), 1, "the number of states before publish");
    kv.put("other", "written meanwhile").await?;
    loader.publish().await?;
    let kv = kv.again(&kv.store).await?;
    ensure_eq!(kv.get("key").await?, Some(bytes("new")), "`key` after publish");
    ensure_eq!(kv.keys().await?, [bytes("key")], "the keys after publish");
    Ok(())
}

async fn life_5_a_loader_that_is_dropped_leaves_the_old_content(cx: &Context) -> Verdict {
    let mut kv = cx.kv().await?;
    kv.put("key", "old").await?;
    for i in 0..3 {
        let mut loader = kv.store.loader(kv.store.groups()).await?;
        let id = loader.state(&kv.spec).await?;
        loader.load(id, kv.group(b"key"), vec![row(&kv, "key", "new")]).await?;
        drop(loader);
        ensure_eq!(kv.get("key").await?, Some(bytes("old")), "`key` after dropped loader {i}");
        kv.put(format!("key{i}"), "still writable").await?;
        if cx.capabilities.persistent {
            let store = cx.reopen(kv.store.clone()).await?;
            kv = kv.again(&store).await?;
        }
        ensure_eq!(kv.entries().await?.len(), i + 2, "the number of entries after dropped loader {i}");
    }
    Ok(())
}

async fn life_5_a_damaged_archive_leaves_the_old_content(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let tape = Tape::record(&*store, store.groups()).await?;
    spoil(&states).await?;
    let before = Contents::of(&*store).await?;
    for steps in 0..=tape.steps.len() {
        let result = store.recover(store.groups(), &mut tape.play_broken(steps)).await;
        refused(result, ErrorKind::Corrupt, &format!("an archive that breaks after {steps} steps"))?;
        ensure_eq!(Contents::of(&*store).await?, before, "the contents when it broke after {steps} steps");
    }
    states[0].put("key", "the old handles still write").await?;
    Ok(())
}

async fn life_5_a_recovery_that_was_cut_short_can_be_repeated(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let archived = Contents::of(&*store).await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    spoil(&states).await?;
    let result = store.recover(store.groups(), &mut tape.play_broken(tape.steps.len() - 1)).await;
    refused(result, ErrorKind::Corrupt, "an archive that breaks before its last step")?;
    tape.restore(&*store, store.groups()).await?;
    ensure_eq!(Contents::of(&*store).await?, archived, "the contents after the second attempt");
    Ok(())
}

async fn life_5_other_groups_keep_their_content(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let (some, rest) = (KeyGroups::new(0..2, 4)?, KeyGroups::new(2..4, 4)?);
    let archived = Contents::within(&*store, some).await?;
    let tape = Tape::record(&*store, some).await?;
    spoil(&states).await?;
    let spoilt = Contents::within(&*store, rest).await?;
    tape.restore(&*store, some).await?;
    ensure_eq!(Contents::within(&*store, some).await?, archived, "the contents of the recovered groups");
    ensure_eq!(Contents::within(&*store, rest).await?, spoilt, "the contents of the other groups");
    Ok(())
}

async fn life_5_older_handles_are_fenced_after_recover(cx: &Context) -> Verdict {
    let old = cx.kv().await?;
    let store = old.store.clone();
    old.put("key", "archived").await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    tape.restore(&*store, store.groups()).await?;
    let fenced = ErrorKind::Fenced;
    refused(old.put("key", "from before").await, fenced, "a write through an older handle")?;
    refused(old.delete("key").await, fenced, "a delete through an older handle")?;
    refused(old.get("key").await, fenced, "a read through an older handle")?;
    refused(old.get_many(&[old.at("key", "")]).await, fenced, "reads through an older handle")?;
    let request = ScanRequest::all(old.id, old.group(b"key"));
    refused(store.scan(&request).finish().await, fenced, "a scan through an older handle")?;
    let new = old.again(&store).await?;
    ensure!(new.id != old.id, "the recovered state has the number of the old one");
    ensure_eq!(new.get("key").await?, Some(bytes("archived")), "`key` through the new handle");
    let both = vec![new.putting("key", "", "1"), old.putting("key", "", "2")];
    refused(commit(&*store, both).await, fenced, "a batch through an older and a new handle")?;
    ensure_eq!(new.get("key").await?, Some(bytes("archived")), "`key` after the refusals");
    Ok(())
}

async fn life_5_foreign_groups_are_refused(cx: &Context) -> Verdict {
    let half = KeyGroups::new(0..2, 4)?;
    let store = cx.open_with(|request| request.groups = half).await?;
    let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
    let own = (0..).map(|i| format!("key{i}")).find(|key| half.contains(kv.group(key.as_bytes()))).unwrap_or_default();
    kv.put(&own, "value").await?;
    for groups in [KeyGroups::new(0..4, 4)?, KeyGroups::new(2..4, 4)?, KeyGroups::new(0..2, 8)?] {
        let result = store.loader(groups).await.map(drop);
        refused(result, ErrorKind::InvalidInput, &format!("a loader of {groups} in a store of {half}"))?;
    }
    let mut loader = store.loader(half).await?;
    let id = loader.state(&kv.spec).await?;
    let loaded = loader.load(id, KeyGroup(3), vec![row(&kv, "key", "value")]).await;
    refused(loaded, ErrorKind::InvalidInput, "rows of a group that is not being loaded")?;
    drop(loader);
    ensure_eq!(kv.get(&own).await?, Some(bytes("value")), "`{own}` after the refusals");
    Ok(())
}

async fn life_5_a_recovered_state_keeps_its_spec(cx: &Context) -> Verdict {
    let kv = cx.state(Model::Kv, |s| (s.schema_version, s.fingerprint) = (1, 11)).await?;
    let store = kv.store.clone();
    let tape = Tape::record(&*store, store.groups()).await?;
    State::of_spec(&store, spec("state", Model::Kv, |s| (s.schema_version, s.fingerprint) = (2, 22))?).await?;
    tape.restore(&*store, store.groups()).await?;
    let listed: Vec<_> = store.states().await?.into_iter().map(|(_, spec)| spec).collect();
    ensure_eq!(listed, std::slice::from_ref(&kv.spec), "the catalog after recover");
    let other = spec("state", Model::Kv, |s| (s.schema_version, s.fingerprint) = (1, 33))?;
    refused(store.register(&other).await, ErrorKind::Conflict, "a recovered state as another type")?;
    Ok(())
}

async fn life_7_another_store_recovers_the_same_content(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let tape = Tape::record(&*store, store.groups()).await?;
    let there = cx.elsewhere()?;
    let other = there.open().await?;
    let occupied = State::register(&other, "kv", Model::Map, |_| {}).await?;
    occupied.put_sub("key", "sub", "of another type, and gone afterwards").await?;
    tape.restore(&*other, other.groups()).await?;
    ensure_eq!(Contents::of(&*other).await?, Contents::of(&*store).await?, "the contents of the other store");
    let kv = states[0].again(&other).await?;
    kv.put("key", "writable").await?;
    ensure_eq!(kv.get("key").await?, Some(bytes("writable")), "a write in the other store");
    Ok(())
}

async fn life_7_rows_are_recovered_byte_for_byte(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let capable = &cx.capabilities;
    let spec = spec("state", Model::Kv, |s| (s.revisions, s.ttl) = (capable.revisions, capable.ttl))?;
    let mut dice = cx.dice();
    let mut steps = vec![ArchiveStep::State(77, spec.clone())];
    let mut expected = Vec::new();
    for group in kv.store.groups().iter() {
        let mut keys: Vec<_> = (0..200).map(|_| bytes(dice.bytes(1, 4))).collect();
        keys.retain(|key| kv.group(key) == group);
        keys.sort();
        keys.dedup();
        let rows = keys.into_iter().enumerate().map(|(i, key)| {
            let value = bytes(dice.bytes(0, 40));
            let revision = if capable.revisions { Revision::new(3, 1 + i as u64) } else { Revision::NONE };
            let expires_at = (capable.ttl && i % 2 == 0).then(|| Millis(START.0 + 1 + i as u64));
            Row { key, sub: bytes(""), cell: Cell { value, revision, expires_at } }
        });
        let rows: Vec<_> = rows.collect();
        for part in rows.chunks(7) {
            steps.push(ArchiveStep::Rows(77, group, part.to_vec()));
        }
        expected.push(rows);
    }
    steps.push(ArchiveStep::Floor(START, 3));
    Tape { steps }.restore(&*kv.store, kv.store.groups()).await?;
    let id = kv.store.register(&spec).await?;
    for (group, expected) in kv.store.groups().iter().zip(expected) {
        let found = statehold_core::collect(&*kv.store, ScanRequest::all(id, group)).await?;
        ensure_eq!(found, expected, "the rows of group {group}");
    }
    Ok(())
}

async fn life_7_what_is_recovered_is_archived_again_alike(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let tape = Tape::record(&*store, store.groups()).await?;
    let there = cx.elsewhere()?;
    let other = there.open().await?;
    tape.restore(&*other, other.groups()).await?;
    let again = Tape::record(&*other, other.groups()).await?;
    let further = cx.elsewhere()?;
    let third = further.open().await?;
    again.restore(&*third, third.groups()).await?;
    ensure_eq!(Contents::of(&*third).await?, Contents::of(&*store).await?, "the contents of the third store");
    ensure_eq!(again.keys().len(), tape.keys().len(), "the number of rows archived again");
    Ok(())
}

async fn life_7_a_row_over_the_limits_is_refused_before_anything_changes(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let key = vec![b'k'; 200];
    kv.put(&key, vec![1; 1000]).await?;
    let tape = Tape::record(&*kv.store, kv.store.groups()).await?;
    for limits in [Limits { value: 999, ..Limits::default() }, Limits { key: 199, ..Limits::default() }] {
        let there = cx.elsewhere()?;
        let lower = there.open_with(|request| request.limits = limits).await?;
        let old = State::register(&lower, "old", Model::Kv, |_| {}).await?;
        old.put("key", "stays").await?;
        let result = tape.restore(&*lower, lower.groups()).await;
        refused(result, ErrorKind::LimitExceeded, &format!("a recovery into a store of {limits:?}"))?;
        ensure_eq!(old.get("key").await?, Some(bytes("stays")), "`key` after the refusal");
        ensure_eq!(lower.states().await?.len(), 1, "the number of states after the refusal");
    }
    Ok(())
}

/// The keys of rows in the order of their revisions.
pub(super) fn order(rows: Vec<Row>) -> Vec<bytes::Bytes> {
    let mut rows: Vec<_> = rows.into_iter().map(|row| (row.cell.revision, row.key)).collect();
    rows.sort();
    rows.into_iter().map(|(_, key)| key).collect()
}

async fn life_7_revisions_keep_their_order(cx: &Context) -> Verdict {
    let kv = cx.state(Model::Kv, |s| s.revisions = true).await?;
    let keys = kv.neighbours("key", 30);
    for key in keys.iter().chain(keys.iter().step_by(3)) {
        kv.put(key, "value").await?;
    }
    let before = order(statehold_core::collect(&*kv.store, kv.scan(KeyGroup(0))).await?);
    let tape = Tape::record(&*kv.store, kv.store.groups()).await?;
    let there = cx.elsewhere()?;
    let other = there.open().await?;
    tape.restore(&*other, other.groups()).await?;
    let kv = kv.again(&other).await?;
    let after = order(statehold_core::collect(&*other, kv.scan(KeyGroup(0))).await?);
    ensure_eq!(after, before, "the keys by revision, after recovery into another store");
    let newest = only_revision(&kv.put(&keys[0], "new").await?)?;
    let rows = statehold_core::collect(&*other, kv.scan(KeyGroup(0))).await?;
    ensure!(
        rows.iter().all(|row| row.cell.revision <= newest),
        "a recovered record has a later revision than {newest:?}"
    );
    let another = vec![(kv.at(&keys[1], ""), Condition::RevisionIs(newest))];
    let result = commit_if(&*other, another, vec![kv.deleting(&keys[1], "")]).await;
    refused(result, ErrorKind::Conflict, "a condition on the revision of another record")?;
    Ok(())
}
