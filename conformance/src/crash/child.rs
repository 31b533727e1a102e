//! [`crash_child`]: the part of a crash case that is killed.

use std::{io::Write, path::Path, process::ExitCode, sync::Arc};

use statehold_core::{Inline, ManualClock, Model, Resources, Result, Store};

use super::task::{Content, FEW, Ledger, Task, WIDE, WRITER};
use crate::{
    context::{GROUPS, START, request},
    state::{State, commit, commit_marked},
    subject::Subject,
};

/// Names the task to a child.
pub(crate) const TASK: &str = "STATEHOLD_CRASH_TASK";
/// Names the directory of the case to a child.
pub(crate) const DIR: &str = "STATEHOLD_CRASH_DIR";

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
    match ended {
        // Most end only by being killed.
        Ok(Ok(())) => return Some(ExitCode::SUCCESS),
        Ok(Err(error)) => eprintln!("the child failed: {error}"),
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
    request.durability = task.durability().unwrap_or(request.durability);
    let store = site.backend.open(request).await?;
    match task {
        Task::Commit | Task::CommitVisible | Task::CommitProcess | Task::CommitPower => {
            commits(&store, capabilities.markers, u64::MAX).await
        }
        Task::CommitFew => commits(&store, capabilities.markers, FEW).await,
        Task::CommitWide => wide(&store).await,
        Task::Recover => recoveries(&*store).await,
    }
}

async fn commits(store: &Arc<dyn Store>, markers: bool, most: u64) -> Result<()> {
    let ledger = Ledger::open(store).await?;
    let last = if markers { store.last_marker(WRITER).await?.map_or(0, |(sequence, _)| sequence) } else { 0 };
    for number in (last + 1..).take(usize::try_from(most).unwrap_or(usize::MAX)) {
        let marker = if markers { Ledger::marker(number) } else { None };
        commit_marked(&**store, marker, Vec::new(), ledger.batch(number)).await?;
        say(&number.to_string());
    }
    Ok(())
}

async fn wide(store: &Arc<dyn Store>) -> Result<()> {
    let kv = State::register(store, "wide", Model::Kv, |_| {}).await?;
    let keys = kv.neighbours("key", WIDE);
    let last = kv.get(&keys[0]).await?.and_then(|last| std::str::from_utf8(&last).ok()?.parse().ok()).unwrap_or(0);
    for number in last + 1_u64.. {
        let payload = number.to_string();
        commit(&**store, keys.iter().map(|key| kv.putting(key, b"", &payload)).collect()).await?;
        say(&payload);
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
