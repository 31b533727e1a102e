//! LIFE-10: dropping a state.

use statehold_core::{ErrorKind, Model, ScanRequest, StateId};

use crate::{
    Case, Context,
    case::cases,
    contents::Contents,
    failure::{Verdict, ensure, ensure_eq, refused},
    state::{State, bytes, spec},
};

pub(super) const CASES: &[Case] = cases![Functional:
    life_10_drop_removes_all_of_a_state_and_nothing_else,
    life_10_a_dropped_state_begins_empty,
    life_10_a_dropped_state_may_come_back_as_another_type,
    life_10_older_handles_are_fenced_after_drop,
    life_10_dropping_what_is_not_there_is_not_found,
    life_10_a_drop_survives_reopen(Persistent),
    life_10_a_dropped_number_is_never_given_again(Persistent),
];

async fn life_10_drop_removes_all_of_a_state_and_nothing_else(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let mut states = Vec::new();
    for (i, name) in ["a", "ab", "a.b", "b", "a0"].into_iter().enumerate() {
        let state = State::register(&store, name, Model::ALL[i % 3], |_| {}).await?;
        for n in 0..100 {
            let key = format!("key{n}");
            match state.spec.model {
                Model::List => state.append(&key, &["1", "2"]).await?,
                Model::Map => state.put_sub(&key, [0xFF, n], name).await?,
                _ => state.put(&key, name).await?,
            };
        }
        states.push(state);
    }
    let mut expected = Contents::of(&*store).await?;
    for state in &states {
        store.drop_state(state.id).await?;
        expected.0.remove(&state.spec.name);
        ensure_eq!(Contents::of(&*store).await?, expected, "the contents when `{}` was dropped", state.spec.name);
    }
    Ok(())
}

async fn life_10_a_dropped_state_begins_empty(cx: &Context) -> Verdict {
    for model in Model::ALL {
        let there = cx.elsewhere()?;
        let mut state = there.state(model, |_| {}).await?;
        for round in 0..3 {
            ensure_eq!(state.entries().await?.len(), 0, "the entries of a {model:?} state in round {round}");
            match model {
                Model::List => state.append("key", &["1", "2"]).await?,
                Model::Map => state.put_sub("key", "sub", "value").await?,
                _ => state.put("key", "value").await?,
            };
            state.store.drop_state(state.id).await?;
            state = state.again(&state.store).await?;
        }
    }
    Ok(())
}

async fn life_10_a_dropped_state_may_come_back_as_another_type(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    kv.store.drop_state(kv.id).await?;
    let map = State::of_spec(&kv.store, spec("state", Model::Map, |s| s.codec = "json".into())?).await?;
    ensure_eq!(map.entries().await?.len(), 0, "the entries of a map in place of a dropped kv");
    map.put_sub("key", "sub", "value").await?;
    ensure_eq!(map.get_sub("key", "sub").await?, Some(bytes("value")), "the map's subkey");
    Ok(())
}

async fn life_10_older_handles_are_fenced_after_drop(cx: &Context) -> Verdict {
    let old = cx.kv().await?;
    old.put("key", "value").await?;
    old.store.drop_state(old.id).await?;
    let new = old.again(&old.store).await?;
    ensure!(new.id != old.id, "the new state has the number of the dropped one");
    let fenced = ErrorKind::Fenced;
    refused(old.put("key", "from before").await, fenced, "a write to a dropped state")?;
    refused(old.get("key").await, fenced, "a read of a dropped state")?;
    let request = ScanRequest::all(old.id, old.group(b"key"));
    refused(old.store.scan(&request).finish().await, fenced, "a scan of a dropped state")?;
    ensure_eq!(new.entries().await?.len(), 0, "the entries of the new state");
    Ok(())
}

async fn life_10_dropping_what_is_not_there_is_not_found(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    let unknown = StateId(kv.id.0.wrapping_add(1000));
    refused(kv.store.drop_state(unknown).await, ErrorKind::NotFound, "dropping a state that never was")?;
    let gone = State::register(&kv.store, "gone", Model::Kv, |_| {}).await?;
    kv.store.drop_state(gone.id).await?;
    refused(kv.store.drop_state(gone.id).await, ErrorKind::NotFound, "dropping a state twice")?;
    ensure_eq!(kv.get("key").await?, Some(bytes("value")), "`key` after the refusals");
    Ok(())
}

async fn life_10_a_drop_survives_reopen(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let other = State::register(&kv.store, "other", Model::Kv, |_| {}).await?;
    kv.put_all((0..100).map(|i| (format!("key{i}"), "", "value"))).await?;
    other.put("key", "stays").await?;
    kv.store.drop_state(kv.id).await?;
    let store = cx.reopen(kv.store.clone()).await?;
    let names: Vec<_> = store.states().await?.into_iter().map(|(_, spec)| spec.name).collect();
    ensure_eq!(names, ["other"], "the states after drop and reopen");
    ensure_eq!(kv.again(&store).await?.entries().await?.len(), 0, "the entries of the dropped state");
    ensure_eq!(other.again(&store).await?.get("key").await?, Some(bytes("stays")), "`key` of the other state");
    Ok(())
}

async fn life_10_a_dropped_number_is_never_given_again(cx: &Context) -> Verdict {
    let mut store = cx.open().await?;
    let mut given = std::collections::BTreeSet::new();
    for round in 0..4 {
        for name in ["a", "b"] {
            let state = State::register(&store, name, Model::Kv, |_| {}).await?;
            ensure!(given.insert(state.id), "{:?} is given again to `{name}` in round {round}", state.id);
            store.drop_state(state.id).await?;
        }
        store = cx.reopen(store).await?;
    }
    Ok(())
}
