//! LIFE-2, LIFE-3 and LIFE-5 of stores that declare native archives: cuts as files, and the way back.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use statehold_core::{ErrorKind, KeyGroups, Millis, Model, Ownership, ScanRequest};

use super::recover::{filled, spoil};
use crate::{
    Case, Context,
    case::cases,
    contents::Contents,
    failure::{Failure, Verdict, ensure, ensure_eq, refused, refused_as},
    native::{self, Kept, cut, door, loaded, restore},
    poll::poll_then_drop,
    state::{State, bytes, commit},
};

pub(super) const CASES: &[Case] = cases![Functional:
    life_2_a_native_cut_is_one_instant_while_writes_go_on(Native, StoreScope),
    life_2_a_reader_takes_no_native_cut(Native, ReadOnly, Persistent),
    life_3_a_second_cut_shares_the_files_that_did_not_change(Native),
    life_3_files_of_a_part_that_a_store_keeps_stay_what_they_were(Native),
    life_5_native_recover_makes_the_store_exactly_the_cut(Native),
    life_5_what_was_recovered_natively_survives_reopen(Native, Persistent),
    life_5_a_native_recover_that_fails_or_is_dropped_leaves_the_old_content(Native),
    life_5_older_state_numbers_are_fenced_after_a_native_recover(Native),
    life_5_native_recover_keeps_other_groups(Native),
    life_5_a_snapshot_from_before_a_native_recover_shows_nothing_wrong(Native, Snapshots),
    life_5_readers_and_writers_beside_a_native_recover_see_old_or_new_content(Native),
    life_5_of_two_native_loads_the_later_one_counts(Native),
    life_5_what_a_crash_leaves_goes_at_the_next_open(Native, Persistent),
    own_2_dropped_native_futures_leave_the_store_usable(Native),
];

async fn life_2_a_native_cut_is_one_instant_while_writes_go_on(cx: &Context) -> Verdict {
    for level in cx.capabilities.durability.clone() {
        let there = cx.elsewhere()?;
        let store = there.open_with(|request| request.durability = level).await?;
        let mut states = Vec::new();
        for name in ["a", "b"] {
            states.push(State::register(&store, name, Model::Kv, |_| {}).await?);
        }
        let (begun, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let write = {
            let (store, states, begun, done) = (store.clone(), states.clone(), begun.clone(), done.clone());
            move || {
                let (store, states, begun, done) = (store.clone(), states.clone(), begun.clone(), done.clone());
                async move {
                    let i = begun.fetch_add(1, Ordering::AcqRel) + 1;
                    let places = (0..8).map(|place| (&states[place / 4], format!("key{}", place % 4)));
                    let batch = places.map(|(state, key)| state.putting(key, "", i.to_string()));
                    commit(&*store, batch.collect()).await?;
                    done.store(i, Ordering::Release);
                    Ok(())
                }
            }
        };
        let mut kept = Vec::new();
        let take = async |_| {
            let before = done.load(Ordering::Acquire);
            let files = Kept::of(&*store).await?;
            kept.push((before, files, begun.load(Ordering::Acquire)));
            Ok(())
        };
        cx.watching(write, 3, take).await?;
        let further = there.elsewhere()?;
        let other = further.open().await?;
        for (before, files, after) in &kept {
            restore(&other, &[files]).await?;
            let mut seen = Vec::new();
            for state in &states {
                let entries = state.again(&other).await?.entries().await?;
                seen.extend(entries.into_iter().map(|entry| entry.payload));
            }
            seen.dedup();
            ensure!(seen.len() < 2, "one cut at level {level:?} shows several batches: {seen:?}");
            let shown = seen.first().and_then(|n| std::str::from_utf8(n).ok()?.parse().ok()).unwrap_or(0);
            ensure!((*before..=*after).contains(&shown), "a cut between {before} and {after} shows batch {shown}");
        }
    }
    Ok(())
}

async fn life_2_a_reader_takes_no_native_cut(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.store.close().await?;
    let reader = cx.open_with(|request| request.ownership = Ownership::ReadOnly).await?;
    let unsupported = ErrorKind::Unsupported;
    refused(door(&*reader)?.cut().await.map(drop), unsupported, "a reader's cut")?;
    refused(door(&*reader)?.loader(reader.groups()).await.map(drop), unsupported, "a reader's native loader")?;
    Ok(())
}

/// Puts `count` entries with payloads of so many random bytes, which no engine makes smaller.
pub(super) async fn put_random(cx: &Context, kv: &State, count: usize, bytes: usize) -> Result<Vec<Vec<u8>>, Failure> {
    let mut dice = cx.dice();
    let payload = |_| (0..bytes / 8).flat_map(|_| dice.next().to_be_bytes()).collect();
    let payloads: Vec<Vec<u8>> = (0..count).map(payload).collect();
    kv.put_all(payloads.iter().enumerate().map(|(i, payload)| (format!("key{i}"), "", payload))).await?;
    Ok(payloads)
}

async fn life_3_a_second_cut_shares_the_files_that_did_not_change(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    put_random(cx, &kv, 2000, 4000).await?;
    let first = cut(&*kv.store).await?;
    let total: u64 = first.files().iter().map(|file| file.bytes).sum();
    ensure!(total > 8_000_000, "8 MB of random payloads are {total} bytes in files");
    kv.put_all((0..20).map(|i| (format!("key{i}"), "", vec![7; 4000]))).await?;
    let second = cut(&*kv.store).await?;
    ensure_eq!(second.session(), first.session(), "the session of two cuts without a recover between");
    let mut fresh = 0;
    for file in second.files() {
        match first.files().iter().find(|old| file.stable && old.stable && old.name == file.name) {
            Some(old) => ensure!(
                std::fs::read(&old.path)? == std::fs::read(&file.path)?,
                "{} is stable and differs in two cuts of one session",
                file.name
            ),
            None => fresh += file.bytes,
        }
    }
    ensure!(fresh <= 3 * 20 * 4000 + (1 << 20), "after a change of 80 kB, {fresh} bytes of the second cut are new");
    let kept = Kept::of(&*kv.store).await?;
    restore(&kv.store, &[&kept]).await?;
    ensure!(cut(&*kv.store).await?.session() != first.session(), "a recover did not end the session");
    Ok(())
}

async fn life_3_files_of_a_part_that_a_store_keeps_stay_what_they_were(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    put_random(cx, &kv, 2000, 4000).await?;
    let archived = Kept::of(&*kv.store).await?;
    let mut loader = door(&*kv.store)?.loader(kv.store.groups()).await?;
    let folder = archived.give(&mut *loader, &[])?;
    let kept = loader.publish().await?;
    let kv = kv.again(&kv.store).await?;
    for round in 0..3 {
        let cut = cut(&*kv.store).await?;
        ensure_eq!(cut.session(), kept.session, "the session of a cut after a recovery");
        for file in cut.files().iter().filter(|file| file.stable && kept.folder == folder) {
            if let Some(given) = archived.read(&file.name)? {
                ensure!(std::fs::read(&file.path)? == given, "{} was given, is stable, and differs", file.name);
            }
        }
        // Files come and go.
        put_random(cx, &kv, 500 * (round + 1), 4000).await?;
        kv.store.compact().await?;
    }
    Ok(())
}

async fn life_5_native_recover_makes_the_store_exactly_the_cut(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let before = Contents::of(&*store).await?;
    let kept = Kept::of(&*store).await?;
    ensure_eq!(Contents::of(&*store).await?, before, "the contents after a cut");
    spoil(&states).await?;
    State::register(&store, "later", Model::Kv, |_| {}).await?.put("key", "value").await?;
    store.drop_state(states[1].id).await?;
    for i in 0..3 {
        restore(&store, &[&kept]).await?;
        ensure_eq!(Contents::of(&*store).await?, before, "the contents after recovery {i}");
    }
    let there = cx.elsewhere()?;
    let other = there.open().await?;
    State::register(&other, "kv", Model::Map, |_| {}).await?.put_sub("key", "sub", "of another type").await?;
    restore(&other, &[&kept]).await?;
    ensure_eq!(Contents::of(&*other).await?, before, "the contents of another store");
    Ok(())
}

async fn life_5_what_was_recovered_natively_survives_reopen(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let mut store = states[0].store.clone();
    let before = Contents::of(&*store).await?;
    let kept = Kept::of(&*store).await?;
    spoil(&states).await?;
    restore(&store, &[&kept]).await?;
    for i in 0..2 {
        store = cx.reopen(store).await?;
        ensure_eq!(Contents::of(&*store).await?, before, "the contents after recover and reopen {i}");
    }
    let kv = states[0].again(&store).await?;
    kv.put("key", "writable").await?;
    let store = cx.reopen(store).await?;
    ensure_eq!(kv.again(&store).await?.get("key").await?, Some(bytes("writable")), "a write after recover");
    Ok(())
}

async fn life_5_a_native_recover_that_fails_or_is_dropped_leaves_the_old_content(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let mut store = states[0].store.clone();
    let kept = Kept::of(&*store).await?;
    spoil(&states).await?;
    let before = Contents::of(&*store).await?;
    for name in &kept.names {
        let mut loader = door(&*store)?.loader(store.groups()).await?;
        kept.give(&mut *loader, &[name])?;
        let result = loader.publish().await;
        refused_as(result, &[ErrorKind::Corrupt, ErrorKind::InvalidInput], &format!("a part without {name}"))?;
        ensure_eq!(Contents::of(&*store).await?, before, "the contents after a recovery without {name}");
    }
    let loader = door(&*store)?.loader(store.groups()).await?;
    refused(loader.publish().await, ErrorKind::InvalidInput, "a recovery of no parts")?;
    drop(loaded(&*store, store.groups(), &[&kept]).await?);
    ensure_eq!(Contents::of(&*store).await?, before, "the contents after a dropped recovery");
    states[0].put("key", "the old handles still write").await?;
    let before = Contents::of(&*store).await?;
    if cx.capabilities.persistent {
        store = cx.reopen(store).await?;
    }
    ensure_eq!(Contents::of(&*store).await?, before, "the contents in the end");
    Ok(())
}

async fn life_5_older_state_numbers_are_fenced_after_a_native_recover(cx: &Context) -> Verdict {
    let first = cx.kv().await?;
    let store = first.store.clone();
    first.put("key", "archived").await?;
    let kept = Kept::of(&*store).await?;
    let mut old = vec![first.clone()];
    for i in 0..3 {
        restore(&store, &[&kept]).await?;
        let new = first.again(&store).await?;
        let other = State::register(&store, &format!("other{i}"), Model::Kv, |_| {}).await?;
        ensure!(old.iter().all(|old| old.id != new.id && old.id != other.id), "an old number was given again");
        let fenced = ErrorKind::Fenced;
        for old in &old {
            refused(old.put("key", "from before").await, fenced, "a write through an older handle")?;
            refused(old.get("key").await, fenced, "a read through an older handle")?;
            let scan = ScanRequest::all(old.id, old.group(b"key"));
            refused(store.scan(&scan).finish().await, fenced, "a scan through an older handle")?;
        }
        ensure_eq!(new.get("key").await?, Some(bytes("archived")), "`key` after recovery {i}");
        ensure_eq!(other.entries().await?.len(), 0, "the entries of a new state");
        other.put("key", "other").await?;
        ensure_eq!(new.get("key").await?, Some(bytes("archived")), "`key` beside a new state");
        old.extend([new, other]);
    }
    Ok(())
}

async fn life_5_native_recover_keeps_other_groups(cx: &Context) -> Verdict {
    let states = filled(cx).await?;
    let store = states[0].store.clone();
    let (some, middle) = (KeyGroups::new(0..2, 4)?, KeyGroups::new(1..3, 4)?);
    for groups in [some, middle] {
        let kept = Kept::of(&*store).await?;
        let archived = Contents::within(&*store, groups).await?;
        let [kv, map, list] = &states;
        let states = [kv.again(&store).await?, map.again(&store).await?, list.again(&store).await?];
        spoil(&states).await?;
        let spoilt = Contents::of(&*store).await?;
        loaded(&*store, groups, &[&kept]).await?.publish().await?;
        ensure_eq!(Contents::within(&*store, groups).await?, archived, "the contents of the groups {groups}");
        let (mut now, mut then) = (Contents::of(&*store).await?, spoilt);
        for lines in now.0.values_mut().chain(then.0.values_mut()) {
            lines.retain(|(group, ..)| !groups.contains(*group));
        }
        ensure_eq!(now, then, "the contents of all but {groups}");
    }
    Ok(())
}

async fn life_5_a_snapshot_from_before_a_native_recover_shows_nothing_wrong(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all((0..50).map(|i| (format!("key{i}"), "", "archived"))).await?;
    let kept = Kept::of(&*kv.store).await?;
    kv.put_all((0..60).map(|i| (format!("key{i}"), "", "old"))).await?;
    let snapshot = kv.store.snapshot().await?;
    let files = cut(&*kv.store).await?;
    restore(&kv.store, &[&kept]).await?;
    kv.again(&kv.store).await?.put_all((0..60).map(|i| (format!("key{i}"), "", "new"))).await?;
    match kv.entries_of(&*snapshot).await {
        Err(error) => ensure_eq!(error.kind(), ErrorKind::Fenced, "the kind of: {error}"),
        Ok(entries) => {
            ensure!(
                entries.len() == 60 && entries.iter().all(|e| e.payload == "old"),
                "the snapshot shows {entries:?}"
            );
        }
    }
    for file in files.files() {
        ensure_eq!(std::fs::metadata(&file.path)?.len(), file.bytes, "the size of {} after the recover", file.name);
    }
    Ok(())
}

async fn life_5_readers_and_writers_beside_a_native_recover_see_old_or_new_content(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let store = kv.store.clone();
    let map = State::register(&store, "map", Model::Map, |_| {}).await?;
    kv.put_all((0..40).map(|i| (format!("key{i}"), "", "value"))).await?;
    map.put_all((0..40).map(|i| (format!("key{i}"), "sub", "other"))).await?;
    let kept = Kept::of(&*store).await?;
    let watch = {
        let (kv, map, store) = (kv.clone(), map.clone(), store.clone());
        move || {
            let (kv, map, store) = (kv.clone(), map.clone(), store.clone());
            async move {
                let look = async || {
                    let (kv, map) = (kv.again(&store).await?, map.again(&store).await?);
                    kv.put("key0", "value").await?;
                    let at: Vec<_> = (0..40).map(|i| kv.at(format!("key{i}"), "")).collect();
                    let many = kv.get_many(&at).await?;
                    let one = map.get_sub("key7", "sub").await?;
                    Ok::<_, statehold_core::Error>((many, one, map.entries().await?.len()))
                };
                match look().await {
                    Err(error) if error.kind() == ErrorKind::Fenced || error.is_retryable() => Ok(()),
                    Err(error) => Err(error.into()),
                    Ok((many, one, entries)) => {
                        ensure!(many.iter().all(|p| *p == Some(bytes("value"))), "beside a recover {many:?} is read");
                        ensure_eq!((one, entries), (Some(bytes("other")), 40), "the map beside a recover");
                        Ok(())
                    }
                }
            }
        }
    };
    let step = async |_| restore(&store, &[&kept]).await;
    cx.watching(watch, 8, step).await.map(drop)
}

async fn life_5_of_two_native_loads_the_later_one_counts(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let store = kv.store.clone();
    kv.put("key", "archived").await?;
    let kept = Kept::of(&*store).await?;
    kv.put("key", "live").await?;
    let older = loaded(&*store, store.groups(), &[&kept]).await?;
    let later = loaded(&*store, store.groups(), &[&kept]).await?;
    refused(older.publish().await, ErrorKind::Conflict, "an older load")?;
    ensure_eq!(kv.get("key").await?, Some(bytes("live")), "`key` after the refusal");
    later.publish().await?;
    ensure_eq!(kv.again(&store).await?.get("key").await?, Some(bytes("archived")), "`key` after the later load");
    Ok(())
}

async fn life_5_what_a_crash_leaves_goes_at_the_next_open(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    let store = kv.store.clone();
    let (kept, left) = (Kept::of(&*store).await?, cut(&*store).await?);
    let mut loader = loaded(&*store, store.groups(), &[]).await?;
    let folder = loader.part(store.groups(), Millis(0), 0)?;
    std::fs::write(folder.join("file"), "half of a part")?;
    let mut paths: Vec<_> = left.files().iter().map(|file| file.path.clone()).collect();
    paths.push(folder);
    // Nobody is left to remove them.
    std::mem::forget((left, loader));
    let store = cx.reopen(store).await?;
    for path in paths {
        ensure!(!path.exists(), "{} is still there", path.display());
    }
    let kv = kv.again(&store).await?;
    ensure_eq!(kv.get("key").await?, Some(bytes("value")), "`key` after reopen");
    restore(&store, &[&kept]).await
}

async fn own_2_dropped_native_futures_leave_the_store_usable(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let store = kv.store.clone();
    kv.put_all((0..50).map(|i| (format!("key{i}"), "", "archived"))).await?;
    let kept = Kept::of(&*store).await?;
    for polls in 0..4 {
        kv.again(&store).await?.put_all((0..60).map(|i| (format!("key{i}"), "", "later"))).await?;
        drop(poll_then_drop(door(&*store)?.cut(), polls).await);
        drop(poll_then_drop(door(&*store)?.loader(store.groups()), polls).await);
        let loader = native::loaded(&*store, store.groups(), &[&kept]).await?;
        drop(poll_then_drop(loader.publish(), polls).await);
        // Work that went on after the drop ends before this: it comes behind it, or makes it a conflict.
        let entries = super::own::patiently(ErrorKind::Fenced, || async { kv.again(&store).await?.entries().await });
        let payloads: std::collections::BTreeSet<_> = entries.await?.into_iter().map(|e| e.payload).collect();
        ensure!(payloads.len() == 1, "a recovery dropped after {polls} polls leaves {payloads:?}");
        restore(&store, &[&kept]).await?;
        ensure_eq!(kv.again(&store).await?.entries().await?.len(), 50, "the entries after polls {polls}");
    }
    Ok(())
}
