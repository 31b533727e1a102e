//! BATCH-4 and BATCH-5: commits that are sent again.

use bytes::Bytes;
use statehold_core::{Condition, ErrorKind, MAX_POSITION_BYTES, Marker, Model, WriterId};

use crate::{
    Case, Context,
    case::cases,
    failure::{Verdict, ensure, ensure_eq, refused, refused_as},
    state::{State, bytes, commit_marked},
    tape::Tape,
};

pub(super) const CASES: &[Case] = cases![Functional:
    batch_4_a_commit_sent_again_is_applied_once(Markers),
    batch_4_a_commit_sent_again_gets_the_same_answer(Markers, Revisions),
    batch_4_a_commit_sent_again_after_reopen_is_applied_once(Markers, Persistent),
    batch_4_a_commit_sent_again_does_not_judge_its_conditions_anew(Markers),
    batch_4_an_older_marker_is_a_conflict(Markers),
    batch_4_sequences_may_skip(Markers),
    batch_4_writers_do_not_hinder_each_other(Markers),
    batch_4_a_commit_that_failed_leaves_no_marker(Markers),
    batch_4_of_many_that_send_one_commit_one_applies_it(Markers),
    batch_4_a_position_at_the_limit_works_and_one_over_is_refused(Markers),
    batch_4_recover_forgets_the_markers(Markers, Snapshots, Loading),
    batch_5_the_last_marker_tells_sequence_and_position(Markers, StoreScope),
    batch_5_the_last_marker_survives_reopen(Markers, StoreScope, Persistent),
    batch_5_a_marker_without_changes_moves_the_position(Markers, StoreScope),
    batch_5_recover_forgets_the_position(Markers, StoreScope, Snapshots, Loading),
];

const WRITER: WriterId = WriterId(7);

fn marker(sequence: u64) -> Option<Marker> {
    Some(Marker { writer: WRITER, sequence, position: None })
}

fn at_position(sequence: u64, position: impl AsRef<[u8]>) -> Option<Marker> {
    Some(Marker { writer: WRITER, sequence, position: Some(bytes(position)) })
}

/// Appends `payload` to the list under a marker; appending twice would show.
async fn append_marked(
    list: &State,
    marker: Option<Marker>,
    payload: &str,
) -> statehold_core::Result<statehold_core::Committed> {
    commit_marked(&*list.store, marker, Vec::new(), vec![list.appending("key", &[payload], None)]).await
}

async fn batch_4_a_commit_sent_again_is_applied_once(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    for sequence in 1..20 {
        let payload = sequence.to_string();
        for again in [false, true, true] {
            let committed = append_marked(&list, marker(sequence), &payload).await?;
            ensure_eq!(committed.duplicate, again, "whether commit {sequence} was there before");
        }
    }
    let expected: Vec<Bytes> = (1..20).map(|i| bytes(i.to_string())).collect();
    ensure_eq!(list.elements("key").await?, expected, "the list");
    Ok(())
}

async fn batch_4_a_commit_sent_again_gets_the_same_answer(cx: &Context) -> Verdict {
    let kv = cx.state(Model::Kv, |s| s.revisions = true).await?;
    let keys = kv.neighbours("key", 3);
    let mutations: Vec<_> = keys.iter().map(|key| kv.putting(key, "", "value")).collect();
    let first = commit_marked(&*kv.store, marker(1), Vec::new(), mutations.clone()).await?;
    kv.put(&keys[0], "changed by another").await?;
    let again = commit_marked(&*kv.store, marker(1), Vec::new(), mutations).await?;
    ensure!(again.duplicate, "the second commit does not say that it was there before");
    ensure_eq!(again.revisions, first.revisions, "the revisions of the second answer");
    ensure_eq!(kv.get(&keys[0]).await?, Some(bytes("changed by another")), "a record changed since");
    Ok(())
}

async fn batch_4_a_commit_sent_again_after_reopen_is_applied_once(cx: &Context) -> Verdict {
    let mut list = cx.list().await?;
    for sequence in 1..4 {
        append_marked(&list, marker(sequence), &sequence.to_string()).await?;
        let store = cx.reopen(list.store.clone()).await?;
        list = list.again(&store).await?;
        let again = append_marked(&list, marker(sequence), &sequence.to_string()).await?;
        ensure!(again.duplicate, "commit {sequence} was forgotten by reopen");
        if sequence > 1 {
            let result = append_marked(&list, marker(sequence - 1), "older").await;
            refused(result, ErrorKind::Conflict, "an older marker after reopen")?;
        }
    }
    ensure_eq!(list.elements("key").await?, ["1", "2", "3"].map(bytes), "the list");
    Ok(())
}

async fn batch_4_a_commit_sent_again_does_not_judge_its_conditions_anew(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    for again in [false, true] {
        let absent = vec![(kv.at("key", ""), Condition::Absent)];
        let committed = commit_marked(&*kv.store, marker(1), absent, vec![kv.putting("key", "", "value")]).await?;
        ensure_eq!(committed.duplicate, again, "whether the commit was there before");
    }
    Ok(())
}

async fn batch_4_an_older_marker_is_a_conflict(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    append_marked(&list, marker(5), "five").await?;
    append_marked(&list, marker(6), "six").await?;
    for older in [0, 1, 5] {
        let result = append_marked(&list, marker(older), "older").await;
        refused(result, ErrorKind::Conflict, &format!("marker {older} after 6"))?;
    }
    ensure_eq!(list.elements("key").await?, ["five", "six"].map(bytes), "the list");
    Ok(())
}

async fn batch_4_sequences_may_skip(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    for sequence in [0, 1, 100, u64::from(u32::MAX) + 1, u64::MAX - 1, u64::MAX] {
        let committed = append_marked(&list, marker(sequence), "x").await?;
        ensure!(!committed.duplicate, "marker {sequence} is answered as if it had been there");
    }
    ensure_eq!(list.elements("key").await?.len(), 6, "the length of the list");
    Ok(())
}

async fn batch_4_writers_do_not_hinder_each_other(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    for sequence in (1..10).rev() {
        for again in [false, true] {
            // Each writer comes with a lower number than the one before.
            let writer = WriterId(u128::MAX - u128::from(sequence));
            let marker = Some(Marker { writer, sequence, position: None });
            let committed = append_marked(&list, marker, "x").await?;
            ensure_eq!(committed.duplicate, again, "whether the commit of {writer:?} was there before");
        }
    }
    ensure_eq!(list.elements("key").await?.len(), 9, "the length of the list");
    Ok(())
}

async fn batch_4_a_commit_that_failed_leaves_no_marker(cx: &Context) -> Verdict {
    let kv = cx.kv().await?;
    let present = vec![(kv.at("key", ""), Condition::Present)];
    let put = vec![kv.putting("key", "", "new")];
    let result = commit_marked(&*kv.store, marker(1), present.clone(), put.clone()).await;
    refused(result, ErrorKind::Conflict, "a marked commit whose condition fails")?;
    kv.put("key", "old").await?;
    let committed = commit_marked(&*kv.store, marker(1), present, put).await?;
    ensure!(!committed.duplicate, "a commit that had failed passes for one that was applied");
    ensure_eq!(kv.get("key").await?, Some(bytes("new")), "`key`");
    Ok(())
}

async fn batch_4_of_many_that_send_one_commit_one_applies_it(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    for sequence in 1..30 {
        let applied = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        cx.together(4, |_| {
            let (list, applied) = (list.clone(), applied.clone());
            async move {
                let committed = append_marked(&list, marker(sequence), "x").await?;
                applied.fetch_add(usize::from(!committed.duplicate), std::sync::atomic::Ordering::SeqCst);
                Ok(())
            }
        })
        .await?;
        let applied = applied.load(std::sync::atomic::Ordering::SeqCst);
        ensure_eq!(applied, 1, "how many of four senders of commit {sequence} were the first");
        ensure_eq!(list.elements("key").await?.len() as u64, sequence, "the length of the list");
    }
    Ok(())
}

async fn batch_4_a_position_at_the_limit_works_and_one_over_is_refused(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    append_marked(&list, at_position(1, vec![0xFF; MAX_POSITION_BYTES]), "x").await?;
    let over = append_marked(&list, at_position(2, vec![0xFF; MAX_POSITION_BYTES + 1]), "y").await;
    refused_as(over, &[ErrorKind::LimitExceeded], "a position one byte over the limit")?;
    ensure_eq!(list.elements("key").await?, [bytes("x")], "the list");
    Ok(())
}

async fn batch_4_recover_forgets_the_markers(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    append_marked(&list, marker(5), "archived").await?;
    let store = list.store.clone();
    let tape = Tape::record(&*store, store.groups()).await?;
    append_marked(&list, marker(6), "gone").await?;
    tape.restore(&*store, store.groups()).await?;
    let list = list.again(&store).await?;
    // As numbers of writes that the recovered content never had, one of them older than what it had.
    for sequence in [4, 6] {
        let committed = append_marked(&list, marker(sequence), &sequence.to_string()).await?;
        ensure!(!committed.duplicate, "marker {sequence} is taken for one of before the recovery");
    }
    ensure_eq!(list.elements("key").await?, ["archived", "4", "6"].map(bytes), "the list");
    Ok(())
}

async fn batch_5_the_last_marker_tells_sequence_and_position(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    ensure_eq!(list.store.last_marker(WRITER).await?, None, "the marker of a writer that never wrote");
    append_marked(&list, at_position(3, "offset 30"), "x").await?;
    append_marked(&list, at_position(5, "offset 50"), "y").await?;
    append_marked(&list, at_position(5, "sent again"), "y").await?;
    let last = list.store.last_marker(WRITER).await?;
    ensure_eq!(last, Some((5, Some(bytes("offset 50")))), "the last marker");
    append_marked(&list, marker(6), "z").await?;
    ensure_eq!(list.store.last_marker(WRITER).await?, Some((6, None)), "a marker without position");
    ensure_eq!(list.store.last_marker(WriterId(8)).await?, None, "the marker of another writer");
    Ok(())
}

async fn batch_5_the_last_marker_survives_reopen(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    append_marked(&list, at_position(3, b"\0\xFF"), "x").await?;
    let store = cx.reopen(list.store).await?;
    ensure_eq!(store.last_marker(WRITER).await?, Some((3, Some(bytes(b"\0\xFF")))), "the last marker after reopen");
    Ok(())
}

async fn batch_5_a_marker_without_changes_moves_the_position(cx: &Context) -> Verdict {
    let store = cx.open().await?;
    for (sequence, again) in [(1, false), (2, false), (2, true)] {
        let marker = at_position(sequence, sequence.to_string());
        let committed = commit_marked(&*store, marker, Vec::new(), Vec::new()).await?;
        ensure_eq!(committed.duplicate, again, "whether marker {sequence} was there before");
    }
    ensure_eq!(store.last_marker(WRITER).await?, Some((2, Some(bytes("2")))), "the last marker");
    Ok(())
}

async fn batch_5_recover_forgets_the_position(cx: &Context) -> Verdict {
    let list = cx.list().await?;
    append_marked(&list, at_position(1, "offset 1"), "x").await?;
    let store = list.store.clone();
    let tape = Tape::record(&*store, store.groups()).await?;
    append_marked(&list, at_position(2, "offset 2"), "y").await?;
    tape.restore(&*store, store.groups()).await?;
    ensure_eq!(store.last_marker(WRITER).await?, None, "the marker of a writer of before the recovery");
    Ok(())
}
