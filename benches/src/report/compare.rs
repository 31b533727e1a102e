//! [`compare`]: two reports row by row, as before and after a change.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use statehold_bench_kit::case::Case;

use super::{
    Measured, Report, Spread,
    numbers::{self, shown},
    text::{lines, plain},
};

/// The least time that counts, in seconds: no clock tells less.
const INSTANT: f64 = 1e-9;

/// What changed between two reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Percent that a speed has to change by.
    pub threshold: f64,
    /// Why the reports may not be comparable.
    pub warnings: Vec<String>,
    /// Rows of both, what became slower first, the worst at the top.
    pub rows: Vec<Changed>,
    /// Rows of the old report only.
    pub only_old: Vec<RowKey>,
    /// Rows of the new report only.
    pub only_new: Vec<RowKey>,
}

/// What has to be alike for two rows to be the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowKey {
    /// The workload and its size.
    #[serde(flatten)]
    pub case: Case,
    /// The row.
    pub row: String,
    /// The store.
    pub store: String,
    /// The side.
    pub side: String,
    /// What may be lost.
    pub durability: String,
    /// How many things it counts.
    pub count: Option<u64>,
}

/// A row of both reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// Which.
    #[serde(flatten)]
    pub key: RowKey,
    /// Seconds in the old report.
    pub old: Spread,
    /// Seconds in the new one.
    pub new: Spread,
    /// By how many percent the speed changed, of medians: -50 takes twice the time.
    pub change: f64,
    /// What that means.
    pub verdict: Verdict,
}

/// What a change means, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Slower by the threshold or more, and no repetition was as fast as the slowest before.
    Slower,
    /// Anything in between: not to be told from noise.
    Same,
    /// Faster by the threshold or more, and no repetition was as slow as the fastest before.
    Faster,
}

impl Verdict {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Same => "same",
            Self::Faster => "faster",
        }
    }
}

impl RowKey {
    fn of(row: &Measured) -> Self {
        Self {
            case: row.case.clone(),
            row: row.row.clone(),
            store: row.store.clone(),
            side: row.side.clone(),
            durability: row.durability.clone(),
            count: row.count,
        }
    }

    fn is(&self, row: &Measured) -> bool {
        (&self.case, &self.row, &self.store) == (&row.case, &row.row, &row.store)
            && (&self.side, &self.durability, self.count) == (&row.side, &row.durability, row.count)
    }

    /// In cells: workload, row, store, side, durability, case.
    fn cells(&self) -> Vec<String> {
        let mut cells: Vec<String> = [&self.case.workload, &self.row, &self.store, &self.side, &self.durability]
            .map(|name| shown(name))
            .to_vec();
        cells.push(numbers::short_case(&self.case));
        cells
    }
}

/// What became of `old` in `new`: a row is slower or faster if its speed changed by `threshold` percent or more and
/// the repetitions of both, from the fastest to the slowest, do not overlap.
#[must_use]
pub fn compare(old: &Report, new: &Report, threshold: f64) -> Comparison {
    let threshold = threshold.max(0.0);
    let (mut rows, mut only_old, mut foreign) = (Vec::new(), Vec::new(), 0);
    for before in &old.rows {
        let line = RowKey::of(before);
        match new.rows.iter().find(|row| line.is(row)) {
            Some(after) => {
                foreign += usize::from(before.checksum != after.checksum);
                rows.push(changed(line, before.seconds, after.seconds, threshold));
            }
            None => only_old.push(line),
        }
    }
    rows.sort_by(|a, b| a.verdict.cmp(&b.verdict).then(a.change.total_cmp(&b.change)));
    let only_new = new.rows.iter().map(RowKey::of).filter(|line| !old.rows.iter().any(|row| line.is(row))).collect();
    let mut warnings = differences(old, new);
    if foreign > 0 {
        warnings.push(format!("rows that read other data than before, as their checksums differ: {foreign}"));
    }
    Comparison { threshold, warnings, rows, only_old, only_new }
}

fn changed(key: RowKey, old: Spread, new: Spread, threshold: f64) -> Changed {
    let change = (old.median.max(INSTANT) / new.median.max(INSTANT) - 1.0) * 100.0;
    let verdict = if change <= -threshold && new.min > old.max {
        Verdict::Slower
    } else if change >= threshold && new.max < old.min {
        Verdict::Faster
    } else {
        Verdict::Same
    };
    Changed { key, old, new, change, verdict }
}

/// What else differs than what was measured.
fn differences(old: &Report, new: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, old: String, new: String| {
        if old != new {
            found.push(format!("{what} differ: {old} before, {new} now"));
        }
    };
    differ("machines", old.machine.told(), new.machine.told());
    differ("versions of statehold", shown(&old.version), shown(&new.version));
    differ("repetitions", old.repeat.to_string(), new.repeat.to_string());
    for (before, after) in old.stores.iter().filter_map(|store| {
        let same = new.stores.iter().find(|other| other.name == store.name)?;
        Some((store, same))
    }) {
        let engine = |store: &super::StoreInfo| shown(store.engine.as_deref().unwrap_or(&store.kind));
        let name = shown(&before.name);
        differ(&format!("engines of `{name}`"), engine(before), engine(after));
        differ(&format!("places of `{name}`"), shown(&before.place), shown(&after.place));
    }
    found
}

impl Comparison {
    /// How many rows are slower.
    #[must_use]
    pub fn slower(&self) -> usize {
        self.count(Verdict::Slower)
    }

    /// How many rows are faster.
    #[must_use]
    pub fn faster(&self) -> usize {
        self.count(Verdict::Faster)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// For a terminal, the worst first. Names hold no control characters.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        if !self.rows.is_empty() {
            let head = ["", "workload", "row", "store", "side", "durability", "case", "change", "before", "now"];
            let mut table = plain(&head, 7);
            for row in &self.rows {
                let mut cells = vec![row.verdict.as_str().to_owned()];
                cells.extend(row.key.cells());
                cells.push(format!("{:+.1} %", row.change));
                cells.extend([row.old, row.new].map(|seconds| speed(row.key.count, seconds.median)));
                table.add_row(cells);
            }
            let _ = writeln!(text, "{}", lines(&table));
        }
        for (what, only) in [("only before", &self.only_old), ("only now", &self.only_new)] {
            if !only.is_empty() {
                let mut table = plain(&[what, "row", "store", "side", "durability", "case"], 6);
                only.iter().for_each(|line| {
                    table.add_row(line.cells());
                });
                let _ = writeln!(text, "{}", lines(&table));
            }
        }
        let (slower, faster) = (self.slower(), self.faster());
        let same = self.rows.len() - slower - faster;
        let _ = writeln!(text, "{slower} slower, {faster} faster, {same} same within {} % or noise", self.threshold);
        text
    }
}

/// Things a second, or the time of a step.
fn speed(count: Option<u64>, seconds: f64) -> String {
    match count {
        Some(count) => format!("{}/s", numbers::rate(count as f64 / seconds)),
        None => format!("{} ms", numbers::millis(seconds * 1e3)),
    }
}
