//! [`Victim`]: a child of a case, from the side that kills it.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use super::{
    child::{DIR, TASK},
    task::Task,
};
use crate::{context::Context, failure::Failure};

/// A child at work. Dropping it kills it.
pub(crate) struct Victim {
    process: Child,
    pub(super) lines: Lines<BufReader<ChildStdout>>,
}

impl Victim {
    pub(crate) fn start(cx: &Context, task: Task) -> Result<Self, Failure> {
        Self::start_by(Command::new(std::env::current_exe()?), cx, task)
    }

    /// Starts a child by a command that runs this executable.
    pub(crate) fn start_by(mut command: Command, cx: &Context, task: Task) -> Result<Self, Failure> {
        command.env(TASK, task.name()).env(DIR, cx.dir());
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let out = process.stdout.take().ok_or_else(|| Failure::new("the child has no output"))?;
        Ok(Self { process, lines: BufReader::new(out).lines() })
    }

    /// Waits until the child has said `n` things; answers the last.
    pub(crate) fn listen(&mut self, n: usize) -> Result<String, Failure> {
        let mut last = String::new();
        for _ in 0..n {
            last =
                self.lines.next().ok_or_else(|| Failure::new("the child ended by itself: see its error above"))??;
        }
        Ok(last)
    }

    /// Kills the child with SIGKILL; answers what it had said meanwhile.
    pub(crate) fn kill(mut self) -> Result<Vec<String>, Failure> {
        self.process.kill()?;
        self.rest()
    }

    /// What the child says until it ends by itself or by a kill.
    pub(crate) fn rest(&mut self) -> Result<Vec<String>, Failure> {
        let said = self.lines.by_ref().collect::<std::io::Result<_>>()?;
        self.process.wait()?;
        Ok(said)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn number(said: &str) -> Result<u64, Failure> {
    said.parse().map_err(|_| Failure::new(format!("the child said `{said}`")))
}
