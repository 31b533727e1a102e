//! [`Ratio`]: one side against another, in the same run.

use serde::{Deserialize, Serialize};
use statehold_bench_kit::case::Case;

use super::Measured;

/// How fast `side` was as a multiple of how fast `against` was, doing the same row with the same durability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The workload and its size.
    #[serde(flatten)]
    pub case: Case,
    /// The row.
    pub row: String,
    /// The store.
    pub store: String,
    /// Whose speed is told.
    pub side: String,
    /// Beside whose.
    pub against: String,
    /// What both may lose.
    pub durability: String,
    /// Speed over speed, of medians: above 1 is faster.
    pub ratio: f64,
    /// What it must reach, where there is a target.
    pub wanted: Option<f64>,
}

impl Ratio {
    /// Whether the target is reached; true without one.
    #[must_use]
    pub fn met(&self) -> bool {
        self.wanted.is_none_or(|wanted| self.ratio >= wanted)
    }
}

/// All pairs of ours and theirs.
pub(crate) fn ratios(rows: &[Measured], kind_of: impl Fn(&str) -> String) -> Vec<Ratio> {
    let mut found = Vec::new();
    for ours in rows.iter().filter(|row| matches!(&*row.side, "typed" | "direct" | "spi")) {
        let alike = |theirs: &&Measured| {
            !matches!(&*theirs.side, "typed" | "direct" | "spi" | "dry")
                && (&theirs.case, &theirs.row, &theirs.store) == (&ours.case, &ours.row, &ours.store)
                && theirs.durability == ours.durability
        };
        for theirs in rows.iter().filter(alike) {
            found.push(Ratio {
                case: ours.case.clone(),
                row: ours.row.clone(),
                store: ours.store.clone(),
                side: ours.side.clone(),
                against: theirs.side.clone(),
                durability: ours.durability.clone(),
                ratio: theirs.seconds.median / ours.seconds.median,
                wanted: wanted(&kind_of(&ours.store), ours, &theirs.side),
            });
        }
    }
    found
}

/// The targets, each for the side that it is about.
fn wanted(kind: &str, ours: &Measured, against: &str) -> Option<f64> {
    let many = ours.row.contains("_many_");
    let writes = ours.row.contains("put");
    match (&*ours.case.workload, &*ours.side, against) {
        // The framework's own cost, with nothing of its own before the engine.
        ("operations", "direct", "raw") => match kind {
            "rocksdb" => Some(if many { 0.95 } else { 0.85 }),
            "redis" => Some(if writes && !many { 0.85 } else { 0.9 }),
            "postgres" => Some(if many { 0.9 } else { 0.85 }),
            _ => None,
        },
        ("operations", "direct", "opendal") if many => Some(if kind == "rocksdb" { 2.0 } else { 10.0 }),
        ("operations", "direct", "opendal") => Some(1.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use statehold_bench_kit::meter::Usage;

    use super::*;
    use crate::report::{Latency, Spread};

    fn row(name: &str, side: &str, seconds: f64) -> Measured {
        Measured {
            case: Case { workload: "operations".to_owned(), n: 1000, value: 100, tasks: 1, tight: false },
            row: name.to_owned(),
            store: "store".to_owned(),
            side: side.to_owned(),
            durability: "process".to_owned(),
            count: Some(1000),
            seconds: Spread { median: seconds, min: seconds, max: seconds },
            latency: Latency::default(),
            usage: Usage::default(),
            allocations: None,
            operations: 1000,
            checksum: 0,
        }
    }

    /// Side, rival, ratio and target of all that is compared.
    fn compared(kind: &str, rows: &[Measured]) -> Vec<(String, String, f64, Option<f64>)> {
        let told = |ratio: Ratio| (ratio.side, ratio.against, ratio.ratio, ratio.wanted);
        ratios(rows, |_| kind.to_owned()).into_iter().map(told).collect()
    }

    #[test]
    fn ours_are_told_beside_theirs_and_the_faster_is_above_one() {
        let sides = [("typed", 1.0), ("direct", 4.0), ("dry", 0.1), ("raw", 2.0), ("opendal", 8.0)];
        let rows = sides.map(|(side, seconds)| row("get", side, seconds));
        let expected = [
            ("typed", "raw", 2.0, None),
            ("typed", "opendal", 8.0, None),
            ("direct", "raw", 0.5, Some(0.85)),
            ("direct", "opendal", 2.0, Some(1.0)),
        ];
        let expected =
            expected.map(|(side, against, ratio, wanted)| (side.to_owned(), against.to_owned(), ratio, wanted));
        assert_eq!(compared("rocksdb", &rows), expected);
    }

    #[test]
    fn only_the_same_work_with_the_same_durability_is_compared() {
        let (ours, theirs) = (row("get", "direct", 1.0), row("get", "raw", 1.0));
        let others = [
            Measured { durability: "power".to_owned(), ..theirs.clone() },
            Measured { store: "other".to_owned(), ..theirs.clone() },
            Measured { row: "put".to_owned(), ..theirs.clone() },
            Measured { case: Case { tasks: 8, ..theirs.case.clone() }, ..theirs.clone() },
        ];
        for other in others {
            assert_eq!(compared("rocksdb", &[ours.clone(), other.clone()]), [], "{other:?}");
        }
        assert_eq!(compared("rocksdb", &[ours, theirs]).len(), 1);
    }

    #[test]
    fn targets_are_those_of_the_engine_and_the_row() {
        for (kind, name, against, wanted) in [
            ("rocksdb", "put", "raw", Some(0.85)),
            ("rocksdb", "get_many_100", "raw", Some(0.95)),
            ("redis", "put", "raw", Some(0.85)),
            ("redis", "put_many_100", "raw", Some(0.9)),
            ("redis", "get", "raw", Some(0.9)),
            ("postgres", "get_many_100", "raw", Some(0.9)),
            ("rocksdb", "put_many_100", "opendal", Some(2.0)),
            ("redis", "put_many_100", "opendal", Some(10.0)),
            ("memory", "get", "raw", None),
        ] {
            let told = compared(kind, &[row(name, "direct", 1.0), row(name, against, 1.0)]);
            assert_eq!(told[0].3, wanted, "{kind} {name} {against}");
        }
    }

    #[test]
    fn a_target_is_met_when_it_is_reached() {
        let met = |ratio: f64, wanted: Option<f64>| {
            let rows = [row("get", "direct", 1.0), row("get", "raw", 1.0)];
            Ratio { ratio, wanted, ..ratios(&rows, |_| String::new()).remove(0) }.met()
        };
        assert!(met(0.85, Some(0.85)) && met(0.1, None));
        assert!(!met(0.849, Some(0.85)) && !met(f64::NAN, Some(0.85)));
    }
}
