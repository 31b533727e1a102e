//! LIFE-1, LIFE-9 and LIFE-10: finish, compact, close.

use bytes::Bytes;
use statehold_core::{
    Durability, ErrorKind, KeyGroup, Model, Ownership, ScanRequest, StateSpec, Store, Unclean, WriterId,
};

use crate::{
    Case, Context,
    case::cases,
    contents::Contents,
    context::START,
    failure::{Failure, Verdict, ensure, ensure_eq, refused},
    state::{State, bytes},
};

pub(super) const CASES: &[Case] = cases![Functional:
    life_1_finish_tells_the_level_that_was_asked_for,
    life_1_what_was_finished_survives_close_and_reopen(Persistent),
    life_1_a_store_that_was_closed_cleanly_opens_at_any_level(Persistent),
    life_1_a_visible_store_that_was_not_closed_opens_whole_or_not_at_all(Persistent, Visible, Exclusive),
    life_9_compact_changes_no_answer,
    life_9_compact_removes_nothing_that_lives_and_revives_nothing(Ttl),
    life_9_compact_runs_beside_writes(Ttl),
    life_10_close_releases_the_store(Persistent),
    life_10_closing_twice_is_closing_once,
    life_10_a_closed_store_answers_unavailable,
    life_10_every_handle_of_a_closed_store_is_closed,
];

async fn life_1_finish_tells_the_level_that_was_asked_for(cx: &Context) -> Verdict {
    for level in &cx.capabilities.durability {
        let there = cx.elsewhere()?;
        let store = there.open_with(|request| request.durability = *level).await?;
        let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
        ensure_eq!(store.finish().await?, *level, "the level of a finish without writes");
        kv.put("key", "value").await?;
        ensure_eq!(store.finish().await?, *level, "the level of a finish");
        ensure_eq!(kv.get("key").await?, Some(bytes("value")), "`key` after finish");
    }
    Ok(())
}

async fn life_1_what_was_finished_survives_close_and_reopen(cx: &Context) -> Verdict {
    for level in &cx.capabilities.durability {
        let there = cx.elsewhere()?;
        let store = there.open_with(|request| request.durability = *level).await?;
        let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
        for i in 0..100 {
            kv.put(format!("key{i}"), i.to_string()).await?;
        }
        kv.put("key7", "replaced").await?;
        kv.delete("key8").await?;
        store.finish().await?;
        store.close().await?;
        drop(kv.store);
        drop(store);
        let store = there.open_with(|request| request.durability = *level).await?;
        let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
        ensure_eq!(kv.entries().await?.len(), 99, "the number of entries at level {level:?} after reopen");
        ensure_eq!(kv.get("key7").await?, Some(bytes("replaced")), "a replaced record after reopen");
        ensure_eq!(kv.get("key8").await?, None, "a deleted record after reopen");
        ensure_eq!(kv.get("key99").await?, Some(bytes("99")), "the last record after reopen");
    }
    Ok(())
}

async fn life_1_a_store_that_was_closed_cleanly_opens_at_any_level(cx: &Context) -> Verdict {
    let levels = &cx.capabilities.durability;
    let mut expected: Vec<Bytes> = Vec::new();
    for level in levels.iter().chain(levels.iter().rev()) {
        let store = cx.open_with(|request| request.durability = *level).await?;
        let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
        ensure_eq!(kv.keys().await?, expected, "the keys when opened at level {level:?}");
        let key = format!("key{}", expected.len());
        kv.put(&key, "").await?;
        expected.push(bytes(&key));
        store.close().await?;
    }
    Ok(())
}

async fn life_1_a_visible_store_that_was_not_closed_opens_whole_or_not_at_all(cx: &Context) -> Verdict {
    let open = |unclean| {
        cx.open_with(move |request| {
            request.durability = Durability::Visible;
            request.unclean = unclean;
        })
    };
    let kv = State::register(&open(Unclean::Refuse).await?, "state", Model::Kv, |_| {}).await?;
    for i in 0..20 {
        kv.put(format!("key{i}"), "value").await?;
    }
    drop(kv);
    match open(Unclean::Refuse).await {
        Ok(store) => {
            let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
            ensure_eq!(kv.entries().await?.len(), 20, "the entries of a store that opens although it was not closed");
            store.close().await?;
        }
        Err(error) => {
            ensure_eq!(error.kind(), ErrorKind::Conflict, "the kind of: {error}");
            ensure!(error.advice().is_some(), "`{error}` does not say what to do");
        }
    }
    let store = open(Unclean::Discard).await?;
    store.close().await?;
    Ok(())
}

/// States with some of everything: replaced, deleted, trimmed, removed.
async fn worn(cx: &Context) -> Result<(State, State, State), Failure> {
    let store = cx.open().await?;
    let kv = State::register(&store, "kv", Model::Kv, |_| {}).await?;
    let map = State::register(&store, "map", Model::Map, |_| {}).await?;
    let list = State::register(&store, "list", Model::List, |_| {}).await?;
    let mut dice = cx.dice();
    for i in 0..300 {
        let (key, sub, payload) = (dice.bytes(1, 2), dice.bytes(0, 2), i.to_string());
        // Only puts at first: what is to be worn must be there.
        match if i < 50 { 4 + dice.below(4) } else { dice.below(8) } {
            0 => kv.delete(&key).await?,
            1 => map.commit(map.deleting(&key, &sub)).await?,
            2 => map.commit(map.removing(&key)).await?,
            3 => list.commit(list.trimming(&key, 2)).await?,
            4 => list.append(&key, &[&payload, "x"]).await?,
            5 => map.put_sub(&key, &sub, &payload).await?,
            _ => kv.put(&key, &payload).await?,
        };
    }
    Ok((kv, map, list))
}

async fn life_9_compact_changes_no_answer(cx: &Context) -> Verdict {
    let (kv, map, list) = worn(cx).await?;
    let before = Contents::of(&*kv.store).await?;
    let lists: Vec<_> = list.entries().await?;
    for _ in 0..2 {
        kv.store.compact().await?;
        ensure_eq!(Contents::of(&*kv.store).await?, before, "the contents after compact");
        ensure_eq!(list.entries().await?, lists, "the lists after compact");
    }
    kv.put("a", "new").await?;
    map.put_sub("a", "a", "new").await?;
    ensure_eq!(kv.get("a").await?, Some(bytes("new")), "a record written after compact");
    ensure_eq!(map.get_sub("a", "a").await?, Some(bytes("new")), "a subkey written after compact");
    Ok(())
}

async fn life_9_compact_removes_nothing_that_lives_and_revives_nothing(cx: &Context) -> Verdict {
    let kv = cx.state(Model::Kv, |s| s.ttl = true).await?;
    let list = State::register(&kv.store, "list", Model::List, |s| s.ttl = true).await?;
    for i in 0..200u64 {
        let expires_at = (i % 4 != 0).then(|| statehold_core::Millis(START.0 + i));
        kv.commit(kv.putting_until(format!("key{i}"), "", "value", expires_at)).await?;
        list.commit(list.appending(format!("key{i}"), &["1", "2"], expires_at)).await?;
    }
    cx.clock.advance(100);
    let before = (kv.entries().await?, list.entries().await?);
    ensure_eq!(before.0.len(), 50 + 75, "the live records before compact");
    ensure_eq!(before.1.len(), 2 * before.0.len(), "the live elements before compact");
    let compacted = kv.store.compact().await?;
    let after = (kv.entries().await?, list.entries().await?);
    ensure!(before == after, "compact ({compacted:?}) left {} of {} entries", after.0.len(), before.0.len());
    // An engine may have removed some of them before it was asked to.
    ensure!((1..=150).contains(&compacted.expired), "{compacted:?}, of 75 records and 75 lists that have expired");
    let again = kv.store.compact().await?;
    ensure_eq!(again.expired, 0, "what is reclaimed at once after that");
    cx.clock.set(START);
    let after = (kv.entries().await?, list.entries().await?);
    ensure!(before == after, "a clock that went back after compact shows {} entries", after.0.len());
    Ok(())
}

async fn life_9_compact_runs_beside_writes(cx: &Context) -> Verdict {
    let kv = cx.state(Model::Kv, |s| s.ttl = true).await?;
    for i in 0..200 {
        kv.put_until(format!("expired{i}"), "value", statehold_core::Millis(START.0 - 1)).await?;
    }
    let compacting = {
        let store = kv.store.clone();
        move || {
            let store = store.clone();
            async move {
                store.compact().await?;
                Ok(())
            }
        }
    };
    let step = async |i: usize| {
        // Alive again in the very place of an expired record.
        let key = format!("expired{}", i % 200);
        let before = i.checked_sub(200).map(|before| bytes(before.to_string()));
        ensure_eq!(kv.get(&key).await?, before, "`{key}`, as it was put before");
        kv.put(&key, i.to_string()).await?;
        ensure_eq!(kv.get(&key).await?, Some(bytes(i.to_string())), "`{key}`, put again beside compact");
        Ok(())
    };
    let steps = cx.watching(compacting, 400, step).await?;
    ensure_eq!(kv.entries().await?.len(), 200, "the number of entries");
    for i in steps - 200..steps {
        let key = format!("expired{}", i % 200);
        ensure_eq!(kv.get(&key).await?, Some(bytes(i.to_string())), "`{key}` at the end, as it was put last");
    }
    Ok(())
}

async fn life_10_close_releases_the_store(cx: &Context) -> Verdict {
    let mut kv = cx.kv().await?;
    for i in 0..8 {
        kv.put(format!("key{i}"), "value").await?;
        // The old handle is still held when the store is opened again.
        kv.store.close().await?;
        let store = cx.open().await?;
        let again = kv.again(&store).await?;
        ensure_eq!(again.entries().await?.len(), i + 1, "the number of entries in opening {i}");
        refused(kv.get("key0").await, ErrorKind::Unavailable, "reading through the handle of a closed store")?;
        kv = again;
    }
    Ok(())
}

async fn life_10_closing_twice_is_closing_once(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    for _ in 0..3 {
        kv.store.close().await?;
    }
    if cx.capabilities.persistent {
        let store = cx.open().await?;
        // Nor does a late close of the old handle close the new one.
        kv.store.close().await?;
        kv.again(&store).await?.put("key", "value").await?;
    }
    Ok(())
}

/// Calls everything that a store can do and checks that all is `Unavailable`.
async fn refuse_all(state: &State, spec: &StateSpec, capabilities: &statehold_core::Capabilities) -> Verdict {
    let store: &dyn Store = &*state.store;
    let gone = ErrorKind::Unavailable;
    refused(state.get("key").await, gone, "get on a closed store")?;
    refused(state.get_many(&[state.at("key", "")]).await, gone, "get_many on a closed store")?;
    let request = ScanRequest::all(state.id, KeyGroup(0));
    refused(store.scan(&request).finish().await, gone, "scan on a closed store")?;
    refused(state.put("key", "late").await, gone, "commit on a closed store")?;
    refused(store.states().await, gone, "states on a closed store")?;
    refused(store.register(spec).await, gone, "register on a closed store")?;
    refused(store.finish().await, gone, "finish on a closed store")?;
    refused(store.compact().await, gone, "compact on a closed store")?;
    refused(store.drop_state(state.id).await, gone, "drop_state on a closed store")?;
    if capabilities.markers {
        refused(store.last_marker(WriterId(1)).await, gone, "last_marker on a closed store")?;
    }
    if capabilities.snapshots {
        refused(store.snapshot().await.map(drop), gone, "snapshot on a closed store")?;
    }
    if capabilities.loading {
        refused(store.loader(store.groups()).await.map(drop), gone, "loader on a closed store")?;
    }
    Ok(())
}

async fn life_10_a_closed_store_answers_unavailable(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    kv.store.close().await?;
    refuse_all(&kv, &kv.spec, &cx.capabilities).await?;
    if cx.capabilities.persistent {
        let store = cx.open().await?;
        ensure_eq!(kv.again(&store).await?.get("key").await?, Some(bytes("value")), "`key` after reopen");
    }
    Ok(())
}

async fn life_10_every_handle_of_a_closed_store_is_closed(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let other = kv.clone();
    cx.together(1, |_| {
        let kv = kv.clone();
        async move { Ok(kv.store.close().await?) }
    })
    .await?;
    refuse_all(&other, &kv.spec, &cx.capabilities).await?;
    ensure!(cx.capabilities.ownership.iter().any(|o| *o != Ownership::ReadOnly), "nobody can write the store");
    Ok(())
}
