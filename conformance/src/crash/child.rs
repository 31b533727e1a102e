//! [`crash_child`]: the part of a crash case that is killed.

use std::{io::Write, path::Path, process::ExitCode, sync::Arc};

use statehold_core::{Durability, Inline, ManualClock, Resources, Result, Store};

use super::task::{Content, Ledger, Task, WRITER};
use crate::{
    context::{GROUPS, START, request},
    state::commit_marked,
    subject::Subject,
};

/// Names the task to a child.
pub(super) const TASK: &str = "STATEHOLD_CRASH_TASK";
/// Names the directory of the case to a child.
pub(super) const DIR: &str = "STATEHOLD_CRASH_DIR";

/// Does the work of a crash case's child if this process is one, until it is killed; `None` if it is not.
///
/// [`main`](crate::main) calls it. A program of its own that [runs](crate::run) crash cases calls it
/// before anything else.
#[must_use]
pub fn crash_child(subject: &Subject) -> Option<ExitCode> {
    let name = std::env::var(TASK).ok()?;
    let dir = std::env::var_os(DIR)?;
    let task = Task::ALL.into_iter().find(|task| task.name() == name)?;
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map(|runtime| runtime.block_on(work(subject, Path::new(&dir), task)));
    // It ends only by being killed: whatever comes here is a failure.
    match ended {
        Ok(Err(error)) => eprintln!("the child failed: {error}"),
        Ok(Ok(())) => {}
        Err(error) => eprintln!("the child has no runtime: {error}"),
    }
    Some(ExitCode::FAILURE)
}

/// Tells the parent. When the parent is gone the child ends.
fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{what}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

async fn work(subject: &Subject, dir: &Path, task: Task) -> Result<()> {
    let site = subject.site(dir);
    let capabilities = site.backend.capabilities(&site.options)?;
    let resources = Resources::new(Arc::new(Inline)).with_clock(Arc::new(ManualClock::new(START)));
    let mut request = request(&site, &capabilities, resources)?;
    if task == Task::CommitVisible {
        request.durability = Durability::Visible;
    }
    let store = site.backend.open(request).await?;
    match task {
        Task::Commit | Task::CommitVisible => commits(&store, capabilities.markers).await,
        Task::Recover => recoveries(&*store).await,
    }
}

async fn commits(store: &Arc<dyn Store>, markers: bool) -> Result<()> {
    let ledger = Ledger::open(store).await?;
    let last = if markers { store.last_marker(WRITER).await?.map_or(0, |(sequence, _)| sequence) } else { 0 };
    for number in last + 1.. {
        let marker = if markers { Ledger::marker(number) } else { None };
        commit_marked(&**store, marker, Vec::new(), ledger.batch(number)).await?;
        say(&number.to_string());
    }
    Ok(())
}

async fn recoveries(store: &dyn Store) -> Result<()> {
    for payload in ["A", "B"].into_iter().cycle() {
        let mut content = Content::of(payload, GROUPS, || say("step"))?;
        store.recover(store.groups(), &mut content).await?;
        say(payload);
    }
    Ok(())
}
