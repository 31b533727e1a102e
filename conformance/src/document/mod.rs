//! [`Document`]: reports of one or several stores as files, for machines and for people.

mod badge;
mod html;
mod junit;
mod matrix;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use serde::{Deserialize, Serialize};
use statehold_core::{Error, Result};

use crate::{Category, Level, Outcome, Report, all_cases};

/// Raised when a field changes its meaning or goes; new fields may come without.
const SCHEMA: u32 = 1;

/// How many cases ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// The backend does what they say.
    pub passed: usize,
    /// It does not.
    pub failed: usize,
    /// They were not run: it does not declare what they need, or the machine lacks it.
    pub skipped: usize,
}

impl Totals {
    /// All of them.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.passed + self.failed + self.skipped
    }

    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed { .. } => self.failed += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
        }
    }
}

impl<'a> FromIterator<&'a Outcome> for Totals {
    fn from_iter<T: IntoIterator<Item = &'a Outcome>>(outcomes: T) -> Self {
        let mut totals = Self::default();
        outcomes.into_iter().for_each(|outcome| totals.count(outcome));
        totals
    }
}

/// What `report.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The version of this layout, 1.
    pub schema: u32,
    /// The version of the suite.
    pub suite: String,
    /// The level whose cases were all run, on every store. `None` if some were left out: that proves nothing.
    pub level: Option<Level>,
    /// Over all cases of all stores.
    pub totals: Totals,
    /// Store by store, in the order they were run.
    pub stores: Vec<StoreReport>,
}

/// What became of the cases on one store, with its sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReport {
    /// What was run.
    #[serde(flatten)]
    pub report: Report,
    /// Over all cases.
    pub totals: Totals,
    /// By clause.
    pub clauses: BTreeMap<String, Totals>,
}

impl std::ops::Deref for StoreReport {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}

impl StoreReport {
    /// The level whose cases were all run, but for those of which the store does not declare what they need.
    fn level(&self) -> Option<Level> {
        let run: HashSet<&str> = self.cases.iter().map(|case| &*case.name).collect();
        let unproven: HashSet<&str> = self
            .cases
            .iter()
            .filter(|case| matches!(case.outcome, Outcome::Skipped { unproven: true, .. }))
            .map(|case| &*case.name)
            .collect();
        let all = all_cases();
        let reached = |level: &Level| {
            let mut asked = all.iter().filter(|case| level.categories().contains(&case.category()));
            let asked = asked.all(|case| run.contains(case.name()) && !unproven.contains(case.name()));
            // Faults are the suite's above, whose cases are not known here.
            let mut faults = self.cases.iter().filter(|case| case.category == Category::Faults).peekable();
            let faulted = faults.peek().is_some() && faults.all(|case| !unproven.contains(&*case.name));
            asked && (faulted || !level.categories().contains(&Category::Faults))
        };
        [Level::Certified, Level::Conformant].into_iter().find(reached)
    }
}

impl From<Report> for StoreReport {
    fn from(report: Report) -> Self {
        let totals = report.totals();
        let mut clauses = BTreeMap::<String, Totals>::new();
        for case in &report.cases {
            clauses.entry(case.clause.clone()).or_default().count(&case.outcome);
        }
        Self { report, totals, clauses }
    }
}

impl Document {
    /// The document of the reports of one or several stores.
    #[must_use]
    pub fn of(reports: impl IntoIterator<Item = Report>) -> Self {
        let stores: Vec<StoreReport> = reports.into_iter().map(StoreReport::from).collect();
        let totals = stores.iter().fold(Totals::default(), |sum, store| Totals {
            passed: sum.passed + store.totals.passed,
            failed: sum.failed + store.totals.failed,
            skipped: sum.skipped + store.totals.skipped,
        });
        let suite = env!("CARGO_PKG_VERSION").to_owned();
        // No store, no proof.
        let level = stores.iter().map(StoreReport::level).min().flatten();
        Self { schema: SCHEMA, suite, level, totals, stores }
    }

    /// The level that every store has reached.
    #[must_use]
    pub fn proven(&self) -> Option<Level> {
        self.level.filter(|_| self.totals.failed == 0)
    }

    /// The result in a few words. Whoever ran some of the cases has proved nothing.
    fn verdict(&self) -> String {
        match self.proven() {
            _ if self.totals.failed > 0 => format!("{} of {} cases failed", self.totals.failed, self.totals.cases()),
            Some(level) => level.as_str().to_owned(),
            None => "nothing failed, but not all cases of a level were run on each store".to_owned(),
        }
    }

    /// The level tested, in a word or two.
    fn tested(&self) -> &'static str {
        self.level.map_or("none", Level::as_str)
    }

    /// The clauses, in the contract's order: the families as their cases come, each by number.
    #[must_use]
    pub fn clauses(&self) -> Vec<&str> {
        let (mut families, mut clauses) = (Vec::new(), Vec::new());
        for case in self.stores.iter().flat_map(|store| &store.cases) {
            let (family, number) = case.clause.split_once('-').unwrap_or((&case.clause, ""));
            let of_family = families.iter().position(|other| *other == family).unwrap_or_else(|| {
                families.push(family);
                families.len() - 1
            });
            // `LIFE-2a` stands between `LIFE-2` and `LIFE-10`.
            let digits = number.trim_end_matches(|c: char| !c.is_ascii_digit());
            clauses.push((of_family, digits.parse::<u32>().unwrap_or_default(), number, &*case.clause));
        }
        clauses.sort_unstable();
        clauses.dedup();
        clauses.into_iter().map(|(.., clause)| clause).collect()
    }

    /// Writes into `dir`, which it makes: `report.json` and `junit.xml` for machines, `report.html` for people,
    /// and `badge.svg` and `matrix.md` for a README.
    ///
    /// ```
    /// # use statehold_core::Options;
    /// use statehold_conformance::{Document, Selection, Site, Subject, run};
    ///
    /// let subject = Subject::new(|_| Site::new(statehold_memory::MemoryBackend::new(), Options::new()));
    /// let report = run(&subject, &Selection { filter: Some("kv_3_".to_owned()), ..Selection::default() })?;
    /// let dir = tempfile::tempdir()?;
    /// Document::of([report]).write(dir.path())?;
    /// let written: Document = serde_json::from_slice(&std::fs::read(dir.path().join("report.json"))?)?;
    /// assert_eq!((written.schema, written.totals.failed), (1, 0));
    /// assert!(written.totals.passed > 0 && dir.path().join("report.html").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Unavailable` if a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::internal("no report is made").because(e))?;
        let junit =
            junit::report(self).to_string().map_err(|e| Error::internal("no report is made").because(e))?.into_bytes();
        let files = [
            ("report.json", json),
            ("junit.xml", junit),
            ("report.html", self.html().into_bytes()),
            ("badge.svg", self.badge().into_bytes()),
            ("matrix.md", self.matrix().into_bytes()),
        ];
        let write = || {
            fs::create_dir_all(dir)?;
            files.iter().try_for_each(|(name, content)| fs::write(dir.join(name), content))
        };
        write().map_err(|e| statehold_core::ordered::place::error(dir, e))
    }

    /// A page for a browser. It loads nothing, runs no script and holds no date: the same document, the same page.
    #[must_use]
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// A small picture with the result, as SVG.
    #[must_use]
    pub fn badge(&self) -> String {
        badge::svg(self)
    }

    /// Clause by clause what passed and was skipped on each store, with versions and the reasons of the skips, as
    /// Markdown.
    #[must_use]
    pub fn matrix(&self) -> String {
        matrix::markdown(self)
    }
}

#[cfg(test)]
mod tests;
