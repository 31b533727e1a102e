//! [`SideProcess`]: a side, as the bench sees it.

use std::{path::PathBuf, process::Stdio};

use statehold::{Error, ErrorKind, Result};
use statehold_bench_kit::{
    ask,
    case::Open,
    protocol::{Answer, Ask, Turned},
};
use tokio::{
    io::BufReader,
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::sides::SIDE;

/// Rivals' program, unless it lies beside this one.
pub(crate) const PEERS: &str = "STATEHOLD_BENCH_PEERS";

/// A running side.
pub(crate) struct SideProcess {
    name: String,
    store: String,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    pub(crate) durability: String,
    pub(crate) engine: Option<String>,
}

/// What a side can answer to what it may not be able to do.
pub(crate) type Can<T> = std::result::Result<T, String>;

/// The program of a side: this one, or the rivals'.
///
/// # Errors
/// `NotFound` saying how the rivals' is built.
pub(crate) fn program(side: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|e| Error::internal("this program's file is unknown").because(e))?;
    if side != "opendal" {
        return Ok(own);
    }
    let given = std::env::var_os(PEERS).map(PathBuf::from);
    let found = given.unwrap_or_else(|| own.with_file_name("statehold-bench-peers"));
    if !found.is_file() {
        return Err(Error::new(ErrorKind::NotFound, format!("there are no rivals at {}", found.display()))
            .advise(format!("build them with `make peers`, or name their program in {PEERS}")));
    }
    Ok(found)
}

impl SideProcess {
    /// Starts a side; the reason if it cannot do this at all. One that counts allocations is slower.
    ///
    /// # Errors
    /// What starting the process or opening the store fails with.
    pub(crate) async fn start(open: Open, counts: bool) -> Result<Can<Self>> {
        let mut command = Command::new(program(&open.side)?);
        command.env(SIDE, format!("{}:{}", open.side, open.kind));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        if counts {
            // jemalloc counts what a thread's cache hands out only when it is emptied.
            command.env("MALLOC_CONF", "tcache:false");
        }
        // An interrupt is the bench's to handle: it lets its sides clean up.
        command.process_group(0);
        let mut child = command.spawn().map_err(|e| Error::internal("a side does not start").because(e))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::internal("a side has no pipes"));
        };
        let (name, store) = (open.side.clone(), open.store.clone());
        let from = BufReader::new(from);
        let mut side = Self { name, store, child, to, from, durability: String::new(), engine: None };
        match side.ask(&Ask::Open(Box::new(open))).await? {
            Answer::Opened { durability, engine } => {
                (side.durability, side.engine) = (durability, engine);
                Ok(Ok(side))
            }
            Answer::Skipped(reason) => Ok(Err(reason)),
            answer => Err(side.failed(answer)),
        }
    }

    fn failed(&self, answer: Answer) -> Error {
        let text = match answer {
            Answer::Failed(text) => text,
            other => format!("it answered {other:?}"),
        };
        Error::new(ErrorKind::Unavailable, format!("side `{}` failed: {text}", self.name))
            .in_store(self.store.clone())
            .advise("mend that and run it again; what it had made was removed")
    }

    async fn ask(&mut self, question: &Ask) -> Result<Answer> {
        let answered = ask(&mut self.to, &mut self.from, question).await;
        answered.map_err(|e| e.in_store(self.store.clone()).about(self.name.clone()))
    }

    /// One turn; the reason if the side cannot do it.
    ///
    /// # Errors
    /// What it failed with.
    pub(crate) async fn turn(&mut self, row: usize, from: usize, to: usize) -> Result<Can<Turned>> {
        match self.ask(&Ask::Turn { row, from, to }).await? {
            Answer::Done(turned) => Ok(Ok(*turned)),
            Answer::Skipped(reason) => Ok(Err(reason)),
            answer => Err(self.failed(answer)),
        }
    }

    /// Closes the store and waits for the process's end.
    ///
    /// # Errors
    /// What it failed with.
    pub(crate) async fn close(mut self) -> Result<()> {
        match self.ask(&Ask::Close).await? {
            Answer::Closed => {}
            answer => return Err(self.failed(answer)),
        }
        let ended = self.child.wait().await;
        ended.map(drop).map_err(|e| Error::internal("a side does not end").because(e))
    }
}
