//! [`Collected`]: repetitions, put together.

use std::collections::BTreeMap;

use statehold::{Error, Result};
use statehold_bench_kit::{case::Case, meter::Usage, protocol::Turned, workload::expected};

use super::round::{RowDone, SideDone};
use crate::report::{Latency, Measured, Skipped, Spread};

/// One line of the report, as it grows.
struct Line {
    case: Case,
    row: String,
    store: String,
    side: String,
    durability: String,
    count: Option<u64>,
    ops: usize,
    seconds: Vec<f64>,
    latency: BTreeMap<u64, u64>,
    longest: u64,
    usage: Option<Usage>,
    checksum: u64,
}

/// Everything measured so far.
#[derive(Default)]
pub(super) struct Collected {
    lines: Vec<Line>,
    skipped: Vec<Skipped>,
    /// Allocations per operation, by case, row, store and side.
    allocations: BTreeMap<(Case, String, String, String), f64>,
    /// Of each store.
    engines: BTreeMap<String, String>,
}

/// Points of a latency curve.
const CURVE: [f64; 12] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 1.0];

/// The least time that at least `share` of the operations did not exceed.
fn quantile(latency: &BTreeMap<u64, u64>, share: f64) -> u64 {
    let total: u64 = latency.values().sum();
    let rank = ((share * total as f64).ceil() as u64).clamp(1, total.max(1));
    let mut seen = 0;
    for (nanos, count) in latency {
        seen += count;
        if seen >= rank {
            return *nanos;
        }
    }
    0
}

impl Collected {
    /// Adds a repetition of `case` on `store`.
    ///
    /// # Errors
    /// `Corrupt` if a side read something else than the others.
    pub(super) fn add(&mut self, store: &str, case: &Case, sides: Vec<SideDone>) -> Result<()> {
        for done in sides {
            let skip = |row: Option<&str>, reason: String| Skipped {
                workload: case.workload.clone(),
                row: row.map(str::to_owned),
                store: store.to_owned(),
                side: done.side.clone(),
                reason,
            };
            let (durability, engine) = match done.opened {
                Ok(opened) => opened,
                Err(reason) => {
                    self.skip(skip(None, reason));
                    continue;
                }
            };
            if let Some(engine) = engine.filter(|_| done.side == "typed") {
                self.engines.insert(store.to_owned(), engine);
            }
            for row in done.rows {
                match &row.turns {
                    Err(reason) => self.skip(skip(Some(&row.row), reason.clone())),
                    Ok(turns) => self.line(store, case, &done.side, &durability, &row, turns),
                }
            }
        }
        self.agree(store, case)
    }

    /// Takes the allocations of a pass that counted them, a part of `case`.
    pub(super) fn count(&mut self, store: &str, case: &Case, sides: Vec<SideDone>) {
        for done in sides {
            for row in done.rows {
                let turns = row.turns.unwrap_or_default();
                let counted: Option<u64> = turns.iter().map(|turn| turn.usage.allocations).sum();
                if let (Some(counted), true) = (counted, row.ops > 0) {
                    let key = (case.clone(), row.row, store.to_owned(), done.side.clone());
                    self.allocations.insert(key, counted as f64 / row.ops as f64);
                }
            }
        }
    }

    fn skip(&mut self, skipped: Skipped) {
        if !self.skipped.contains(&skipped) {
            self.skipped.push(skipped);
        }
    }

    fn line(&mut self, store: &str, case: &Case, side: &str, durability: &str, row: &RowDone, turns: &[Turned]) {
        let known = self
            .lines
            .iter_mut()
            .position(|line| (&line.case, &*line.row, &*line.store, &*line.side) == (case, &*row.row, store, side));
        let at = known.unwrap_or_else(|| {
            self.lines.push(Line {
                case: case.clone(),
                row: row.row.clone(),
                store: store.to_owned(),
                side: side.to_owned(),
                durability: durability.to_owned(),
                count: row.count,
                ops: row.ops,
                seconds: Vec::new(),
                latency: BTreeMap::new(),
                longest: 0,
                usage: None,
                checksum: 0,
            });
            self.lines.len() - 1
        });
        let Some(line) = self.lines.get_mut(at) else { return };
        line.seconds.push(turns.iter().map(|turn| turn.nanos as f64 / 1e9).sum());
        line.checksum = turns.iter().fold(0, |sum, turn| sum.wrapping_add(turn.checksum));
        for turn in turns {
            turn.latency.iter().for_each(|(nanos, count)| *line.latency.entry(*nanos).or_default() += count);
            line.longest = line.longest.max(turn.longest);
            line.usage = Some(line.usage.map_or(turn.usage, |usage| usage.and(&turn.usage)));
        }
    }

    /// Whoever does the same work reads the same.
    fn agree(&self, store: &str, case: &Case) -> Result<()> {
        // The dry side keeps nothing, and so reads nothing.
        let real = |line: &&Line| line.store == store && line.case == *case && line.side != "dry";
        for line in self.lines.iter().filter(real) {
            if let Some(wanted) = expected(case, &line.row).filter(|wanted| *wanted != line.checksum) {
                let (row, side, got) = (&line.row, &line.side, line.checksum);
                return Err(Error::corrupt(format!("{row}: side `{side}` read {got:016x}, not {wanted:016x}")));
            }
            let alike = |other: &&Line| other.row == line.row && other.checksum != line.checksum;
            if let Some(other) = self.lines.iter().filter(real).find(alike) {
                return Err(Error::corrupt(format!(
                    "{} of {}: side `{}` read {:016x}, side `{}` {:016x}",
                    line.row, case.workload, line.side, line.checksum, other.side, other.checksum
                )));
            }
        }
        Ok(())
    }

    /// Lines, what was left out, and the stores' engines.
    pub(super) fn finish(self) -> (Vec<Measured>, Vec<Skipped>, BTreeMap<String, String>) {
        let counted = self.allocations;
        let finish = |line: Line| {
            let key = (line.case.clone(), line.row.clone(), line.store.clone(), line.side.clone());
            line.finish(counted.get(&key).copied())
        };
        (self.lines.into_iter().map(finish).collect(), self.skipped, self.engines)
    }
}

impl Line {
    fn finish(self, allocations: Option<f64>) -> Measured {
        let repeated = self.seconds.len() as u64;
        let at = |share: f64| quantile(&self.latency, share);
        let latency = Latency {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            longest: self.longest,
            curve: CURVE.iter().map(|share| (*share, at(*share))).collect(),
        };
        Measured {
            case: self.case,
            row: self.row,
            store: self.store,
            side: self.side,
            durability: self.durability,
            count: self.count,
            seconds: Spread::of(self.seconds),
            latency,
            usage: Usage { allocations: None, ..self.usage.unwrap_or_default() },
            allocations,
            operations: self.ops as u64 * repeated,
            checksum: self.checksum,
        }
    }
}
