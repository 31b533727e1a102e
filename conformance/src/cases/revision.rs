//! KV-5: revisions.

use std::collections::BTreeSet;

use statehold_core::{ArchiveStep, Cell, Condition, ErrorKind, Model, Revision, Row};

use crate::{
    Case, Context,
    case::cases,
    context::START,
    failure::{Failure, Verdict, ensure, ensure_eq, refused},
    state::{State, bytes, commit, commit_if, only_revision},
    tape::Tape,
};

pub(super) const CASES: &[Case] = cases![Functional:
    kv_5_a_record_carries_the_revision_that_its_commit_answered(Revisions),
    kv_5_every_change_advances_the_revision(Revisions),
    kv_5_a_batch_answers_one_revision_a_mutation(Revisions),
    kv_5_no_revision_repeats_after_delete(Revisions),
    kv_5_no_revision_repeats_after_a_map_was_removed(Revisions),
    kv_5_no_revision_repeats_after_reopen(Revisions, Persistent),
    kv_5_no_revision_repeats_after_recover(Revisions, Snapshots, Loading),
    kv_5_a_revision_after_recover_is_above_all_that_the_archive_knew(Revisions, Loading),
    kv_5_no_revision_repeats_after_drop(Revisions),
    kv_5_a_subkey_keeps_its_revision_while_others_change(Revisions),
    kv_5_reads_of_all_kinds_show_the_same_revision(Revisions),
    kv_5_states_without_revisions_show_none,
    kv_5_a_revision_condition_without_revisions_is_unsupported,
];

async fn revised(cx: &Context, model: Model) -> Result<State, Failure> {
    Ok(cx.state(model, |s| s.revisions = true).await?)
}

/// The revision that `key` has now.
async fn revision(state: &State, key: &[u8], sub: &[u8]) -> Result<Revision, Failure> {
    let cell = state.cell(key, sub).await?;
    cell.map(|cell| cell.revision).ok_or_else(|| Failure::new(format!("`{}` is not there", key.escape_ascii())))
}

async fn kv_5_a_record_carries_the_revision_that_its_commit_answered(cx: &Context) -> Verdict {
    let kv = revised(cx, Model::Kv).await?;
    for key in ["a", "b", "a", "a"] {
        let committed = kv.put(key, "value").await?;
        let found = revision(&kv, key.as_bytes(), b"").await?;
        ensure_eq!(committed.revisions, [found], "the revision of `{key}`");
    }
    Ok(())
}

async fn kv_5_every_change_advances_the_revision(cx: &Context) -> Verdict {
    let kv = revised(cx, Model::Kv).await?;
    let keys = kv.neighbours("key", 3);
    let mut last = Revision::NONE;
    for i in 0..100 {
        let key = &keys[i % 3];
        let committed = if i % 4 == 3 { kv.delete(key).await? } else { kv.put(key, "the same value").await? };
        let now = only_revision(&committed)?;
        ensure!(now > last, "change {i} of the group has revision {now:?}, the one before had {last:?}");
        last = now;
    }
    Ok(())
}

async fn kv_5_a_batch_answers_one_revision_a_mutation(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    let plain = State::register(&store, "plain", Model::Kv, |_| {}).await?;
    let kv = State::register(&store, "revised", Model::Kv, |s| s.revisions = true).await?;
    let keys = kv.neighbours("key", 5);
    let mut mutations: Vec<_> = keys.iter().map(|key| kv.putting(key, "", "value")).collect();
    mutations.push(plain.putting(&keys[0], "", "value"));
    let mut batch = statehold_core::Batch { mutations, ..Default::default() };
    batch.sort();
    let places: Vec<_> = batch.mutations.iter().map(|m| m.at().clone()).collect();
    let committed = store.commit(batch).finish().await?;
    ensure_eq!(committed.revisions.len(), 6, "the number of revisions of six mutations");
    let cells = store.get_many(&places).finish().await?;
    let found: Vec<_> = cells.into_iter().flatten().map(|cell| cell.revision).collect();
    ensure_eq!(found, committed.revisions, "the revisions of the records, in the batch's order");
    let distinct: BTreeSet<_> = found.iter().filter(|r| r.is_some()).collect();
    ensure_eq!(distinct.len(), 5, "how many different revisions five records have");
    Ok(())
}

/// Puts, deletes and puts `key` again; every revision must be new.
async fn churn(kv: &State, seen: &mut BTreeSet<Revision>, times: usize) -> Verdict {
    for _ in 0..times {
        for committed in [kv.put("key", "value").await?, kv.delete("key").await?] {
            for revision in committed.revisions {
                ensure!(revision.is_some(), "a change of a state with revisions has none");
                ensure!(seen.insert(revision), "{revision:?} was given twice");
            }
        }
    }
    Ok(())
}

async fn kv_5_no_revision_repeats_after_delete(cx: &Context) -> Verdict {
    let kv = revised(cx, Model::Kv).await?;
    let mut seen = BTreeSet::new();
    churn(&kv, &mut seen, 50).await?;
    ensure_eq!(seen.len(), 100, "how many revisions a hundred changes were given");
    Ok(())
}

async fn kv_5_no_revision_repeats_after_a_map_was_removed(cx: &Context) -> Verdict {
    let map = revised(cx, Model::Map).await?;
    let mut seen = BTreeSet::new();
    for i in 0..20 {
        for sub in ["a", "b", "c"] {
            map.put_sub("key", sub, "value").await?;
            let revision = revision(&map, b"key", sub.as_bytes()).await?;
            ensure!(seen.insert(revision), "{revision:?} of subkey `{sub}` repeats in round {i}");
        }
        map.commit(map.removing("key")).await?;
    }
    Ok(())
}

async fn kv_5_no_revision_repeats_after_reopen(cx: &Context) -> Verdict {
    let mut kv = revised(cx, Model::Kv).await?;
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        churn(&kv, &mut seen, 5).await?;
        let store = cx.reopen(kv.store.clone()).await?;
        kv = kv.again(&store).await?;
    }
    ensure_eq!(seen.len(), 40, "how many revisions forty changes were given");
    Ok(())
}

async fn kv_5_no_revision_repeats_after_recover(cx: &Context) -> Verdict {
    let mut kv = revised(cx, Model::Kv).await?;
    let mut seen = BTreeSet::new();
    churn(&kv, &mut seen, 3).await?;
    kv.put("kept", "value").await?;
    let kept = revision(&kv, b"kept", b"").await?;
    let store = kv.store.clone();
    let tape = Tape::record(&*store, store.groups()).await?;
    for _ in 0..3 {
        churn(&kv, &mut seen, 10).await?;
        tape.restore(&*store, store.groups()).await?;
        kv = kv.again(&store).await?;
        ensure_eq!(revision(&kv, b"kept", b"").await?, kept, "the revision of a recovered record");
        let before = seen.last().copied();
        let committed = kv.put("key", "value").await?;
        let first = committed.revisions.first().copied();
        ensure!(first > before, "{first:?} after a recovery is not above {before:?} before it");
        seen.extend(first);
    }
    Ok(())
}

async fn kv_5_a_revision_after_recover_is_above_all_that_the_archive_knew(cx: &Context) -> Verdict {
    // Of a store that was recovered more often than this one ever was, the record having been written long before.
    const INCARNATION: u32 = 900;
    let kv = revised(cx, Model::Kv).await?;
    let key = bytes("key");
    let (value, old) = (kv.seal(b"key", b"", b"old", None).value, Revision::new(3, 7));
    let cell = Cell { value, revision: old, expires_at: None };
    let rows = vec![Row { key: key.clone(), sub: bytes(""), cell }];
    let floor = ArchiveStep::Floor(START, INCARNATION);
    let steps = vec![ArchiveStep::State(1, kv.spec.clone()), ArchiveStep::Rows(1, kv.group(&key), rows), floor];
    Tape { steps }.restore(&*kv.store, kv.store.groups()).await?;
    let kv = kv.again(&kv.store).await?;
    ensure_eq!(revision(&kv, b"key", b"").await?, old, "the revision of the recovered record");
    let next = only_revision(&kv.put("key", "new").await?)?;
    let given = Revision::new(INCARNATION, u64::from(u32::MAX));
    ensure!(next > given, "{next:?} may be one that incarnation {INCARNATION} gave to a record since deleted");
    Ok(())
}

async fn kv_5_no_revision_repeats_after_drop(cx: &Context) -> Verdict {
    let mut kv = revised(cx, Model::Kv).await?;
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        churn(&kv, &mut seen, 5).await?;
        let store = kv.store.clone();
        store.drop_state(kv.id).await?;
        kv = kv.again(&store).await?;
    }
    ensure_eq!(seen.len(), 30, "how many revisions thirty changes were given");
    Ok(())
}

async fn kv_5_a_subkey_keeps_its_revision_while_others_change(cx: &Context) -> Verdict {
    let map = revised(cx, Model::Map).await?;
    map.put_sub("key", "still", "value").await?;
    let before = revision(&map, b"key", b"still").await?;
    for sub in ["", "stil", "still\0", "z"] {
        map.put_sub("key", sub, "value").await?;
        map.commit(map.deleting("key", sub)).await?;
    }
    ensure_eq!(revision(&map, b"key", b"still").await?, before, "the revision of a subkey that nobody touched");
    Ok(())
}

async fn kv_5_reads_of_all_kinds_show_the_same_revision(cx: &Context) -> Verdict {
    let kv = revised(cx, Model::Kv).await?;
    let keys = kv.neighbours("key", 10);
    kv.put_all(keys.iter().map(|key| (key, "", "value"))).await?;
    let rows = statehold_core::collect(&*kv.store, kv.scan(kv.group(&keys[0]))).await?;
    ensure_eq!(rows.len(), 10, "the number of rows scanned");
    for row in rows {
        let got = revision(&kv, &row.key, b"").await?;
        let many = kv.store.get_many(&[kv.at(&row.key, "")]).finish().await?;
        ensure_eq!(row.cell.revision, got, "the revision in a scan against the one in a get");
        ensure_eq!(many[0].as_ref().map(|cell| cell.revision), Some(got), "the revision in a get_many");
    }
    Ok(())
}

async fn kv_5_states_without_revisions_show_none(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let committed = kv.put("key", "value").await?;
    ensure!(committed.revisions.is_empty(), "a commit without revisions answers {:?}", committed.revisions);
    ensure_eq!(revision(&kv, b"key", b"").await?, Revision::NONE, "the revision of a record without");
    Ok(())
}

async fn kv_5_a_revision_condition_without_revisions_is_unsupported(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    kv.put("key", "value").await?;
    let condition = (kv.at("key", ""), Condition::RevisionIs(Revision::NONE));
    let result = commit_if(&*kv.store, vec![condition], vec![kv.putting("key", "", "changed")]).await;
    refused(result, ErrorKind::Unsupported, "a revision condition on a state without revisions")?;
    ensure_eq!(kv.get("key").await?, Some(bytes("value")), "`key` after the refusal");
    commit(&*kv.store, vec![kv.putting("key", "", "still writable")]).await?;
    Ok(())
}
