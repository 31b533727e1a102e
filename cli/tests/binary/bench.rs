//! `statehold bench`: what it measures, and what it leaves alone.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use statehold::testing::servers::{PostgresServer, RedisServer, SmallDisk};
use tempfile::TempDir;

use crate::common::{fails, ok, statehold};

/// A folder with a descriptor of these stores.
fn folder(stores: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let text = format!("namespace = \"bench\"\n[stores]\n{stores}\n");
    fs::write(folder.path().join("statehold.toml"), text).unwrap();
    fs::create_dir(folder.path().join("tmp")).unwrap();
    folder
}

const EMBEDDED: &str = "memory = { kind = \"memory\", durability = \"visible\" }
    redb = { kind = \"redb\", durability = \"visible\" }
    rocksdb = { kind = \"rocksdb\", durability = \"visible\" }";

/// Runs it with temporary files below the folder, and answers its report.
fn report(folder: &Path, arguments: &[&str]) -> Value {
    let all = [&["bench", "--out", "out", "--repeat", "1"], arguments].concat();
    let output = statehold(folder, &all).env("TMPDIR", folder.join("tmp")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    nothing_is_left(folder);
    serde_json::from_slice(&fs::read(folder.join("out/report.json")).unwrap()).unwrap()
}

fn nothing_is_left(folder: &Path) {
    let left: Vec<_> = fs::read_dir(folder.join("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Rows of the report, as (row, store, side).
fn rows(report: &Value) -> Vec<(&str, &str, &str)> {
    let text = |row: &'_ Value, name| -> &'static str { row[name].as_str().unwrap().to_owned().leak() };
    let rows = report["rows"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "row"), text(row, "store"), text(row, "side"))).collect()
}

#[test]
fn every_workload_is_done_by_every_side_and_all_of_them_read_the_same() {
    let folder = folder(EMBEDDED);
    // That sums differ would have been an error.
    let report = report(folder.path(), &["--n", "1000"]);
    assert_eq!(report["schema"], 1);
    let rows = rows(&report);
    for store in ["memory", "redb", "rocksdb"] {
        for side in ["typed", "direct", "spi"] {
            for row in ["put", "get_many_100", "value_rmw_zipf", "map_iterate_entries", "list_hot_get_1key", "run"] {
                assert!(rows.contains(&(row, store, side)), "{row} on {store} by {side}: {rows:?}");
            }
        }
        for row in ["ckpt2_after_10pct_updates", "restore_savepoint", "rescale_in_2to1_scan"] {
            assert!(rows.contains(&(row, store, "typed")), "{row} on {store}: {rows:?}");
        }
    }
    assert!(rows.contains(&("restore_ckpt3", "rocksdb", "raw")) && rows.contains(&("put", "memory", "dry")));
    for row in report["rows"].as_array().unwrap() {
        let (seconds, latency) = (&row["seconds"], &row["latency"]);
        assert!(seconds["median"].as_f64().unwrap() > 0.0, "{row}");
        let [p50, p99, longest] = ["p50", "p99", "longest"].map(|name| latency[name].as_u64().unwrap());
        assert!(0 < p50 && p50 <= p99, "{row}");
        // A histogram tells its buckets' ends, 1 % apart.
        assert!(p99 as f64 <= longest as f64 * 1.02, "{row}");
    }
    let skipped = report["skipped"].as_array().unwrap();
    let why = |store: &str, side: &str| skipped.iter().any(|skip| skip["store"] == store && skip["side"] == side);
    assert!(why("redb", "raw") && why("memory", "raw"), "{skipped:?}");
    assert!(ok(folder.path(), &["bench", "compare", "out", "out/report.json"]).contains("0 slower, 0 faster"));
    assert!(fails(folder.path(), &["bench", "compare", "out", "nowhere"], 3).contains("nowhere"));
}

#[test]
fn the_streaming_workload_reads_what_every_other_program_reads() {
    let folder = folder("memory = { kind = \"memory\", durability = \"visible\" }");
    // A million records have known checksums; another sum would be an error.
    let arguments = ["--n", "1000000", "--workload", "values", "--workload", "maps", "--workload", "lists"];
    let report = report(folder.path(), &arguments);
    let sum = report["rows"].as_array().unwrap().iter().find(|row| row["row"] == "value_get_zipf").unwrap();
    assert_eq!(sum["checksum"], 0x6193_7438_0791_30f1_u64);
}

#[test]
fn on_the_descriptors_servers_it_touches_nothing_but_its_own() {
    let (redis, postgres) = (RedisServer::start().unwrap(), PostgresServer::start().unwrap());
    redis.command("SET sh:mine 1").unwrap();
    let mine = |sql: &str| {
        let ran =
            Command::new("psql").arg(postgres.url()).args(["-v", "ON_ERROR_STOP=1", "-Atc", sql]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    mine("CREATE SCHEMA statehold; CREATE TABLE statehold.entries AS SELECT 1 AS mine");
    let schemas = "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_'";
    let before = mine(schemas);
    let folder = folder(&format!(
        "redis = {{ kind = \"redis\", options = {{ url = \"{}\" }} }}
         postgres = {{ kind = \"postgres\", options = {{ url = \"{}\", tls = \"disable\" }} }}",
        redis.url(),
        postgres.url()
    ));
    let report = report(folder.path(), &["--n", "10000", "--workload", "operations", "--workload", "lists"]);
    assert!(rows(&report).contains(&("list_add", "postgres", "raw")));
    assert_eq!(report["stores"][0]["place"], "the descriptor's server");
    let [keys, mine_there] = ["DBSIZE", "EXISTS sh:mine"].map(|command| redis.command(command).unwrap());
    assert_eq!((keys.trim(), mine_there.trim()), (":1", ":1"));
    assert_eq!((mine(schemas), mine("SELECT mine FROM statehold.entries").trim()), (before, "1"));
}

#[test]
fn wrong_input_is_told_before_anything_is_begun() {
    let folder = folder(EMBEDDED);
    let said = |arguments: &[&str], code| fails(folder.path(), &[&["bench"], arguments].concat(), code);
    assert!(said(&["--workload", "nothing"], 2).contains("ycsb-a"));
    assert!(said(&["--store", "nothing"], 3).contains("name memory, redb, rocksdb"));
    assert!(said(&["--n", "10"], 2).contains("1000 records or more"));
    assert!(said(&["--config", "nowhere.toml"], 3).contains("nowhere.toml"));
    let peers =
        statehold(folder.path(), &["bench", "--against", "peers"]).env("STATEHOLD_BENCH_PEERS", "/none").output();
    assert!(String::from_utf8_lossy(&peers.unwrap().stderr).contains("make peers"));
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let folder = folder("redis = { kind = \"redis\", options = { url = \"redis://127.0.0.1:1\" } }");
    let output = statehold(folder.path(), &["bench"]).env("TMPDIR", folder.path().join("tmp")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("store `redis`") && said.contains("to do:"), "{said}");
    nothing_is_left(folder.path());
}

#[test]
fn a_disk_without_room_is_told_and_left_as_it_was_needs_root() {
    let disk = SmallDisk::mount(64).expect("root mounts it");
    let folder = folder(EMBEDDED);
    let bench = |n: &str| {
        let arguments = ["bench", "--workload", "operations", "--store", "rocksdb", "--n", n];
        let output = statehold(folder.path(), &arguments).env("TMPDIR", disk.path()).output().unwrap();
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // Seen beforehand, and while it runs.
    let said = bench("1000000");
    assert!(said.contains("MB are free") && said.contains("smaller --n"), "{said}");
    let said = bench("60000");
    assert!(said.contains("failed") && said.contains("to do:"), "{said}");
}

#[test]
fn whoever_interrupts_or_terminates_it_finds_nothing_left() {
    for signal in ["-INT", "-TERM"] {
        let folder = folder(EMBEDDED);
        let mut command = statehold(folder.path(), &["bench", "--n", "1000000"]);
        let mut bench = command.env("TMPDIR", folder.path().join("tmp")).spawn().unwrap();
        // It has begun once it has made its folder.
        while fs::read_dir(folder.path().join("tmp")).unwrap().next().is_none() {
            assert!(bench.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::yield_now();
        }
        let told = Command::new("kill").args([signal, &bench.id().to_string()]).status().unwrap();
        assert!(told.success() && !bench.wait().unwrap().success(), "{signal}");
        nothing_is_left(folder.path());
    }
}
