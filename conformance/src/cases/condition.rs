//! BATCH-2 and BATCH-3: conditions, and writers that race.

use std::error::Error as _;

use statehold_core::{Address, Condition, ConditionsFailed, Error, ErrorKind, Model, Revision};

use crate::{
    Case, Context,
    case::cases,
    failure::{Failure, Verdict, ensure, ensure_eq, refused},
    state::{State, bytes, commit_if, only_revision},
};

pub(super) const CASES: &[Case] = cases![Functional:
    batch_2_absent_and_present_tell_whether_a_record_is_there,
    batch_2_value_is_compares_the_payload,
    batch_2_value_is_never_compares_the_envelope,
    batch_2_revision_is_holds_of_the_latest_revision_alone(Revisions),
    batch_2_revision_is_fails_where_nothing_is(Revisions),
    batch_2_one_failing_condition_refuses_the_whole_batch,
    batch_2_the_error_lists_every_failing_record,
    batch_2_conditions_may_stand_on_records_that_do_not_change,
    batch_2_conditions_may_stand_on_subkeys,
    batch_2_conditions_without_changes_are_checked,
    batch_2_conditions_are_judged_before_the_batch_is_applied,
    batch_3_increments_by_value_leave_exactly_their_number,
    batch_3_increments_by_revision_leave_exactly_their_number(Revisions),
    batch_3_of_many_that_create_a_record_one_wins,
];

/// The conditions that an error names.
fn failing(error: &Error) -> Result<Vec<usize>, Failure> {
    let cause = error.source().and_then(|source| source.downcast_ref::<ConditionsFailed>());
    cause
        .map(|c| c.failed.clone())
        .ok_or_else(|| Failure::new(format!("`{error}` does not say which conditions failed")))
}

/// Puts `key` if `condition` holds of it, and says whether it did.
async fn put_if(kv: &State, key: &str, condition: Condition, payload: &str) -> Result<bool, Failure> {
    let result = commit_if(&*kv.store, vec![(kv.at(key, ""), condition)], vec![kv.putting(key, "", payload)]).await;
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Conflict => {
            ensure_eq!(failing(&error)?, [0], "the failing conditions of one");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

async fn batch_2_absent_and_present_tell_whether_a_record_is_there(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    ensure!(!put_if(&kv, "key", Condition::Present, "1").await?, "Present holds of an absent record");
    ensure!(put_if(&kv, "key", Condition::Absent, "1").await?, "Absent fails of an absent record");
    ensure!(!put_if(&kv, "key", Condition::Absent, "2").await?, "Absent holds of a present record");
    ensure_eq!(kv.get("key").await?, Some(bytes("1")), "`key` after a refused put");
    ensure!(put_if(&kv, "key", Condition::Present, "3").await?, "Present fails of a present record");
    kv.delete("key").await?;
    ensure!(!put_if(&kv, "key", Condition::Present, "4").await?, "Present holds of a deleted record");
    ensure!(put_if(&kv, "key", Condition::Absent, "").await?, "Absent fails of a deleted record");
    ensure!(put_if(&kv, "key", Condition::Present, "5").await?, "Present fails of an empty value");
    Ok(())
}

async fn batch_2_value_is_compares_the_payload(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    for wrong in ["", "x"] {
        let condition = Condition::ValueIs(bytes(wrong));
        ensure!(!put_if(&kv, "key", condition, "1").await?, "ValueIs({wrong:?}) holds of an absent record");
    }
    for payload in ["", "a", "ab", "a\0"] {
        kv.put("key", payload).await?;
        for other in ["", "a", "ab", "a\0", "b"] {
            let held = put_if(&kv, "key", Condition::ValueIs(bytes(other)), payload).await?;
            ensure_eq!(held, other == payload, "whether ValueIs({other:?}) holds of {payload:?}");
        }
    }
    Ok(())
}

async fn batch_2_value_is_never_compares_the_envelope(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    // The same payload under another schema version has another envelope.
    let at = kv.at("key", "");
    let value = statehold_core::Envelope::of_state("state").seal(9, b"key", b"", None, b"payload");
    kv.commit(statehold_core::Mutation::Put(at, statehold_core::Cell::new(value))).await?;
    let held = put_if(&kv, "key", Condition::ValueIs(bytes("payload")), "new").await?;
    ensure!(held, "ValueIs fails of a value with the same payload and another envelope");
    Ok(())
}

async fn revised(cx: &Context) -> Result<State, Failure> {
    Ok(cx.state(Model::Kv, |s| s.revisions = true).await?)
}

async fn batch_2_revision_is_holds_of_the_latest_revision_alone(cx: &Context) -> Verdict {
    let kv = revised(cx).await?;
    let mut old = vec![Revision::NONE, Revision(u64::MAX)];
    for i in 0..5 {
        let payload = i.to_string();
        let latest = only_revision(&kv.put("key", &payload).await?)?;
        for stale in &old {
            let held = put_if(&kv, "key", Condition::RevisionIs(*stale), "wrong").await?;
            ensure!(!held, "RevisionIs({stale:?}) holds although the record has {latest:?}");
        }
        ensure_eq!(kv.get("key").await?, Some(bytes(payload)), "`key` after refused puts");
        ensure!(put_if(&kv, "key", Condition::RevisionIs(latest), "next").await?, "RevisionIs fails of the latest");
        old.push(latest);
    }
    Ok(())
}

async fn batch_2_revision_is_fails_where_nothing_is(cx: &Context) -> Verdict {
    let kv = revised(cx).await?;
    let put = only_revision(&kv.put("key", "value").await?)?;
    let deleted = only_revision(&kv.delete("key").await?)?;
    for revision in [put, deleted, Revision::NONE] {
        let held = put_if(&kv, "key", Condition::RevisionIs(revision), "wrong").await?;
        ensure!(!held, "RevisionIs({revision:?}) holds of a deleted record");
    }
    ensure_eq!(kv.get("key").await?, None, "`key` after refused puts");
    Ok(())
}

async fn batch_2_one_failing_condition_refuses_the_whole_batch(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys = kv.neighbours("key", 3);
    kv.put(&keys[0], "old").await?;
    let conditions = vec![
        (kv.at(&keys[0], ""), Condition::Present),
        (kv.at(&keys[1], ""), Condition::Absent),
        (kv.at(&keys[2], ""), Condition::Present),
    ];
    let mutations = keys.iter().map(|key| kv.putting(key, "", "new")).collect();
    let result = commit_if(&*kv.store, conditions, mutations).await;
    let error = refused(result, ErrorKind::Conflict, "a batch of which one condition fails")?;
    ensure_eq!(failing(&error)?, [2], "the failing conditions");
    ensure_eq!(kv.get(&keys[0]).await?, Some(bytes("old")), "the first record");
    ensure_eq!(kv.keys().await?, [keys[0].clone()], "the keys");
    Ok(())
}

async fn batch_2_the_error_lists_every_failing_record(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let keys = kv.neighbours("key", 60);
    kv.put_all(keys.iter().step_by(3).map(|key| (key, "", "there"))).await?;
    let conditions: Vec<_> = keys.iter().map(|key| (kv.at(key, ""), Condition::Absent)).collect();
    let result = commit_if(&*kv.store, conditions, vec![kv.putting(&keys[1], "", "new")]).await;
    let error = refused(result, ErrorKind::Conflict, "a batch of which a third of the conditions fails")?;
    let expected: Vec<_> = (0..60).step_by(3).collect();
    ensure_eq!(failing(&error)?, expected, "the failing conditions, ascending");
    Ok(())
}

async fn batch_2_conditions_may_stand_on_records_that_do_not_change(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let lock = State::register(&store, "lock", Model::Kv, |_| {}).await?;
    let data = State::register(&store, "data", Model::Kv, |_| {}).await?;
    let key = &data.neighbours("key", 1)[0];
    let held = |condition| vec![(lock.at(key, ""), condition)];
    commit_if(&*store, held(Condition::Absent), vec![data.putting(key, "", "1")]).await?;
    lock.put(key, "locked").await?;
    let result = commit_if(&*store, held(Condition::Absent), vec![data.putting(key, "", "2")]).await;
    refused(result, ErrorKind::Conflict, "a batch whose condition on another state fails")?;
    ensure_eq!(data.get(key).await?, Some(bytes("1")), "the data");
    commit_if(&*store, held(Condition::ValueIs(bytes("locked"))), vec![data.putting(key, "", "3")]).await?;
    ensure_eq!(data.get(key).await?, Some(bytes("3")), "the data");
    Ok(())
}

async fn batch_2_conditions_may_stand_on_subkeys(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_sub("key", "a", "1").await?;
    let on = |sub: &str, condition| -> Vec<(Address, Condition)> { vec![(map.at("key", sub), condition)] };
    let result = commit_if(&*map.store, on("b", Condition::Present), vec![map.putting("key", "b", "2")]).await;
    refused(result, ErrorKind::Conflict, "Present of a subkey that is absent")?;
    commit_if(&*map.store, on("a", Condition::ValueIs(bytes("1"))), vec![map.putting("key", "a", "2")]).await?;
    commit_if(&*map.store, on("", Condition::Absent), vec![map.putting("key", "", "3")]).await?;
    let expected = [(bytes(""), bytes("3")), (bytes("a"), bytes("2"))];
    ensure_eq!(map.subs("key").await?, expected, "the map");
    Ok(())
}

async fn batch_2_conditions_without_changes_are_checked(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    commit_if(&*kv.store, vec![(kv.at("key", ""), Condition::Present)], Vec::new()).await?;
    let result = commit_if(&*kv.store, vec![(kv.at("key", ""), Condition::Absent)], Vec::new()).await;
    refused(result, ErrorKind::Conflict, "a failing condition without changes")?;
    Ok(())
}

async fn batch_2_conditions_are_judged_before_the_batch_is_applied(cx: &Context) -> Verdict {
    let map = cx.map().await?;
    map.put_sub("key", "a", "1").await?;
    let conditions = vec![(map.at("key", "a"), Condition::Present), (map.at("key", "b"), Condition::Absent)];
    commit_if(&*map.store, conditions, vec![map.removing("key"), map.putting("key", "b", "2")]).await?;
    ensure_eq!(map.subs("key").await?, [(bytes("b"), bytes("2"))], "the map");
    Ok(())
}

const WRITERS: usize = 8;
const INCREMENTS: usize = 25;

/// Raises the number at `key` by one, however often others come between.
async fn increment(kv: &State, key: &str, by_revision: bool) -> Verdict {
    for _ in 0..10_000 {
        let cell = kv.cell(key, "").await?;
        let payload = cell.as_ref().and_then(|cell| statehold_core::Envelope::payload(&cell.value));
        let condition = match (&cell, &payload) {
            (Some(cell), Some(_)) if by_revision => Condition::RevisionIs(cell.revision),
            (Some(_), Some(payload)) => Condition::ValueIs(payload.clone()),
            _ => Condition::Absent,
        };
        let number: usize = payload.and_then(|p| String::from_utf8_lossy(&p).parse().ok()).unwrap_or(0);
        // Between reading and writing the others get their chance.
        tokio::task::yield_now().await;
        if put_if(kv, key, condition, &(number + 1).to_string()).await? {
            return Ok(());
        }
    }
    Err(Failure::new(format!("`{key}` could not be incremented in 10,000 attempts")))
}

async fn race(cx: &Context, kv: &State, by_revision: bool) -> Verdict {
    cx.together(WRITERS, |_| {
        let kv = kv.clone();
        async move {
            for _ in 0..INCREMENTS {
                increment(&kv, "key", by_revision).await?;
            }
            Ok(())
        }
    })
    .await?;
    let expected = bytes((WRITERS * INCREMENTS).to_string());
    ensure_eq!(kv.get("key").await?, Some(expected), "the record that all incremented");
    Ok(())
}

async fn batch_3_increments_by_value_leave_exactly_their_number(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    race(cx, &kv, false).await
}

async fn batch_3_increments_by_revision_leave_exactly_their_number(cx: &Context) -> Verdict {
    let kv = revised(cx).await?;
    race(cx, &kv, true).await
}

async fn batch_3_of_many_that_create_a_record_one_wins(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let wins = std::sync::Arc::new(std::sync::Mutex::new(std::collections::BTreeMap::new()));
    cx.together(WRITERS, |writer| {
        let (kv, wins) = (kv.clone(), wins.clone());
        async move {
            for i in 0..50 {
                let key = format!("key{i}");
                if put_if(&kv, &key, Condition::Absent, &writer.to_string()).await? {
                    let before = wins.lock().map_err(|_| Failure::new("a writer panicked"))?.insert(key, writer);
                    ensure_eq!(before, None, "who created `key{i}` before writer {writer} did");
                }
            }
            Ok(())
        }
    })
    .await?;
    let wins = wins.lock().map_err(|_| Failure::new("a writer panicked"))?.clone();
    ensure_eq!(wins.len(), 50, "how many of fifty records somebody created");
    for (key, writer) in wins {
        ensure_eq!(kv.get(&key).await?, Some(bytes(writer.to_string())), "`{key}`, created by writer {writer}");
    }
    Ok(())
}
