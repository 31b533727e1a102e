//! [`serve`]: a side's process; [`ask`]: one line to it.

use std::{process::ExitCode, time::Instant};

use statehold_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader, stdin, stdout};

use crate::{
    Access,
    case::Open,
    meter::Usage,
    protocol::{Answer, Ask, Turned},
    turn::{Part, turn},
    workload::{Ops, Row, Work, rows},
};

fn broken(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unavailable, "the bench and one of its sides do not understand each other").because(e)
}

/// Writes one line.
///
/// # Errors
/// `Unavailable` if nobody reads it.
async fn tell(to: &mut (impl AsyncWrite + Unpin), message: &impl serde::Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(message).map_err(broken)?;
    line.push(b'\n');
    to.write_all(&line).await.map_err(broken)?;
    to.flush().await.map_err(broken)
}

/// Reads one line; `None` at the end.
///
/// # Errors
/// `Unavailable` if it is no message.
async fn hear<T: serde::de::DeserializeOwned>(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<T>> {
    let mut line = String::new();
    if from.read_line(&mut line).await.map_err(broken)? == 0 {
        return Ok(None);
    }
    serde_json::from_str(&line).map(Some).map_err(broken)
}

/// Tells `question` and hears the answer.
///
/// # Errors
/// `Unavailable` if the side has ended.
pub async fn ask(
    to: &mut (impl AsyncWrite + Unpin),
    from: &mut (impl AsyncBufRead + Unpin),
    question: &Ask,
) -> Result<Answer> {
    tell(to, question).await?;
    hear(from).await?.ok_or_else(|| {
        Error::new(ErrorKind::Unavailable, "a side of the bench has ended").advise("see what it wrote before")
    })
}

/// The row that is being worked on.
struct Current {
    number: usize,
    ops: Ops,
    /// Nanoseconds that an operation took in the turn before.
    pace: Option<u64>,
}

/// An open side.
struct Side<A: Access> {
    access: A,
    clients: Vec<A::Client>,
    tasks: usize,
    rows: Vec<Row>,
    current: Option<Current>,
}

impl<A: Access> Side<A> {
    async fn turn(&mut self, number: usize, from: usize, to: usize) -> Result<Turned> {
        let row = self.rows.get(number).ok_or_else(|| Error::internal(format!("there is no row {number}")))?;
        let begin = match &row.work {
            Work::Step(step) => {
                self.clients.clear();
                self.access.ready(*step).await?;
                let before = Usage::now();
                let begun = Instant::now();
                self.access.step(*step).await?;
                let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
                let usage = Usage::now().since(&before);
                return Ok(Turned { nanos, longest: nanos, latency: vec![(nanos, 1)], usage, checksum: 0 });
            }
            Work::Ops(begin) => begin,
        };
        if self.current.as_ref().is_none_or(|current| current.number != number) {
            self.current = Some(Current { number, ops: begin(), pace: None });
        }
        while self.clients.len() < self.tasks {
            self.clients.push(self.access.client().await?);
        }
        let Some(current) = &mut self.current else { return Err(Error::internal("no row was begun")) };
        let part = Part { ops: &current.ops, range: from..to, keys_only: row.keys_only };
        let turned = turn(&mut self.clients, part, current.pace).await?;
        current.pace = Some(turned.nanos * self.tasks as u64 / (to - from).max(1) as u64);
        Ok(turned)
    }
}

async fn answered<A: Access>(open: impl AsyncFn(&Open) -> Result<A>) -> Result<()> {
    let (mut from, mut to) = (BufReader::new(stdin()), stdout());
    let Some(Ask::Open(request)) = hear(&mut from).await? else {
        return Err(broken("the first message is not `open`"));
    };
    let access = match open(&request).await {
        Ok(access) => access,
        Err(error) => return tell(&mut to, &refusal(&error)).await,
    };
    let opened = Answer::Opened { durability: access.durability(), engine: access.engine() };
    tell(&mut to, &opened).await?;
    let rows = rows(&request.case)?;
    let mut side = Side { access, clients: Vec::new(), tasks: request.case.tasks.max(1), rows, current: None };
    // The bench has gone at the end of its lines: what was made is removed all the same.
    while let Some(question) = hear(&mut from).await? {
        let Ask::Turn { row, from, to: end } = question else { break };
        let answer = match side.turn(row, from, end).await {
            Ok(turned) => Answer::Done(Box::new(turned)),
            Err(error) => refusal(&error),
        };
        tell(&mut to, &answer).await?;
    }
    side.clients.clear();
    let answer = side.access.close().await.map_or_else(|error| refusal(&error), |()| Answer::Closed);
    tell(&mut to, &answer).await
}

fn refusal(error: &Error) -> Answer {
    if error.kind() == ErrorKind::Unsupported {
        return Answer::Skipped(error.message().to_owned());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    Answer::Failed(text)
}

/// A side's whole life: opens what the first line asks for and answers line after line, until it is told to close or
/// the bench has gone. Standard output belongs to the answers.
pub async fn serve<A: Access>(open: impl AsyncFn(&Open) -> Result<A>) -> ExitCode {
    match answered(open).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever would read an answer has gone.
        Err(_) => ExitCode::FAILURE,
    }
}
