//! Processes that increment one counter while its server is killed.

use std::{
    io::Read as _,
    process::{Command, Stdio},
};

use statehold::{
    ErrorKind,
    core::{Marker, Ownership, WriterId},
};

use crate::{
    frames::Protocol,
    server::on_both,
    support::{Counter, open_on},
};

const PROCESSES: u64 = 4;
const EACH: u64 = 150;

/// Adds one, exactly: what is unknown is sent again with its marker, what was overtaken is computed anew.
pub(crate) async fn increment_surely(counter: &Counter, writer: u128, sequence: u64) {
    let marker = Marker { writer: WriterId(writer), sequence, position: None };
    let helps = |error: &statehold::Error| assert!(error.is_retryable(), "{error}");
    loop {
        let batch = match counter.plus_one(Some(marker.clone())).await {
            Ok(batch) => batch,
            Err(error) => {
                helps(&error);
                continue;
            }
        };
        loop {
            match counter.store.commit(batch.clone()).finish().await {
                Ok(_) => return,
                // A marker is looked at before conditions: this one is not in.
                Err(error) if error.kind() == ErrorKind::Conflict => break,
                Err(error) => helps(&error),
            }
            tokio::task::yield_now().await;
        }
    }
}

const URL: &str = "STATEHOLD_TEST_INCREMENTS_URL";
const WRITER: &str = "STATEHOLD_TEST_INCREMENTS_WRITER";

/// What each process does.
#[ignore = "the tests below start it, in processes of its own"]
#[tokio::test]
async fn increment_in_this_process() {
    // Whoever started it holds the other end, and is gone when it ends.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    let url = std::env::var(URL).expect("started by a test");
    let writer: u128 = std::env::var(WRITER).unwrap().parse().unwrap();
    let protocol = if url.starts_with("redis") { Protocol::Resp } else { Protocol::Postgres };
    let backend = protocol.backend();
    let store = open_on(&*backend, protocol.options(&url), |r| r.ownership = Ownership::Shared).await.unwrap();
    let counter = Counter::of(store).await.unwrap();
    for sequence in 1..=EACH {
        increment_surely(&counter, writer, sequence).await;
    }
}

/// A process at work. Dropping it kills it.
struct Process(std::process::Child);

impl Process {
    fn start(url: &str, writer: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "increments::increment_in_this_process", "--ignored"]);
        command.env(URL, url).env(WRITER, writer.to_string());
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn ended_well(&mut self) -> bool {
        // `wait` would close the input first, which ends it.
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status.success(),
                None => std::thread::yield_now(),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

on_both! {
    async fn batch_3_four_processes_through_kills_of_the_server_lose_and_double_no_increment(server: Server) {
        let mut server = server;
        let shared = server.open_with(server.options(), |r| r.ownership = Ownership::Shared).await.unwrap();
        let counter = Counter::of(shared).await.unwrap();
        let mut processes: Vec<Process> = (1..=PROCESSES).map(|writer| Process::start(&server.url(), writer)).collect();
        let value = async || loop {
            match counter.value().await {
                Ok(value) => return value.unwrap_or(0),
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        };
        for kill in 1..=3 {
            // In the middle of their work, wherever that is.
            while value().await < kill * EACH {}
            server.kill();
            server.restart();
        }
        assert!(processes.iter_mut().all(Process::ended_well), "a process failed: see above");
        assert_eq!(value().await, PROCESSES * EACH);
    }
}
