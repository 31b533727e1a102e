//! CAP: what is declared is there, what is not declared is `Unsupported`.

use statehold_core::{AtomicScope, Durability, ErrorKind, Limits, Marker, Model, Ownership, WriterId};

use crate::{
    Case, Context,
    case::cases,
    context::START,
    failure::{Verdict, ensure, ensure_eq, refused},
    state::{State, commit_marked},
};

pub(super) const CASES: &[Case] = cases![Functional:
    cap_1_the_declaration_makes_sense,
    cap_1_the_store_declares_what_the_backend_declares,
    cap_1_declaring_opens_nothing,
    cap_1_every_declared_level_opens,
    cap_1_an_undeclared_level_is_unsupported,
    cap_1_an_undeclared_ownership_is_unsupported,
    cap_1_limits_above_the_engines_own_are_refused,
    cap_1_the_engines_own_limits_open,
    cap_1_undeclared_revisions_are_unsupported(NoRevisions),
    cap_1_undeclared_ttl_is_unsupported(NoTtl),
    cap_1_undeclared_markers_are_unsupported(NoMarkers),
    cap_1_undeclared_snapshots_are_unsupported(NoSnapshots),
    cap_1_undeclared_loading_is_unsupported(NoLoading),
    cap_1_an_undeclared_native_archive_has_no_door(NoNative),
    cap_1_declared_revisions_are_given(Revisions),
    cap_1_declared_ttl_is_kept(Ttl),
    cap_1_declared_markers_are_kept(Markers, StoreScope),
    cap_1_declared_persistence_is_kept(Persistent),
];

async fn cap_1_the_declaration_makes_sense(cx: &Context) -> Verdict {
    let declared = &cx.capabilities;
    ensure!(!declared.durability.is_empty(), "no level of durability is declared");
    ensure!(declared.durability.is_sorted(), "the levels are not weakest first: {:?}", declared.durability);
    ensure!(declared.ownership.iter().any(|o| *o != Ownership::ReadOnly), "nobody may write");
    ensure!(declared.max_limits.admit(&Limits::default()), "the default limits are not accepted");
    ensure!(!cx.backend().kind().is_empty(), "the kind has no name");
    Ok(())
}

async fn cap_1_the_store_declares_what_the_backend_declares(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    ensure_eq!(*store.capabilities(), cx.capabilities, "what the opened store declares");
    Ok(())
}

async fn cap_1_declaring_opens_nothing(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    // Neither the lock of the open store nor its files are in the way.
    let request = cx.request()?;
    ensure_eq!(cx.backend().capabilities(&request.options)?, cx.capabilities, "the declaration beside an open store");
    drop(store);
    let dir = tempfile::TempDir::new()?;
    let site = cx.site_in(dir.path());
    let before = std::fs::read_dir(dir.path())?.count();
    site.backend.capabilities(&site.options)?;
    let made = std::fs::read_dir(dir.path())?.count() - before;
    ensure_eq!(made, 0, "how many files were made by declaring alone");
    Ok(())
}

async fn cap_1_every_declared_level_opens(cx: &Context) -> Verdict {
    for level in &cx.capabilities.durability {
        let there = cx.elsewhere()?;
        let store = there.open_with(|request| request.durability = *level).await?;
        State::register(&store, "state", Model::Kv, |_| {}).await?.put("key", "value").await?;
        store.close().await?;
    }
    Ok(())
}

async fn cap_1_an_undeclared_level_is_unsupported(cx: &Context) -> Verdict {
    let declared = &cx.capabilities.durability;
    for level in Durability::ALL.into_iter().filter(|level| !declared.contains(level)) {
        let result = cx.open_with(|request| request.durability = level).await.map(drop);
        let error = refused(result, ErrorKind::Unsupported, &format!("durability {level:?}"))?;
        let advice = error.advice().unwrap_or_default();
        ensure!(declared.iter().any(|d| advice.contains(d.as_str())), "`{advice}` names no level that there is");
    }
    Ok(())
}

async fn cap_1_an_undeclared_ownership_is_unsupported(cx: &Context) -> Verdict {
    let all = [Ownership::Exclusive, Ownership::Shared, Ownership::ReadOnly];
    for ownership in all.into_iter().filter(|o| !cx.capabilities.ownership.contains(o)) {
        let result = cx.open_with(|request| request.ownership = ownership).await.map(drop);
        refused(result, ErrorKind::Unsupported, &format!("ownership {ownership:?}"))?;
    }
    Ok(())
}

async fn cap_1_limits_above_the_engines_own_are_refused(cx: &Context) -> Verdict {
    let most = cx.capabilities.max_limits;
    let over = [
        Limits { key: most.key.saturating_add(1), ..most },
        Limits { sub: most.sub.saturating_add(1), ..most },
        Limits { value: most.value.saturating_add(1), ..most },
        Limits { batch: most.batch.saturating_add(1), ..most },
    ];
    for limits in over.into_iter().filter(|limits| *limits != most) {
        let result = cx.open_with(|request| request.limits = limits).await.map(drop);
        refused(result, ErrorKind::InvalidInput, &format!("{limits:?} where the engine takes {most:?}"))?;
    }
    Ok(())
}

async fn cap_1_the_engines_own_limits_open(cx: &Context) -> Verdict {
    let most = cx.capabilities.max_limits;
    let store = cx.open_with(|request| request.limits = most).await?;
    let map = State::register(&store, "state", Model::Map, |_| {}).await?;
    let (key, sub) = (vec![0; most.key], vec![0xFF; most.sub]);
    map.put_sub(&key, &sub, "value").await?;
    let found = map.get_sub(&key, &sub).await?;
    ensure!(found.is_some(), "a key of {} and a subkey of {} bytes are not found", most.key, most.sub);
    ensure_eq!(map.entries().await?.len(), 1, "the number of entries");
    Ok(())
}

async fn cap_1_undeclared_revisions_are_unsupported(cx: &Context) -> Verdict {
    let result = cx.state(Model::Kv, |s| s.revisions = true).await.map(drop);
    refused(result, ErrorKind::Unsupported, "a state with revisions")?;
    Ok(())
}

async fn cap_1_undeclared_ttl_is_unsupported(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    for model in Model::ALL {
        let result = State::register(&store, "state", model, |s| s.ttl = true).await.map(drop);
        refused(result, ErrorKind::Unsupported, &format!("a {model:?} state with ttl"))?;
    }
    Ok(())
}

async fn cap_1_undeclared_markers_are_unsupported(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let marker = Some(Marker { writer: WriterId(1), sequence: 1, position: None });
    let result = commit_marked(&*kv.store, marker, Vec::new(), vec![kv.putting("key", "", "value")]).await;
    refused(result, ErrorKind::Unsupported, "a commit with a marker")?;
    ensure_eq!(kv.get("key").await?, None, "`key` after the refusal");
    refused(kv.store.last_marker(WriterId(1)).await, ErrorKind::Unsupported, "asking for the last marker")?;
    Ok(())
}

async fn cap_1_undeclared_snapshots_are_unsupported(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    refused(store.snapshot().await.map(drop), ErrorKind::Unsupported, "a snapshot")?;
    let archived = crate::tape::Tape::record(&*store, store.groups()).await.map(drop);
    refused(archived, ErrorKind::Unsupported, "an archive")?;
    Ok(())
}

async fn cap_1_undeclared_loading_is_unsupported(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    refused(store.loader(store.groups()).await.map(drop), ErrorKind::Unsupported, "a loader")?;
    let recovered = crate::tape::Tape::default().restore(&*store, store.groups()).await;
    refused(recovered, ErrorKind::Unsupported, "a recovery")?;
    Ok(())
}

async fn cap_1_an_undeclared_native_archive_has_no_door(cx: &Context) -> Verdict {
    ensure!(cx.open().await?.native().is_none(), "there is a door to archives that are not declared");
    Ok(())
}

async fn cap_1_declared_revisions_are_given(cx: &Context) -> Verdict {
    let kv = cx.state(Model::Kv, |s| s.revisions = true).await?;
    let committed = kv.put("key", "value").await?;
    ensure!(committed.revisions.iter().any(|r| r.is_some()), "a state with revisions answers {committed:?}");
    Ok(())
}

async fn cap_1_declared_ttl_is_kept(cx: &Context) -> Verdict {
    let kv = cx.state(Model::Kv, |s| s.ttl = true).await?;
    kv.put_until("key", "value", statehold_core::Millis(START.0 + 1000)).await?;
    cx.clock.advance(5000);
    ensure_eq!(kv.get("key").await?, None, "a record long after its expiry");
    Ok(())
}

async fn cap_1_declared_markers_are_kept(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    ensure_eq!(cx.capabilities.scope, AtomicScope::Store, "the scope");
    let marker = Some(Marker { writer: WriterId(1), sequence: 1, position: None });
    commit_marked(&*kv.store, marker, Vec::new(), vec![kv.putting("key", "", "value")]).await?;
    ensure_eq!(kv.store.last_marker(WriterId(1)).await?, Some((1, None)), "the last marker");
    Ok(())
}

async fn cap_1_declared_persistence_is_kept(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_sub("key", "sub", "value").await?;
    map.store.finish().await?;
    let store = cx.reopen(map.store.clone()).await?;
    ensure_eq!(store.states().await?.len(), 1, "the number of states after reopen");
    ensure!(map.again(&store).await?.get_sub("key", "sub").await?.is_some(), "the record is gone after reopen");
    Ok(())
}
