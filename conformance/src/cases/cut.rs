//! LIFE-2: snapshots and what is archived of them.

use statehold_core::{ArchiveStep, Model};

use crate::{
    Case, Context,
    case::cases,
    contents::Contents,
    failure::{Verdict, ensure, ensure_eq},
    state::{State, bytes, commit},
    tape::Tape,
};

pub(super) const CASES: &[Case] = cases![Functional:
    life_2_a_snapshot_shows_what_was_committed_before_it(Snapshots),
    life_2_later_writes_are_not_in_a_snapshot(Snapshots),
    life_2_later_states_are_not_in_a_snapshot(Snapshots),
    life_2_a_snapshot_outlives_compact_and_deletion(Snapshots),
    life_2_several_snapshots_stand_beside_each_other(Snapshots),
    life_2_reads_of_a_snapshot_agree(Snapshots),
    life_2_an_archive_names_each_state_before_its_rows(Snapshots),
    life_2_an_archive_holds_every_row_once_in_order(Snapshots),
    life_2_an_archive_of_some_groups_holds_only_those(Snapshots),
    life_2_writes_during_an_archive_are_not_in_it(Snapshots),
    life_2a_the_cut_is_one_instant_over_all_states(Snapshots, StoreScope),
];

async fn life_2_a_snapshot_shows_what_was_committed_before_it(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    for i in 0..50 {
        map.put_sub(format!("key{}", i % 7), i.to_string(), "value").await?;
        let snapshot = map.store.snapshot().await?;
        ensure_eq!(map.entries_of(&*snapshot).await?.len(), i + 1, "the entries of a snapshot after write {i}");
    }
    Ok(())
}

async fn life_2_later_writes_are_not_in_a_snapshot(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let kv = State::register(&store, "kv", Model::Kv, |_| {}).await?;
    let list = State::register(&store, "list", Model::List, |_| {}).await?;
    kv.put_all([("stays", "", "old"), ("replaced", "", "old"), ("deleted", "", "old")]).await?;
    list.append("key", &["1", "2"]).await?;
    let snapshot = store.snapshot().await?;
    let before = Contents::of(&*store).await?;
    kv.put("replaced", "new").await?;
    kv.put("added", "new").await?;
    kv.delete("deleted").await?;
    list.append("key", &["3"]).await?;
    list.commit(list.trimming("key", 1)).await?;
    ensure_eq!(Contents::cut(&*snapshot, store.groups()).await?, before, "what the snapshot shows after the writes");
    Ok(())
}

async fn life_2_later_states_are_not_in_a_snapshot(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    let snapshot = kv.store.snapshot().await?;
    State::register(&kv.store, "later", Model::Kv, |_| {}).await?.put("key", "value").await?;
    let names: Vec<_> = snapshot.states().await?.into_iter().map(|(_, spec)| spec.name).collect();
    ensure_eq!(names, ["state"], "the states of the snapshot");
    Ok(())
}

async fn life_2_a_snapshot_outlives_compact_and_deletion(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all((0..500).map(|i| (format!("key{i}"), "", i.to_string()))).await?;
    let snapshot = kv.store.snapshot().await?;
    let before = kv.entries().await?;
    for i in 0..500 {
        kv.delete(format!("key{i}")).await?;
    }
    kv.store.compact().await?;
    kv.store.finish().await?;
    ensure!(kv.entries_of(&*snapshot).await? == before, "the snapshot lost entries that were deleted after it");
    Ok(())
}

async fn life_2_several_snapshots_stand_beside_each_other(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let mut snapshots = Vec::new();
    for i in 0..10 {
        kv.put("key", i.to_string()).await?;
        snapshots.push(kv.store.snapshot().await?);
    }
    for (i, snapshot) in snapshots.iter().enumerate().rev() {
        let entries = kv.entries_of(&**snapshot).await?;
        let payloads: Vec<_> = entries.into_iter().map(|entry| entry.payload).collect();
        ensure_eq!(payloads, [bytes(i.to_string())], "what snapshot {i} of ten shows");
    }
    Ok(())
}

async fn life_2_reads_of_a_snapshot_agree(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_all((0..40).map(|i| (format!("key{}", i % 5), i.to_string(), i.to_string()))).await?;
    let snapshot = map.store.snapshot().await?;
    map.put_all((0..40).map(|i| (format!("key{}", i % 5), i.to_string(), "later"))).await?;
    let entries = map.entries_of(&*snapshot).await?;
    ensure_eq!(entries.len(), 40, "the number of entries that the snapshot's scans show");
    let at: Vec<_> = entries.iter().map(|entry| map.at(&entry.key, &entry.sub)).collect();
    let many = snapshot.get_many(&at).finish().await?;
    for ((entry, at), found) in entries.iter().zip(&at).zip(many) {
        ensure_eq!(entry.payload, entry.sub, "the payload of subkey {:?} in the snapshot", entry.sub);
        let one = snapshot.get(at).finish().await?;
        ensure_eq!(one, found, "get against get_many of {at:?} in the snapshot");
        let payload = one.map(|cell| map.open(&at.key, &at.sub, &cell)).transpose()?;
        ensure_eq!(payload, Some(entry.payload.clone()), "get against scan of {at:?} in the snapshot");
    }
    Ok(())
}

async fn life_2_an_archive_names_each_state_before_its_rows(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    for (name, model) in [("kv", Model::Kv), ("empty", Model::Kv), ("map", Model::Map)] {
        let state = State::register(&store, name, model, |_| {}).await?;
        if name != "empty" {
            state.put_all((0..20).map(|i| (format!("key{i}"), "", name))).await?;
        }
    }
    let tape = Tape::record(&*store, store.groups()).await?;
    let mut named = std::collections::BTreeMap::new();
    for (i, step) in tape.steps.iter().enumerate() {
        match step {
            ArchiveStep::State(index, spec) => drop(named.insert(*index, spec.name.clone())),
            ArchiveStep::Rows(index, _, rows) => {
                ensure!(named.contains_key(index), "step {i} has {} rows of a state not yet named", rows.len());
            }
            ArchiveStep::Floor(..) => ensure_eq!(i, tape.steps.len() - 1, "the step that tells the floor"),
        }
    }
    let mut names: Vec<_> = named.into_values().collect();
    names.sort();
    ensure_eq!(names, ["empty", "kv", "map"], "the states of the archive");
    ensure!(matches!(tape.steps.last(), Some(ArchiveStep::Floor(..))), "the archive does not end with its floor");
    Ok(())
}

async fn life_2_an_archive_holds_every_row_once_in_order(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    let mut dice = cx.dice();
    let mut rows: Vec<_> = (0..2000).map(|_| (dice.bytes(1, 4), dice.bytes(0, 3))).collect();
    rows.sort();
    rows.dedup();
    map.put_all(rows.iter().map(|(key, sub)| (key, sub, "value"))).await?;
    let tape = Tape::record(&*map.store, map.store.groups()).await?;
    for group in map.store.groups().iter() {
        let pages = tape.steps.iter().filter_map(|step| match step {
            ArchiveStep::Rows(_, of, rows) if *of == group => Some(rows.clone()),
            _ => None,
        });
        let archived: Vec<_> = pages.flatten().collect();
        let stored = statehold_core::collect(&*map.store, map.scan(group)).await?;
        ensure!(
            archived == stored,
            "group {group}: {} rows archived, {} stored, or others",
            archived.len(),
            stored.len()
        );
    }
    Ok(())
}

async fn life_2_an_archive_of_some_groups_holds_only_those(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all((0..100).map(|i| (format!("key{i}"), "", ""))).await?;
    let some = statehold_core::KeyGroups::new(1..3, 4)?;
    let mut archived = Tape::record(&*kv.store, some).await?.keys();
    archived.sort();
    let expected: Vec<_> = kv.keys().await?.into_iter().filter(|key| some.contains(kv.group(key))).collect();
    ensure_eq!(archived, expected, "the keys in an archive of groups {some}");
    Ok(())
}

/// A sink that writes into the store while it is being archived.
struct Busy {
    tape: Tape,
    kv: State,
}

#[async_trait::async_trait]
impl statehold_core::ArchiveSink for Busy {
    async fn state(
        &mut self,
        id: statehold_core::StateId,
        spec: &statehold_core::StateSpec,
    ) -> statehold_core::Result<()> {
        self.kv.put_all((0..100).map(|i| (format!("key{i}"), "", "later"))).await?;
        self.tape.state(id, spec).await
    }

    async fn rows(
        &mut self,
        id: statehold_core::StateId,
        group: statehold_core::KeyGroup,
        rows: Vec<statehold_core::Row>,
    ) -> statehold_core::Result<()> {
        self.kv.put_all((0..10).map(|i| (format!("new{i}"), "", "later"))).await?;
        self.kv.delete("key99").await?;
        self.tape.rows(id, group, rows).await
    }

    async fn floor(&mut self, now: statehold_core::Millis, incarnation: u32) -> statehold_core::Result<()> {
        self.tape.floor(now, incarnation).await
    }
}

async fn life_2_writes_during_an_archive_are_not_in_it(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all((0..100).map(|i| (format!("key{i}"), "", "old"))).await?;
    let mut sink = Busy { tape: Tape::default(), kv: kv.clone() };
    kv.store.archive(kv.store.groups(), &mut sink).await?;
    let mut archived = 0;
    for step in &sink.tape.steps {
        let ArchiveStep::Rows(_, _, rows) = step else { continue };
        for row in rows {
            archived += 1;
            let payload = kv.open(&row.key, &row.sub, &row.cell)?;
            ensure_eq!(payload, bytes("old"), "the archived value of {:?}, written again meanwhile", row.key);
        }
    }
    ensure_eq!(archived, 100, "the number of rows archived");
    Ok(())
}

async fn life_2a_the_cut_is_one_instant_over_all_states(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let mut states = Vec::new();
    for name in ["a", "b", "c"] {
        states.push(State::register(&store, name, Model::Kv, |_| {}).await?);
    }
    let watch = {
        let (store, states) = (store.clone(), states.clone());
        move || {
            let (store, states) = (store.clone(), states.clone());
            async move {
                let snapshot = store.snapshot().await?;
                let mut seen = Vec::new();
                for state in &states {
                    seen.extend(state.entries_of(&*snapshot).await?.into_iter().map(|e| e.payload));
                }
                seen.dedup();
                ensure!(seen.len() < 2, "one cut shows several batches: {seen:?}");
                Ok(())
            }
        }
    };
    let step = async |i: usize| {
        let places = (0..12).map(|place| (&states[place / 4], format!("key{}", place % 4)));
        let batch = places.map(|(state, key)| state.putting(key, "", i.to_string()));
        commit(&*store, batch.collect()).await?;
        Ok(())
    };
    cx.watching(watch, 200, step).await.map(drop)
}
