//! [`Told`]: what a child said until it ended or was killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use statehold::archive::CheckpointForm;
use statehold_conformance::Subject;

use crate::{
    child::{DIR, FORM, KILL_AT, TASK},
    failure::Failure,
    place::Place,
};

/// What a child said.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Each step with the number of the op under way.
    pub(crate) steps: Vec<(usize, String)>,
    /// The op under way at the end.
    pub(crate) op: usize,
    /// It came to its end.
    pub(crate) done: bool,
}

/// A child at work. Dropping it kills it.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets a child do `task` in `dir` until the step `kill_at`.
pub(crate) fn run(
    subject: &Subject,
    task: &str,
    form: CheckpointForm,
    dir: &Path,
    kill_at: usize,
) -> Result<Told, Failure> {
    // A subject may leave a note for its children in the place that it makes.
    Place::new(subject, dir, form, 1)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.env(TASK, task).env(FORM, form.as_str()).env(DIR, dir).env(KILL_AT, kill_at.to_string());
    let mut victim = Victim(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
    let out = victim.0.stdout.take().ok_or_else(|| Failure::new("the child has no output"))?;
    let mut told = Told::default();
    for line in BufReader::new(out).lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("step", name)) => told.steps.push((told.op, name.to_owned())),
            Some(("op", at)) => told.op = at.parse().map_err(|_| Failure::new(format!("the child said `{line}`")))?,
            Some(("failed", why)) => return Err(Failure::new(format!("op {} of `{task}` failed: {why}", told.op))),
            _ => told.done = line == "done",
        }
    }
    victim.0.wait()?;
    Ok(told)
}
