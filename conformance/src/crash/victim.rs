//! [`Victim`]: a child of a case, from the side that kills it.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use super::{
    child::{DIR, TASK},
    task::Task,
};
use crate::{context::Context, dice::Dice, failure::Failure};

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

    /// Waits until the child has said `n` things and then some time, and kills it; answers the last that it said.
    pub(crate) async fn kill_after(mut self, n: usize, dice: &mut Dice) -> Result<String, Failure> {
        let last = self.listen(n)?;
        // So that the kill falls anywhere within what the child does next.
        let some = u64::try_from(dice.below(8000)).unwrap_or(0);
        tokio::time::sleep(Duration::from_micros(some)).await;
        Ok(self.kill()?.pop().unwrap_or(last))
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
