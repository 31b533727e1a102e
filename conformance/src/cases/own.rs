//! OWN: ownership, cancellation, errors.

use statehold_core::{Error, ErrorKind, KeyGroups, Model, Ownership, ScanRequest};

use crate::{
    Case, Context,
    case::cases,
    failure::{Failure, Verdict, ensure, ensure_eq, refused, refused_as},
    poll::poll_then_drop,
    state::{State, bytes, commit},
    tape::Tape,
};

pub(super) const CASES: &[Case] = cases![Functional:
    own_1_a_second_owner_is_refused(Exclusive, Held),
    own_1_a_second_owner_fences_the_first(Exclusive, Fencing, Persistent),
    own_1_a_fenced_owner_changes_nothing_by_any_way(Exclusive, Fencing, Persistent),
    own_1_an_overlapping_owner_is_refused(Exclusive),
    own_1_owners_of_other_groups_do_not_meet(Exclusive),
    own_1_a_store_dropped_without_close_is_released(Exclusive),
    own_1_a_reader_changes_nothing(ReadOnly, Persistent),
    own_1_a_reader_creates_nothing(ReadOnly),
    own_2_a_dropped_commit_happened_whole_or_not_at_all,
    own_2_dropped_reads_disturb_nothing,
    own_2_a_dropped_archive_disturbs_nothing(Snapshots),
    own_2_a_dropped_recovery_leaves_old_or_new_content(Snapshots, Loading),
    own_2_dropped_operators_leave_the_store_usable,
    own_2_a_dropped_open_leaves_no_lock(Exclusive),
    own_3_errors_say_what_to_do,
    own_3_an_unknown_option_is_refused_and_named,
    own_4_errors_do_not_show_the_options_text,
    own_6_values_come_back_under_their_own_keys,
];

async fn own_1_a_second_owner_is_refused(cx: &Context) -> Verdict {
    let first = cx.open_with(|request| request.ownership = Ownership::Exclusive).await?;
    for _ in 0..2 {
        let second = cx.open_with(|request| request.ownership = Ownership::Exclusive).await.map(drop);
        refused(second, ErrorKind::Conflict, "a second exclusive owner")?;
    }
    let kv = State::register(&first, "state", Model::Kv, |_| {}).await?;
    kv.put("key", "value").await?;
    ensure_eq!(kv.get("key").await?, Some(bytes("value")), "`key` of the first owner");
    Ok(())
}

async fn own_1_a_second_owner_fences_the_first(cx: &Context) -> Verdict {
    let mut first = cx.kv().await?;
    for round in 0..3 {
        first.put("key", format!("round {round}")).await?;
        let second = first.again(&cx.open().await?).await?;
        ensure_eq!(second.get("key").await?, Some(bytes(format!("round {round}"))), "`key` for the second owner");
        refused(first.put("key", "zombie").await, ErrorKind::Fenced, "a commit of the former owner")?;
        second.put("other", "value").await?;
        refused(first.delete("other").await, ErrorKind::Fenced, "a commit of the former owner, later")?;
        ensure_eq!(second.get("key").await?, Some(bytes(format!("round {round}"))), "`key` after the zombie's commit");
        ensure_eq!(second.get("other").await?, Some(bytes("value")), "`other` after the zombie's commit");
        // The former owner's end is not the end of the new one.
        first.store.close().await?;
        first = second;
    }
    Ok(())
}

async fn own_1_a_fenced_owner_changes_nothing_by_any_way(cx: &Context) -> Verdict {
    let zombie = cx.kv().await?;
    zombie.put("key", "value").await?;
    let mut loader = match cx.capabilities.loading {
        true => Some(zombie.store.loader(zombie.store.groups()).await?),
        false => None,
    };
    if let Some(loader) = &mut loader {
        loader.state(&zombie.spec).await?;
        loader.floor(crate::context::START, 1)?;
    }
    let owner = zombie.again(&cx.open().await?).await?;
    let fenced = ErrorKind::Fenced;
    if let Some(loader) = loader {
        refused_as(loader.publish().await, &[fenced, ErrorKind::Conflict], "what a former owner loaded")?;
        refused(zombie.store.loader(zombie.store.groups()).await.map(drop), fenced, "a former owner's recover")?;
    }
    refused(zombie.store.drop_state(zombie.id).await, fenced, "a former owner's drop")?;
    refused(zombie.store.compact().await, fenced, "a former owner's compact")?;
    let new = State::register(&zombie.store, "new", Model::Kv, |_| {}).await.map(drop);
    refused(new, fenced, "a former owner's new state")?;
    ensure_eq!(owner.get("key").await?, Some(bytes("value")), "`key` for the new owner");
    ensure_eq!(owner.store.states().await?.len(), 1, "the number of states");
    owner.put("key", "writable").await?;
    Ok(())
}

async fn own_1_an_overlapping_owner_is_refused(cx: &Context) -> Verdict {
    let first = cx.open_with(|request| request.ownership = Ownership::Exclusive).await?;
    for range in [0..1, 3..4, 1..3] {
        let groups = KeyGroups::new(range, 4)?;
        let result = cx.open_with(|request| request.groups = groups).await.map(drop);
        let kinds = [ErrorKind::Conflict, ErrorKind::InvalidInput];
        refused_as(result, &kinds, &format!("an owner of {groups} beside one of all"))?;
    }
    first.close().await?;
    Ok(())
}

async fn own_1_owners_of_other_groups_do_not_meet(cx: &Context) -> Verdict {
    let mut owners = Vec::new();
    for range in [0..1, 1..3, 3..4] {
        let groups = KeyGroups::new(range, 4)?;
        let store = cx.open_with(|request| request.groups = groups).await?;
        owners.push(State::register(&store, "state", Model::Kv, |_| {}).await?);
    }
    for kv in &owners {
        let own =
            (0..200).map(|i| format!("key{i}")).filter(|key| kv.store.groups().contains(kv.group(key.as_bytes())));
        for key in own {
            kv.put(&key, "value").await?;
        }
    }
    let counts: usize = {
        let mut sum = 0;
        for kv in &owners {
            sum += kv.entries().await?.len();
        }
        sum
    };
    ensure_eq!(counts, 200, "the number of entries of all owners");
    Ok(())
}

async fn own_1_a_store_dropped_without_close_is_released(cx: &Context) -> Verdict {
    for _ in 0..3 {
        let kv = cx.kv().await?;
        kv.put("key", "value").await?;
        ensure_eq!(kv.get("key").await?, Some(bytes("value")), "`key`");
    }
    Ok(())
}

async fn own_1_a_reader_changes_nothing(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    kv.store.finish().await?;
    kv.store.close().await?;
    let store = cx.open_with(|request| request.ownership = Ownership::ReadOnly).await?;
    let (id, _) = store.states().await?.pop().ok_or_else(|| Failure::new("a reader sees no state"))?;
    let reader = kv.again(&store).await?;
    ensure_eq!(reader.id, id, "the state's number for a reader");
    ensure_eq!(reader.get("key").await?, Some(bytes("value")), "`key` for a reader");
    let no = ErrorKind::Unsupported;
    refused(reader.put("key", "changed").await, no, "a reader's write")?;
    refused(store.drop_state(id).await, no, "a reader's drop")?;
    refused(store.compact().await, no, "a reader's compact")?;
    refused(State::register(&store, "new", Model::Kv, |_| {}).await.map(drop), no, "a reader's new state")?;
    if cx.capabilities.loading {
        refused(store.loader(store.groups()).await.map(drop), no, "a reader's recover")?;
    }
    ensure_eq!(reader.get("key").await?, Some(bytes("value")), "`key` after the refusals");
    Ok(())
}

async fn own_1_a_reader_creates_nothing(cx: &Context) -> Verdict {
    let result = cx.open_with(|request| request.ownership = Ownership::ReadOnly).await.map(drop);
    refused(result, ErrorKind::NotFound, "a reader of a store that is not there")?;
    cx.kv().await?.put("key", "value").await?;
    Ok(())
}

/// How often a future is polled before it is dropped.
const POLLS: usize = 6;

async fn own_2_a_dropped_commit_happened_whole_or_not_at_all(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    // A large batch is not answered at once.
    for payload in [vec![1; 10], vec![2; 200_000]] {
        for polls in 0..POLLS {
            // Records of its own: what was dropped before may still be on its way.
            let keys = kv.neighbours(&format!("{} {polls} ", payload.len()), 3);
            let writing = keys.iter().map(|key| kv.putting(key, "", &payload)).collect();
            let done = poll_then_drop(commit(&*kv.store, writing), polls).await;
            let at: Vec<_> = keys.iter().map(|key| kv.at(key, "")).collect();
            let there: Vec<_> = kv.get_many(&at).await?.iter().map(Option::is_some).collect();
            let whole = there.iter().all(|one| *one == there[0]);
            ensure!(whole, "a commit dropped after {polls} polls is there in part: {there:?}");
            if let Some(result) = done {
                result?;
                ensure!(there[0], "a commit that was acknowledged is not there");
            }
        }
    }
    kv.put("usable", "afterwards").await?;
    ensure_eq!(kv.get("usable").await?, Some(bytes("afterwards")), "a write after the dropped ones");
    Ok(())
}

async fn own_2_dropped_reads_disturb_nothing(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all((0..500).map(|i| (format!("key{i}"), "", vec![0; 500]))).await?;
    kv.store.compact().await?;
    let at: Vec<_> = (0..500).map(|i| kv.at(format!("key{i}"), "")).collect();
    for polls in 0..POLLS {
        for i in 0..20 {
            drop(poll_then_drop(kv.get(format!("key{i}")), polls).await);
        }
        drop(poll_then_drop(kv.get_many(&at), polls).await);
        drop(poll_then_drop(kv.entries(), polls).await);
        ensure_eq!(kv.entries().await?.len(), 500, "the entries after reads dropped at poll {polls}");
    }
    Ok(())
}

async fn own_2_a_dropped_archive_disturbs_nothing(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all((0..500).map(|i| (format!("key{i}"), "", i.to_string()))).await?;
    for polls in 0..POLLS {
        drop(poll_then_drop(kv.store.snapshot(), polls).await);
        drop(poll_then_drop(Tape::record(&*kv.store, kv.store.groups()), polls).await);
        kv.put("key0", polls.to_string()).await?;
        ensure_eq!(kv.entries().await?.len(), 500, "the entries after an archive dropped at poll {polls}");
    }
    let tape = Tape::record(&*kv.store, kv.store.groups()).await?;
    ensure_eq!(tape.keys().len(), 500, "the rows of the archive that was not dropped");
    Ok(())
}

async fn own_2_a_dropped_recovery_leaves_old_or_new_content(cx: &Context) -> Verdict {
    let mut kv = cx.kv().await?;
    let store = kv.store.clone();
    kv.put_all((0..50).map(|i| (format!("key{i}"), "", "archived"))).await?;
    let tape = Tape::record(&*store, store.groups()).await?;
    for polls in 0..3 * POLLS {
        kv.put_all((0..60).map(|i| (format!("key{i}"), "", "later"))).await?;
        drop(poll_then_drop(tape.restore(&*store, store.groups()), polls).await);
        let entries = patiently(ErrorKind::Fenced, || async { kv.again(&store).await?.entries().await }).await?;
        let payloads: std::collections::BTreeSet<_> = entries.iter().map(|e| e.payload.clone()).collect();
        let old = entries.len() == 60 && payloads == [bytes("later")].into();
        let new = entries.len() == 50 && payloads == [bytes("archived")].into();
        ensure!(old || new, "a recovery dropped after {polls} polls leaves {} entries of {payloads:?}", entries.len());
        // Work that went on after the drop may still be publishing: a recovery
        // that is waited for comes behind it.
        patiently(ErrorKind::Fenced, || tape.restore(&*store, store.groups())).await?;
        kv = kv.again(&store).await?;
        ensure_eq!(kv.entries().await?.len(), 50, "the entries after the recovery that was not dropped");
    }
    Ok(())
}

/// Tries again as long as the answer is `kind` or says that trying again helps, because work that
/// was dropped is still on its way out.
pub(super) async fn patiently<T, F>(kind: ErrorKind, attempt: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = statehold_core::Result<T>>,
{
    const ATTEMPTS: usize = 100_000;
    for _ in 0..ATTEMPTS {
        match attempt().await {
            Err(error) if error.kind() == kind || error.is_retryable() => tokio::task::yield_now().await,
            result => return Ok(result?),
        }
    }
    Err(Failure::new(format!("the answer is still {kind} after {ATTEMPTS} attempts")))
}

async fn own_2_dropped_operators_leave_the_store_usable(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put_all((0..200).map(|i| (format!("key{i}"), "", "value"))).await?;
    for polls in 0..POLLS {
        let name = format!("other{polls}");
        drop(poll_then_drop(kv.store.finish(), polls).await);
        drop(poll_then_drop(kv.store.compact(), polls).await);
        drop(poll_then_drop(kv.store.states(), polls).await);
        drop(poll_then_drop(State::register(&kv.store, &name, Model::Kv, |_| {}), polls).await);
        let other = State::register(&kv.store, &name, Model::Kv, |_| {}).await?;
        other.put("key", "value").await?;
        drop(poll_then_drop(kv.store.drop_state(other.id), polls).await);
        kv.put("key0", polls.to_string()).await?;
        ensure_eq!(kv.entries().await?.len(), 200, "the entries after operators dropped at poll {polls}");
        let left = State::register(&kv.store, &name, Model::Kv, |_| {}).await?;
        match left.entries().await {
            Ok(entries) => ensure!(entries.len() < 2, "a state dropped at poll {polls} has {} entries", entries.len()),
            Err(error) => ensure_eq!(error.kind(), ErrorKind::Fenced, "the kind of: {error}"),
        }
    }
    Ok(())
}

async fn own_2_a_dropped_open_leaves_no_lock(cx: &Context) -> Verdict {
    cx.kv().await?.store.close().await?;
    for polls in 0..POLLS {
        drop(poll_then_drop(cx.open(), polls).await);
        // The opening that was dropped may still be on its way out.
        let store = patiently(ErrorKind::Conflict, || cx.open()).await?;
        let kv = State::register(&store, "state", Model::Kv, |_| {}).await?;
        kv.put("key", "value").await?;
        store.close().await?;
    }
    Ok(())
}

/// Checks that an error helps: message, advice, kind in the text.
fn helps(error: &Error) -> Verdict {
    ensure!(!error.message().is_empty(), "an error without message: {error:?}");
    ensure!(error.advice().is_some(), "`{error}` does not say what to do");
    ensure!(error.to_string().starts_with(&error.kind().to_string()), "`{error}` does not begin with its kind");
    Ok(())
}

async fn own_3_errors_say_what_to_do(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    let store = &kv.store;
    helps(&refused(kv.put("", "x").await, ErrorKind::InvalidInput, "an empty key")?)?;
    helps(&refused(kv.put(vec![1; 5000], "x").await, ErrorKind::LimitExceeded, "a long key")?)?;
    let other = State::register(store, "state", Model::Map, |_| {}).await.map(drop);
    helps(&refused(other, ErrorKind::Conflict, "another model")?)?;
    let absent = vec![(kv.at("key", ""), statehold_core::Condition::Absent)];
    let failed = crate::state::commit_if(&**store, absent, vec![kv.deleting("key", "")]).await;
    helps(&refused(failed, ErrorKind::Conflict, "a failing condition")?)?;
    store.drop_state(kv.id).await?;
    helps(&refused(kv.get("key").await, ErrorKind::Fenced, "a dropped state")?)?;
    helps(&refused(store.drop_state(kv.id).await, ErrorKind::NotFound, "dropping a dropped state")?)?;
    store.close().await?;
    let request = ScanRequest::all(kv.id, kv.group(b"key"));
    helps(&refused(store.scan(&request).finish().await, ErrorKind::Unavailable, "a scan of a closed store")?)?;
    helps(&refused(store.finish().await, ErrorKind::Unavailable, "finish of a closed store")?)
}

/// The error of opening with an option that does not exist.
async fn unknown_option(cx: &Context) -> Result<Error, Failure> {
    let mut request = cx.request()?;
    request.options.set("no_such_option", "hunter2-the-secret");
    let checked = cx.backend().capabilities(&request.options);
    refused(checked, ErrorKind::InvalidInput, "capabilities with an option that does not exist")?;
    refused(cx.backend().open(request).await.map(drop), ErrorKind::InvalidInput, "an option that does not exist")
}

async fn own_3_an_unknown_option_is_refused_and_named(cx: &Context) -> Verdict {
    let error = unknown_option(cx).await?;
    ensure!(error.to_string().contains("no_such_option"), "`{error}` does not name the option");
    helps(&error)
}

async fn own_4_errors_do_not_show_the_options_text(cx: &Context) -> Verdict {
    let error = unknown_option(cx).await?;
    for text in [error.to_string(), format!("{error:?}")] {
        ensure!(!text.contains("hunter2"), "an error shows the text of an option: {text}");
    }
    Ok(())
}

async fn own_6_values_come_back_under_their_own_keys(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    let mut dice = cx.dice();
    let mut rows: Vec<_> = (0..200).map(|_| (dice.bytes(1, 4), dice.bytes(0, 4), dice.bytes(0, 30))).collect();
    rows.sort();
    rows.dedup_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1));
    map.put_all(rows.iter().map(|(key, sub, payload)| (key, sub, payload))).await?;
    // Every read opens its values, and a value fails its check under any other key.
    for (key, sub, payload) in &rows {
        ensure_eq!(map.get_sub(key, sub).await?, Some(bytes(payload)), "the value of {:?}", (key, sub));
    }
    let at: Vec<_> = rows.iter().map(|(key, sub, _)| map.at(key, sub)).collect();
    let expected: Vec<_> = rows.iter().map(|(_, _, payload)| Some(bytes(payload))).collect();
    ensure_eq!(map.get_many(&at).await?, expected, "the values read at once");
    ensure_eq!(map.entries().await?.len(), rows.len(), "the number of values scanned");
    Ok(())
}
