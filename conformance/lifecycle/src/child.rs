//! The part of a sweep that is killed: does a plan, says each step, and kills itself at one of them.

use std::{
    io::Write,
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

use rustix::process::{Signal, getpid, kill_process};
use statehold::{Error, RecoverFrom, Result, archive::CheckpointForm};
use statehold_conformance::Subject;
use statehold_core::STEPS;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    place::Place,
    plan::{Op, PLANS, World},
};

/// Names plan, form, directory and the step to be killed at to a child.
pub(crate) const TASK: &str = "STATEHOLD_LIFE_TASK";
pub(crate) const FORM: &str = "STATEHOLD_LIFE_FORM";
pub(crate) const DIR: &str = "STATEHOLD_LIFE_DIR";
pub(crate) const KILL_AT: &str = "STATEHOLD_LIFE_KILL_AT";
/// The task that recovers what a killed plan left, `resume-<owners>`.
pub(crate) const RESUME: &str = "resume-";

/// Does a child's work if this process is one; `None` if it is not.
pub(crate) fn child(subject: &Subject) -> Option<ExitCode> {
    let task = std::env::var(TASK).ok()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ended =
        runtime.map_err(|e| Error::internal("no runtime").because(e)).and_then(|r| r.block_on(work(subject, &task)));
    Some(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed {}", error.to_string().replace('\n', " ")));
            ExitCode::FAILURE
        }
    })
}

async fn work(subject: &Subject, task: &str) -> Result<()> {
    let variable = |name| std::env::var(name).map_err(|e| Error::internal(format!("{name} is not set")).because(e));
    let form = variable(FORM)?;
    let form = CheckpointForm::ALL.into_iter().find(|f| f.as_str() == form);
    let form = form.ok_or_else(|| Error::internal("an unknown form"))?;
    let kill_at = variable(KILL_AT)?.parse().map_err(|_| Error::internal("a step that is no number"))?;
    let (owners, ops) = match task.strip_prefix(RESUME) {
        Some(owners) => {
            let owners = owners.parse().map_err(|_| Error::internal("no number of owners"))?;
            (owners, &[Op::Open(RecoverFrom::LatestOrEmpty)][..])
        }
        None => {
            let plan = PLANS.iter().find(|p| p.name == task).ok_or_else(|| Error::internal("an unknown plan"))?;
            (plan.owners, plan.ops)
        }
    };
    let killer = Killer { kill_at, steps: AtomicUsize::new(0) };
    tracing::subscriber::set_global_default(killer).map_err(|e| Error::internal("two listeners").because(e))?;
    let place = Place::new(subject, Path::new(&variable(DIR)?), form, owners)?;
    let (mut job, mut world) = (None, World::default());
    for (at, op) in ops.iter().enumerate() {
        say(&format!("op {at}"));
        op.run(&place, &mut job, &world).await?;
        world.apply(*op);
    }
    say("done");
    // Nothing is closed: what the end of a process does not do, nothing has to do.
    Ok(())
}

/// Tells the parent. When the parent is gone the child ends.
fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{what}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Says each step, and kills the process at the one it is told.
struct Killer {
    kill_at: usize,
    steps: AtomicUsize,
}

struct Name(String);

impl Visit for Name {
    fn record_str(&mut self, _: &Field, value: &str) {
        value.clone_into(&mut self.0);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Subscriber for Killer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == STEPS
    }

    fn event(&self, event: &Event<'_>) {
        let mut name = Name(String::new());
        event.record(&mut name);
        say(&format!("step {}", name.0));
        if self.steps.fetch_add(1, Ordering::SeqCst) == self.kill_at {
            let _ = kill_process(getpid(), Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
