//! The part of crash cases that kills, opens again and compares.

use std::collections::BTreeSet;

use statehold_core::{Durability, ErrorKind, Model, Unclean};

use super::{
    recovery,
    task::{Content, Ledger, ROWS, Task, WIDE, WRITER, recovered_spec},
    victim::{Victim, number},
};
use crate::{
    context::{Context, GROUPS},
    failure::{Verdict, ensure, ensure_eq, refused},
    state::{State, bytes, commit_marked},
};

/// Kills a writer and checks what the store holds, `rounds` times.
async fn kill_writers(cx: &Context, task: Task, rounds: usize, durability: Option<Durability>) -> Verdict {
    let mut dice = cx.dice();
    for round in 0..rounds {
        let victim = Victim::start(cx, task)?;
        let acknowledged = number(&victim.kill_after(1 + dice.below(300), &mut dice).await?)?;
        let store = cx.open_with(|request| request.durability = durability.unwrap_or(request.durability)).await?;
        let ledger = Ledger::open(&store).await?;
        let (sequence, position) = store.last_marker(WRITER).await?.unwrap_or_default();
        // One commit may have been under way, whole or not at all.
        ensure!(
            sequence == acknowledged || sequence == acknowledged + 1,
            "round {round}: commit {acknowledged} was acknowledged, the last marker is {sequence}"
        );
        ensure_eq!(position.as_deref(), Some(&sequence.to_be_bytes()[..]), "the last marker's position");
        ensure_eq!(
            ledger.found().await?,
            ledger.expected(sequence),
            "round {round}: the store after {sequence} commits"
        );
        store.close().await?;
    }
    Ok(())
}

pub(super) async fn life_1_a_killed_writer_loses_nothing_acknowledged(cx: &Context) -> Verdict {
    kill_writers(cx, Task::Commit, 8, None).await
}

pub(super) async fn life_1_a_killed_writer_at_power_loses_nothing_acknowledged(cx: &Context) -> Verdict {
    kill_writers(cx, Task::CommitPower, 3, Some(Durability::Power)).await
}

pub(super) async fn batch_1_a_killed_writer_leaves_each_batch_whole_or_absent(cx: &Context) -> Verdict {
    let mut dice = cx.dice();
    for round in 0..8 {
        let victim = Victim::start(cx, Task::CommitWide)?;
        let acknowledged = number(&victim.kill_after(1 + dice.below(20), &mut dice).await?)?;
        let store = cx.open().await?;
        let kv = State::register(&store, "wide", Model::Kv, |_| {}).await?;
        let entries = kv.entries().await?;
        ensure_eq!(entries.len(), WIDE, "round {round}: the records of a batch");
        let found: BTreeSet<_> = entries.into_iter().map(|entry| entry.payload).collect();
        let either = [acknowledged, acknowledged + 1].map(|n| BTreeSet::from([bytes(n.to_string())]));
        ensure!(
            either.contains(&found),
            "round {round}: batch {acknowledged} was acknowledged, and the store holds parts of {found:?}"
        );
        store.close().await?;
    }
    Ok(())
}

pub(super) async fn batch_4_a_commit_sent_again_after_a_kill_is_applied_once(cx: &Context) -> Verdict {
    let mut dice = cx.dice();
    for round in 0..8 {
        let victim = Victim::start(cx, Task::Commit)?;
        let acknowledged = number(&victim.kill_after(1 + dice.below(40), &mut dice).await?)?;
        let store = cx.open().await?;
        let ledger = Ledger::open(&store).await?;
        // Nobody knows what became of the next one: it is sent again, twice.
        let next = acknowledged + 1;
        for _ in 0..2 {
            commit_marked(&*store, Ledger::marker(next), Vec::new(), ledger.batch(next)).await?;
        }
        ensure_eq!(ledger.found().await?, ledger.expected(next), "round {round}: the store after {next} commits");
        store.close().await?;
    }
    Ok(())
}

pub(super) async fn life_1_a_killed_visible_store_opens_only_by_recover_or_discard(cx: &Context) -> Verdict {
    let open = |unclean| {
        cx.open_with(move |request| {
            request.durability = Durability::Visible;
            request.unclean = unclean;
        })
    };
    for unclean in [Unclean::Recover, Unclean::Discard] {
        let mut victim = Victim::start(cx, Task::CommitVisible)?;
        victim.listen(50)?;
        victim.kill()?;
        for _ in 0..2 {
            let error =
                refused(open(Unclean::Refuse).await.map(drop), ErrorKind::Conflict, "a store not closed cleanly")?;
            ensure!(error.advice().is_some(), "`{error}` does not say what to do");
        }
        // Asking for another level does not get round it.
        refused(cx.open().await.map(drop), ErrorKind::Conflict, "a store not closed cleanly, at a higher level")?;
        let store = open(unclean).await?;
        if unclean == Unclean::Discard {
            ensure_eq!(Ledger::open(&store).await?.kv.entries().await?.len(), 0, "the entries after discard");
        } else {
            store.recover(store.groups(), &mut Content::of("A", GROUPS, || {})?).await?;
            let state = State::of_spec(&store, recovered_spec()?).await?;
            ensure_eq!(state.entries().await?.len(), ROWS, "the entries after recover");
        }
        store.close().await?;
        // Once closed cleanly it opens as ever.
        open(Unclean::Refuse).await?.close().await?;
    }
    Ok(())
}

pub(super) async fn life_5_a_killed_recovery_leaves_old_or_new_content(cx: &Context) -> Verdict {
    let mut dice = cx.dice();
    recovery::begin(cx).await?;
    for round in 0..12 {
        let victim = Victim::start(cx, Task::Recover)?;
        victim.kill_after(1 + dice.below(60), &mut dice).await?;
        recovery::old_or_new(cx, round).await?;
    }
    Ok(())
}

pub(super) async fn own_1_a_second_process_is_refused_until_the_first_is_gone(cx: &Context) -> Verdict {
    let mut victim = Victim::start(cx, Task::Commit)?;
    victim.listen(1)?;
    let error = refused(cx.open().await.map(drop), ErrorKind::Conflict, "a second process")?;
    ensure!(error.advice().is_some(), "`{error}` does not say what to do");
    victim.listen(10)?;
    victim.kill()?;
    let store = cx.open().await?;
    let entries = Ledger::open(&store).await?.kv.entries().await?;
    ensure!(!entries.is_empty(), "what the killed process had committed is gone");
    Ok(())
}

pub(super) async fn own_1_a_second_process_fences_the_first(cx: &Context) -> Verdict {
    for round in 0..3 {
        let mut victim = Victim::start(cx, Task::Commit)?;
        victim.listen(10)?;
        let store = cx.open().await?;
        let ledger = Ledger::open(&store).await?;
        let (taken, _) = store.last_marker(WRITER).await?.unwrap_or_default();
        ensure_eq!(ledger.found().await?, ledger.expected(taken), "round {round}: the store when it was taken over");
        // The child is refused its next commit and ends by itself, having acknowledged nothing since.
        let mut acknowledged = 0;
        for line in victim.lines.by_ref() {
            acknowledged = number(&line?)?;
        }
        ensure!(acknowledged <= taken, "round {round}: {acknowledged} was acknowledged after a takeover at {taken}");
        ensure_eq!(ledger.found().await?, ledger.expected(taken), "round {round}: the store after the zombie's end");
        store.close().await?;
    }
    Ok(())
}
