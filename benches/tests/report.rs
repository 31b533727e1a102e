//! Reports as files and in a terminal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod sample;

use std::fs;

use sample::{case, empty, ratio, report, row, step};
use statehold_benches::report::{Measured, Report, SCHEMA, Skipped, Spread, compare};
use statehold_core::ErrorKind;
use tempfile::TempDir;

#[test]
fn a_report_is_read_as_it_was_written() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("deep/er");
    for report in [report(), empty()] {
        report.write(&place).unwrap();
        assert_eq!(Report::read(&place).unwrap(), report);
        assert_eq!(Report::read(&place.join("report.json")).unwrap(), report);
        assert_eq!(fs::read_to_string(place.join("report.html")).unwrap(), report.html());
    }
    // A field that came later is no obstacle.
    let mut value = serde_json::to_value(report()).unwrap();
    value["later"] = 1.into();
    value["rows"][0]["later"] = 1.into();
    fs::write(place.join("report.json"), value.to_string()).unwrap();
    assert_eq!(Report::read(&place).unwrap(), report());
}

#[test]
fn what_is_no_report_is_refused_with_what_to_do() {
    let dir = TempDir::new().unwrap();
    let missing = Report::read(dir.path()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("report.json`; name a folder that `statehold bench` wrote"), "{missing}");

    // Nothing, something else, the report of the other suite, and one that was cut off.
    let mut cut = serde_json::to_vec(&report()).unwrap();
    cut.truncate(cut.len() / 2);
    for content in [&b""[..], b"{}", b"{\"schema\":1,\"suite\":\"0.1.0\"}", &cut] {
        fs::write(dir.path().join("report.json"), content).unwrap();
        let error = Report::read(dir.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("no report of a bench") && error.advice().is_some(), "{error}");
    }

    fs::write(dir.path().join("a file"), "").unwrap();
    let error = empty().write(&dir.path().join("a file")).unwrap_err();
    assert_eq!((error.kind(), error.advice().is_some()), (ErrorKind::InvalidInput, true), "{error}");
}

#[test]
fn a_report_of_a_newer_statehold_asks_for_it() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("report.json");
    // A newer layout need not have a single field that this one knows.
    let schema = SCHEMA + 1;
    fs::write(&file, format!("{{\"schema\":{schema},\"version\":\"7.0.0\\u001b[2J\",\"rows\":3}}")).unwrap();
    let error = Report::read(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let told = format!("layout {schema}, by statehold 7.0.0\u{241b}[2J; this one reads {SCHEMA}");
    assert!(error.to_string().contains(&told), "{error}");
    assert!(error.advice().unwrap().contains("newer"), "{error}");
}

#[test]
fn a_terminal_is_told_everything() {
    let mut report = empty();
    let operations = case("operations");
    let mut put = row(&operations, "put", "rocksdb", "direct", 1000.0);
    put.seconds = Spread { median: 0.3, min: 0.25, max: 0.6 };
    put.usage.peak_bytes = None;
    report.rows = vec![put.clone(), step(&case("checkpoints"), "base", "rocksdb", "raw", 12.5)];
    // The same case with another durability is a table of its own.
    report.rows.push(Measured { durability: "power".to_owned(), side: "raw".to_owned(), ..put });
    report.ratios = vec![
        ratio(&operations, "get", "rocksdb", ["typed", "raw"], 2.0, None),
        ratio(&operations, "put", "rocksdb", ["direct", "raw"], 0.9, Some(0.85)),
        ratio(&operations, "get", "rocksdb", ["direct", "raw"], 0.5, Some(0.85)),
    ];
    let [workload, store, side] = ["lists", "redis", "opendal"].map(str::to_owned);
    report.skipped = vec![Skipped { workload, row: None, store, side, reason: "it has no lists".to_owned() }];
    let expected = "\
statehold 0.1.0 on 2 processors (AMD EPYC 7763 64-Core Processor), 25.2 GB, Linux 6.1.0-28-amd64, \
2026-11-22 19:00:00 UTC, median of 5

operations: 300,000 records of 100 bytes, 1 task; durability: process
 row  store    side    per second      min        max     p50     p99  p99.9  longest    CPU  memory
 put  rocksdb  direct   1,000,000  500,000  1,200,000  950 ns  3.1 µs   9 µs   700 µs  1.5 s       -

operations: 300,000 records of 100 bytes, 1 task; durability: power
 row  store    side  per second      min        max     p50     p99  p99.9  longest    CPU  memory
 put  rocksdb  raw    1,000,000  500,000  1,200,000  950 ns  3.1 µs   9 µs   700 µs  1.5 s       -

checkpoints: 300,000 records of 100 bytes, 1 task; durability: process
 row   store    side  per second      min      max    p50     p99   p99.9  longest      CPU   memory
 base  rocksdb  raw      12.5 ms  12.1 ms  13.3 ms  39 ns  129 ns  375 ns  29.2 µs  62.5 ms  96.0 MB

speed over speed
         workload    row  store    sides            durability  case           ratio  target
 MISSED  operations  get  rocksdb  direct over raw  process     300 k × 100 B   0.50    0.85
 met     operations  put  rocksdb  direct over raw  process     300 k × 100 B   0.90    0.85
         operations  get  rocksdb  typed over raw   process     300 k × 100 B   2.00

left out
 workload  row  store  side     why
 lists     all  redis  opendal  it has no lists

1 of 2 targets missed
";
    assert_eq!(report.text(), expected);
    assert!(empty().text().ends_with("median of 5\n\nno targets in this run\n"), "{}", empty().text());
}

#[test]
fn names_do_not_command_a_terminal() {
    let evil = "\u{1b}[2J\r\n\u{9b}\u{202e}";
    let of = |case: &str| Report { rows: vec![row(&self::case(case), evil, evil, evil, 10.0)], ..empty() };
    let mut old = of(evil);
    old.ratios = vec![ratio(&case(evil), evil, evil, [evil, evil], 1.0, None)];
    old.machine.system = evil.to_owned();
    let changed = Report { version: evil.to_owned(), ..of(evil) };
    for text in [old.text(), compare(&old, &of("other"), 1.0).text(), compare(&old, &changed, 1.0).text()] {
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(bad) && text.contains("\u{241b}[2J"), "{text:?}");
    }
}
