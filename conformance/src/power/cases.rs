//! The cases: a child at work on a disk that loses its power, or under strace.

use statehold_core::Durability;

use super::{
    disk::{Disk, folder},
    trace::{Event, command, events, said_unsynced},
};
use crate::{
    context::Context,
    crash::{FEW, Ledger, Task, Victim, WRITER, number, recovery},
    failure::{Verdict, ensure, ensure_eq},
};

pub(super) async fn life_1_a_commit_at_power_is_synced_before_it_is_acknowledged(cx: &Context) -> Verdict {
    let out = tempfile::NamedTempFile::new()?;
    let mut child = Victim::start_by(command(out.path())?, cx, Task::CommitFew)?;
    let said = child.rest()?;
    ensure_eq!(said.len() as u64, FEW, "the commits of the child");
    let seen = events(&String::from_utf8_lossy(&std::fs::read(out.path())?));
    let told = seen.iter().filter(|event| matches!(event, Event::Said(_))).count();
    ensure_eq!(told as u64, FEW, "the commits that strace saw acknowledged");
    let dir = cx.dir().canonicalize()?.display().to_string();
    let unsynced = said_unsynced(&seen, &dir);
    ensure!(
        unsynced.is_empty(),
        "commits {unsynced:?} were acknowledged before a file that they wrote was synced (fsync or fdatasync)"
    );
    Ok(())
}

/// Cuts the power while a child is at `task`; answers what it had said last before that, and what it said last at all.
fn cut_power(cx: &Context, disk: &mut Disk, task: Task, after: usize) -> Result<(String, String), crate::Failure> {
    let mut victim = Victim::start(cx, task)?;
    let before = victim.listen(after)?;
    disk.lose_power()?;
    let last = victim.kill()?.pop().unwrap_or_else(|| before.clone());
    disk.power_up()?;
    Ok((before, last))
}

async fn commits_until_power_is_lost(cx: &Context, task: Task, durability: Durability) -> Verdict {
    let mut dice = cx.dice();
    let mut disk = Disk::make()?;
    for round in 0..3 {
        let there = cx.inside(&folder(&disk)?)?;
        let (before, last) = cut_power(&there, &mut disk, task, 1 + dice.below(150))?;
        let (before, acknowledged) = (number(&before)?, number(&last)?);
        let there = cx.inside(&folder(&disk)?)?;
        let store = there.open_with(|request| request.durability = durability).await?;
        let ledger = Ledger::open(&store).await?;
        let (sequence, _) = store.last_marker(WRITER).await?.unwrap_or_default();
        // A machine without power answers nothing. ext4 may still answer the one sync that was under way when it was
        // shut down, and forgets what it had not yet converted (fs/ext4/page-io.c, ext4_end_io_end).
        let kept = before.max(acknowledged.saturating_sub(1));
        let least = if durability == Durability::Power { kept } else { 0 };
        ensure!(
            (least..=acknowledged + 1).contains(&sequence),
            "round {round}: commit {least} was acknowledged before the loss, the last marker after it is {sequence}"
        );
        ensure_eq!(ledger.found().await?, ledger.expected(sequence), "round {round}: what {sequence} commits left");
        store.close().await?;
    }
    Ok(())
}

pub(super) async fn life_1_power_loss_loses_nothing_acknowledged_at_power(cx: &Context) -> Verdict {
    commits_until_power_is_lost(cx, Task::CommitPower, Durability::Power).await
}

pub(super) async fn life_1_power_loss_at_process_leaves_a_prefix_of_the_commits(cx: &Context) -> Verdict {
    commits_until_power_is_lost(cx, Task::CommitProcess, Durability::Process).await
}

pub(super) async fn life_5_power_loss_leaves_old_or_new_content_of_a_recovery(cx: &Context) -> Verdict {
    let mut dice = cx.dice();
    let mut disk = Disk::make()?;
    recovery::begin(&cx.inside(&folder(&disk)?)?).await?;
    for round in 0..4 {
        let there = cx.inside(&folder(&disk)?)?;
        cut_power(&there, &mut disk, Task::Recover, 1 + dice.below(60))?;
        recovery::old_or_new(&cx.inside(&folder(&disk)?)?, round).await?;
    }
    Ok(())
}
