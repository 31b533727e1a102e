//! Two reports compared: what counts as a change, and what is told of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sample;

use sample::{case, empty, report, row, step};
use statehold_bench_kit::case::Case;
use statehold_benches::report::{Comparison, Measured, Report, Spread, Verdict, compare};

/// The same row with other times, in milliseconds: median, least, greatest.
fn timed(row: &Measured, times: [f64; 3]) -> Measured {
    let [median, min, max] = times.map(|millis| millis / 1e3);
    Measured { seconds: Spread { median, min, max }, ..row.clone() }
}

fn of(rows: impl Into<Vec<Measured>>) -> Report {
    Report { rows: rows.into(), ..empty() }
}

#[test]
fn a_change_counts_beyond_the_threshold_and_the_noise() {
    let base = row(&case("operations"), "put", "rocksdb", "direct", 1.0);
    let verdict = |old: [f64; 3], new: [f64; 3], threshold: f64| {
        let compared = compare(&of([timed(&base, old)]), &of([timed(&base, new)]), threshold);
        (compared.rows[0].verdict, compared.rows[0].change.round())
    };
    let before = [100.0, 95.0, 110.0];
    assert_eq!(verdict(before, [200.0, 190.0, 220.0], 5.0), (Verdict::Slower, -50.0));
    assert_eq!(verdict(before, [50.0, 48.0, 60.0], 5.0), (Verdict::Faster, 100.0));
    // One repetition was as good as the worst before, or just not.
    assert_eq!(verdict(before, [200.0, 110.0, 220.0], 5.0), (Verdict::Same, -50.0));
    assert_eq!(verdict(before, [200.0, 110.1, 220.0], 5.0), (Verdict::Slower, -50.0));
    assert_eq!(verdict(before, [50.0, 48.0, 95.0], 5.0), (Verdict::Same, 100.0));
    // Too little, however clear.
    assert_eq!(verdict([100.0; 3], [104.0; 3], 5.0), (Verdict::Same, -4.0));
    assert_eq!(verdict([100.0; 3], [96.0; 3], 5.0), (Verdict::Same, 4.0));
    assert_eq!(verdict([100.0; 3], [100.0; 3], 0.0), (Verdict::Same, 0.0));
    // No time at all is a number all the same: JSON has no infinity.
    assert_eq!(verdict([0.0; 3], [0.0; 3], 0.0), (Verdict::Same, 0.0));
    assert!(verdict([100.0; 3], [0.0; 3], 5.0).1.is_finite());
}

#[test]
fn rows_are_matched_by_all_that_names_them() {
    let base = row(&case("operations"), "put", "rocksdb", "direct", 1.0);
    let others = [
        Measured { case: Case { tight: true, ..base.case.clone() }, ..base.clone() },
        Measured { row: "get".to_owned(), ..base.clone() },
        Measured { store: "redis".to_owned(), ..base.clone() },
        Measured { side: "raw".to_owned(), ..base.clone() },
        Measured { durability: "power".to_owned(), ..base.clone() },
        Measured { count: None, ..base.clone() },
    ];
    for other in others {
        let one = compare(&of([base.clone()]), &of([other.clone()]), 5.0);
        assert_eq!((one.rows.len(), one.only_old.len(), one.only_new.len()), (0, 1, 1), "{other:?}");
        let both = compare(&of([base.clone(), other.clone()]), &of([other, base.clone()]), 5.0);
        assert_eq!((both.rows.len(), both.only_old.len(), both.only_new.len()), (2, 0, 0));
    }
}

#[test]
fn the_worst_change_comes_first() {
    let named = |name: &str, millis: f64, noise: f64| {
        let row = row(&case("operations"), name, "rocksdb", "direct", 1.0);
        timed(&row, [millis, millis * (1.0 - noise), millis * (1.0 + noise)])
    };
    let step = |millis: f64| timed(&step(&case("checkpoints"), "base", "rocksdb", "typed", 1.0), [millis; 3]);
    let old = [named("noisy", 100.0, 0.9), named("better", 100.0, 0.01), named("bad", 100.0, 0.01), step(100.0)];
    let new = [step(400.0), named("bad", 200.0, 0.01), named("better", 50.0, 0.01), named("noisy", 1000.0, 0.9)];
    let (mut old, mut new) = (of(old), of(new));
    old.rows.push(named("gone", 1.0, 0.0));
    new.rows.push(named("come", 1.0, 0.0));
    let compared = compare(&old, &new, 5.0);
    assert_eq!((compared.slower(), compared.faster(), &compared.warnings), (2, 1, &Vec::new()));
    let expected = "         \
         workload     row     store    side    durability  case             change       before          now
 slower  checkpoints  base    rocksdb  typed   process     300 k × 100 B   -75.0 %       100 ms       400 ms
 slower  operations   bad     rocksdb  direct  process     300 k × 100 B   -50.0 %  3,000,000/s  1,500,000/s
 same    operations   noisy   rocksdb  direct  process     300 k × 100 B   -90.0 %  3,000,000/s    300,000/s
 faster  operations   better  rocksdb  direct  process     300 k × 100 B  +100.0 %  3,000,000/s  6,000,000/s

 only before  row   store    side    durability  case
 operations   gone  rocksdb  direct  process     300 k × 100 B

 only now    row   store    side    durability  case
 operations  come  rocksdb  direct  process     300 k × 100 B

2 slower, 1 faster, 1 same within 5 % or noise
";
    assert_eq!(compared.text(), expected);

    // For machines: what names a row stands beside its numbers.
    let json = serde_json::to_value(&compared).unwrap();
    assert_eq!((&json["rows"][0]["verdict"], &json["rows"][0]["workload"]), (&"slower".into(), &"checkpoints".into()));
    assert_eq!(serde_json::from_value::<Comparison>(json).unwrap(), compared);
}

#[test]
fn what_makes_a_comparison_doubtful_is_told() {
    let old = report();
    assert_eq!(compare(&old, &old, 5.0).warnings, Vec::<String>::new());
    let mut new = old.clone();
    new.machine.processors = 1;
    new.version = "0.2.0".to_owned();
    new.repeat = 3;
    new.stores[1].engine = Some("RocksDB 11.0.0".to_owned());
    new.stores[2].place = "the descriptor's server".to_owned();
    new.rows[0].checksum += 1;
    let machine = "AMD EPYC 7763 64-Core Processor), 25.2 GB, Linux 6.1.0-28-amd64";
    let warnings = [
        format!("machines differ: 2 processors ({machine} before, 1 processor ({machine} now"),
        "versions of statehold differ: 0.1.0 before, 0.2.0 now".to_owned(),
        "repetitions differ: 5 before, 3 now".to_owned(),
        "engines of `rocksdb` differ: RocksDB 10.4.2 before, RocksDB 11.0.0 now".to_owned(),
        "places of `redis` differ: a private server before, the descriptor's server now".to_owned(),
        "rows that read other data than before, as their checksums differ: 1".to_owned(),
    ];
    let compared = compare(&old, &new, 5.0);
    assert_eq!(compared.warnings, warnings);
    assert!(compared.text().starts_with(&format!("warning: {}\nwarning: ", warnings[0])), "{}", compared.text());
}
