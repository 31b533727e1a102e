//! Drives the binary as the bench does, and proves by checksums that it did what a map would do.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::{collections::HashMap, path::Path, process::Stdio};

use statehold_bench_kit::{
    Op, ask,
    case::{Case, Open, Place},
    op::{head, modified},
    protocol::{Answer, Ask},
    workload::{Work, rows},
};
use tokio::{
    io::BufReader,
    process::{Child, ChildStdin, ChildStdout, Command},
};

const N: u64 = 1_000;
/// So many operations in one turn.
const TURN: usize = 300;

/// The binary, with its pipes.
struct Driven {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Driven {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statehold-bench-peers"));
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
        let to = process.stdin.take().expect("a pipe");
        let from = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, to, from }
    }

    async fn ask(&mut self, question: Ask) -> Answer {
        ask(&mut self.to, &mut self.from, &question).await.expect("an answer")
    }

    async fn close(mut self) {
        assert!(matches!(self.ask(Ask::Close).await, Answer::Closed));
        assert!(self.process.wait().await.expect("it ends").success());
    }
}

/// What a map in memory answers.
#[derive(Default)]
struct Model(HashMap<u64, Vec<u8>>);

impl Model {
    /// The answer; none for what OpenDAL has not.
    fn apply(&mut self, op: Op) -> Option<u64> {
        let read = |map: &HashMap<u64, Vec<u8>>, key: &u64| head(&map[key]);
        Some(match op {
            Op::Put(key, value) => {
                self.0.insert(key, value.into());
                0
            }
            Op::PutMany(records) => {
                self.0.extend(records.into_iter().map(|(key, value)| (key, value.into())));
                0
            }
            Op::Get(key) => read(&self.0, &key),
            Op::GetAbsent(key) => u64::from(!self.0.contains_key(&key)),
            Op::GetMany(keys) => keys.iter().fold(0, |sum, key| sum.wrapping_add(read(&self.0, key))),
            Op::Modify(key) => {
                let before = self.0[&key].clone();
                let answer = head(&before);
                self.0.insert(key, modified(before).into());
                answer
            }
            Op::Increment(key) => {
                let count = self.0.get(&key).map_or(0, |value| head(value)) + 1;
                self.0.insert(key, count.to_le_bytes().into());
                count
            }
            Op::CountKeys => self.0.len() as u64,
            _ => return None,
        })
    }
}

fn open(kind: &str, url: Option<&str>, dir: &Path, case: &Case) -> Open {
    let name = format!("bench_{}_{}", std::process::id(), case.workload.replace('-', "_"));
    Open {
        side: "opendal".into(),
        kind: kind.into(),
        config: dir.join("none.toml"),
        store: "none".into(),
        durability: None,
        memory: 64 << 20,
        place: Place { dir: dir.to_owned(), name, url: url.map(str::to_owned) },
        case: case.clone(),
    }
}

/// Runs a whole case; answers the names of the rows that were skipped, and what was told at the beginning.
async fn run(open: Open) -> (Vec<String>, String, Option<String>) {
    let (case, mut driven, mut model) = (open.case.clone(), Driven::start(), Model::default());
    let Answer::Opened { durability, engine } = driven.ask(Ask::Open(Box::new(open))).await else {
        panic!("it does not open")
    };
    let mut skipped = Vec::new();
    for (number, row) in rows(&case).expect("a workload").iter().enumerate() {
        let Work::Ops(begin) = &row.work else {
            let answer = driven.ask(Ask::Turn { row: number, from: 0, to: 1 }).await;
            assert!(matches!(answer, Answer::Skipped(_)), "{}: {answer:?}", row.name);
            skipped.push(row.name.clone());
            continue;
        };
        let ops = begin();
        for from in (0..row.ops).step_by(TURN) {
            let to = (from + TURN).min(row.ops);
            match driven.ask(Ask::Turn { row: number, from, to }).await {
                Answer::Done(turned) => {
                    let sum = (from..to).fold(0_u64, |sum, at| {
                        sum.wrapping_add(model.apply(ops(at)).expect("OpenDAL has not what it answered"))
                    });
                    assert_eq!(turned.checksum, sum, "{} {}: {from}..{to}", case.workload, row.name);
                    assert!(turned.usage.allocations.is_some(), "jemalloc is not the allocator: {turned:?}");
                }
                Answer::Skipped(reason) => {
                    assert!(reason.starts_with("OpenDAL "), "{reason}");
                    skipped.push(row.name.clone());
                    break;
                }
                answer => panic!("{} {}: {answer:?}", case.workload, row.name),
            }
        }
    }
    driven.close().await;
    (skipped, durability, engine)
}

fn case(workload: &str, tasks: usize) -> Case {
    Case { workload: workload.into(), n: N, value: 100, tasks, tight: false }
}

/// Every workload that OpenDAL can do some of; answers the engine.
async fn all(kind: &str, url: Option<&str>, durability: Option<&str>, told: &str) -> String {
    let mut engines = Vec::new();
    let lists = kind == "rocksdb";
    let cases: [(&str, usize, &[&str]); 7] = [
        ("operations", 1, &["map_put", "map_get"]),
        ("values", 1, if lists { &[] } else { &["value_scan_keys"] }),
        ("ycsb-a", 1, &[]),
        ("ycsb-f", 1, &[]),
        ("batches", 1, &[]),
        ("words", 1, &[]),
        ("tasks", 64, &[]),
    ];
    for (workload, tasks, without) in cases {
        let dir = tempfile::tempdir().expect("a folder");
        let mut open = open(kind, url, dir.path(), &case(workload, tasks));
        open.durability = durability.map(str::to_owned);
        let (skipped, durability, engine) = run(open).await;
        assert_eq!(skipped, without, "{workload}");
        assert_eq!(durability, told);
        engines.extend(engine);
    }
    engines.pop().expect("an engine")
}

#[tokio::test]
async fn rocksdb_does_what_a_map_does() {
    let engine = all("rocksdb", None, Some("visible"), "process").await;
    assert!(engine.contains(" on RocksDB 10."), "{engine}");
}

#[tokio::test]
async fn what_is_not_here_is_skipped() {
    let dir = tempfile::tempdir().expect("a folder");
    for workload in ["maps", "lists"] {
        let (skipped, ..) = run(open("rocksdb", None, dir.path(), &case(workload, 1))).await;
        assert_eq!(skipped.len(), 5, "{workload}: {skipped:?}");
    }
    let mut driven = Driven::start();
    let answer = driven.ask(Ask::Open(Box::new(open("redb", None, dir.path(), &case("words", 1))))).await;
    assert!(matches!(&answer, Answer::Skipped(reason) if reason.contains("`redb`")), "{answer:?}");
}

#[tokio::test]
#[ignore = "takes the server that STATEHOLD_TEST_REDIS_URL names"]
async fn redis_does_what_a_map_does_and_keeps_other_keys() {
    let url = std::env::var("STATEHOLD_TEST_REDIS_URL").expect("STATEHOLD_TEST_REDIS_URL");
    let client = redis::Client::open(url.as_str()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    // What a prefix without its end would take too.
    let other = format!("bench_{}_words2", std::process::id());
    redis::cmd("SET").arg(&other).arg("1").exec_async(&mut connection).await.expect("a write");
    let engine = all("redis", Some(&url), None, "process").await;
    assert!(engine.contains(" on Redis "), "{engine}");
    let left: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.expect("the keys");
    assert_eq!(left, std::slice::from_ref(&other));
    redis::cmd("DEL").arg(&other).exec_async(&mut connection).await.expect("a removal");
}

#[tokio::test]
#[ignore = "takes the server that STATEHOLD_TEST_POSTGRES_URL names"]
async fn postgres_does_what_a_map_does_and_leaves_nothing() {
    use sqlx::Connection;
    let url = std::env::var("STATEHOLD_TEST_POSTGRES_URL").expect("STATEHOLD_TEST_POSTGRES_URL");
    for durability in ["visible", "process"] {
        let engine = all("postgres", Some(&url), Some(durability), durability).await;
        assert!(engine.contains(" on PostgreSQL "), "{engine}");
    }
    let mut connection = sqlx::PgConnection::connect(&url).await.expect("a connection");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, 'bench_')";
    let left: i64 = sqlx::query_scalar(schemas).fetch_one(&mut connection).await.expect("a count");
    assert_eq!(left, 0);
}
