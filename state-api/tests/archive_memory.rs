//! Archive and recover hold a bounded part of a store, however much it has.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says what it measured"
)]

#[path = "archive/double.rs"]
mod double;

use std::fs;

use async_trait::async_trait;
use bytes::Bytes;
use statehold::{
    TokioPool,
    archive::{Archive, CheckpointId, Cut, Metadata, Select},
};
use statehold_core::{
    Address, Cell, Envelope, Error, KeyGroup, KeyGroups, Loader, Millis, Model, Op, Page, Position, Reads, Resources,
    Result, Row, ScanRequest, Snapshot, StateId, StateSpec,
};

use crate::double::Double;

/// About 100 MiB of keys and values; in one piece as rows, four times that.
const ROWS: u64 = 2_000_000;
const BUDGET: u64 = 64 << 20;

fn row(n: u64) -> Row {
    // Digits that Snappy cannot shorten away.
    let payload = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().repeat(3);
    let key = Bytes::from(format!("key {n:020}"));
    let value = Envelope::of_state("counts").seal(0, &key, b"", None, &payload);
    Row { key, sub: Bytes::new(), cell: Cell::new(value) }
}

/// A cut whose rows are made as they are read.
struct Made;

impl Reads for Made {
    fn get<'a>(&'a self, _: &'a Address) -> Op<'a, Option<Cell>> {
        Op::Ready(Err(Error::unsupported("a cut is only scanned")))
    }

    fn get_many<'a>(&'a self, _: &'a [Address]) -> Op<'a, Vec<Option<Cell>>> {
        Op::Ready(Err(Error::unsupported("a cut is only scanned")))
    }

    fn scan<'a>(&'a self, request: &'a ScanRequest) -> Op<'a, Page> {
        let number = |p: &Position| std::str::from_utf8(&p.key[4..]).unwrap().parse::<u64>().unwrap();
        let from = request.after.as_ref().map_or(0, |after| number(after) + 1);
        let rows: Vec<Row> = (from..ROWS).take(request.limit.rows).map(row).collect();
        let next = rows.last().map(|r| Position { key: r.key.clone(), sub: r.sub.clone() });
        Op::Ready(Ok(Page { rows, next }))
    }
}

#[async_trait]
impl Snapshot for Made {
    fn now(&self) -> Millis {
        Millis(0)
    }

    async fn states(&self) -> Result<Vec<(StateId, StateSpec)>> {
        Ok(vec![(StateId(0), StateSpec::bytes("counts", Model::Kv)?)])
    }

    fn incarnation(&self) -> u32 {
        0
    }
}

/// Compares what is loaded and lets it go.
struct Compare(u64);

#[async_trait]
impl Loader for Compare {
    async fn state(&mut self, _: &StateSpec) -> Result<StateId> {
        Ok(StateId(0))
    }

    async fn load(&mut self, _: StateId, _: KeyGroup, rows: Vec<Row>) -> Result<()> {
        for loaded in rows {
            assert_eq!(loaded, row(self.0));
            self.0 += 1;
        }
        Ok(())
    }

    fn floor(&mut self, _: Millis, _: u32) -> Result<()> {
        Ok(())
    }

    async fn publish(self: Box<Self>) -> Result<()> {
        assert_eq!(self.0, ROWS);
        Ok(())
    }
}

/// A line of `/proc/self/status`, in bytes.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    found.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() << 10
}

#[test]
fn archive_and_recover_of_a_large_store_stay_within_64_mib() {
    // Few threads, as each keeps some memory of its own in the allocator.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).max_blocking_threads(2).build().unwrap();
    let (used, before) = runtime.block_on(archive_and_recover());
    println!("peak {} MiB over {} MiB", used >> 20, before >> 20);
    assert!(used < BUDGET, "{} MiB", used >> 20);
}

/// The memory used at most, and before.
async fn archive_and_recover() -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let archive =
        Archive::open(&url, &"orders".parse().unwrap(), &Resources::new(TokioPool::current(2))).await.unwrap();
    let groups = KeyGroups::all(1).unwrap();
    let store = Double::new(groups, || Box::new(Made), |_| Box::new(Compare(0)));
    let claim = archive.claim(groups, "test", None).await.unwrap();
    let before = memory("VmRSS:");

    let job = async move {
        let cut = Cut::take(&[("local", &store)]).await.unwrap();
        let info = archive.write(&claim, CheckpointId(1), &Metadata::new(), cut).await.unwrap();
        archive.recover_into(Select::Latest, "local", &store, groups).await.unwrap();
        info
    };
    // Spawned: the futures can move between threads.
    let info = tokio::spawn(job).await.unwrap();
    assert_eq!(info.summary.rows, Some(ROWS));
    let objects = &info.contents[0].objects;
    assert!(objects.len() > 2 && info.summary.new_bytes > BUDGET / 2, "{objects:?}");
    assert!(objects.iter().all(|o| o.bytes <= 32 << 20), "{objects:?}");

    (memory("VmHWM:").saturating_sub(before), before)
}
