//! [`Document`]: a report as files that machines read.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde::{Deserialize, Serialize};
use statehold_core::{Error, Result};

use crate::{CaseReport, Outcome, Report};

/// Raised when a field changes its meaning or goes; new fields may come without.
const SCHEMA: u32 = 1;

/// How many cases ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// The backend does what they say.
    pub passed: usize,
    /// It does not.
    pub failed: usize,
    /// It does not declare what they need.
    pub skipped: usize,
}

impl Totals {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed { .. } => self.failed += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
        }
    }
}

/// What `report.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The version of this layout, 1.
    pub schema: u32,
    /// The version of the suite.
    pub suite: String,
    /// Over all cases.
    pub totals: Totals,
    /// By clause.
    pub clauses: BTreeMap<String, Totals>,
    /// Case by case.
    #[serde(flatten)]
    pub report: Report,
}

impl Document {
    /// The document of a report.
    #[must_use]
    pub fn of(report: Report) -> Self {
        let (mut totals, mut clauses) = (Totals::default(), BTreeMap::<String, Totals>::new());
        for case in &report.cases {
            totals.count(&case.outcome);
            clauses.entry(case.clause.clone()).or_default().count(&case.outcome);
        }
        Self { schema: SCHEMA, suite: env!("CARGO_PKG_VERSION").to_owned(), totals, clauses, report }
    }

    /// Writes `report.json` and `junit.xml` into `dir`, which it makes.
    ///
    /// ```
    /// # use statehold_core::Options;
    /// use statehold_conformance::{Document, Selection, Site, Subject, run};
    ///
    /// let subject = Subject::new(|_| Site::new(statehold_memory::MemoryBackend::new(), Options::new()));
    /// let report = run(&subject, &Selection { filter: Some("kv_3_".to_owned()), ..Selection::default() })?;
    /// let dir = tempfile::tempdir()?;
    /// Document::of(report).write(dir.path())?;
    /// let written: Document = serde_json::from_slice(&std::fs::read(dir.path().join("report.json"))?)?;
    /// assert_eq!((written.schema, written.totals.failed), (1, 0));
    /// assert!(written.totals.passed > 0 && dir.path().join("junit.xml").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Unavailable` if a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::internal("no report is made").because(e))?;
        let junit = self.junit().to_string().map_err(|e| Error::internal("no report is made").because(e))?;
        let written = fs::create_dir_all(dir)
            .and_then(|()| fs::write(dir.join("report.json"), json))
            .and_then(|()| fs::write(dir.join("junit.xml"), junit));
        written.map_err(|e| statehold_core::ordered::place::error(dir, e))
    }

    /// A test suite for each clause.
    fn junit(&self) -> quick_junit::Report {
        let mut out = quick_junit::Report::new(format!("statehold conformance: {}", self.report.kind));
        for clause in self.clauses.keys() {
            let mut suite = TestSuite::new(clause.clone());
            suite.add_property(("seed", &*self.report.seed.to_string()));
            suite.add_test_cases(self.report.cases.iter().filter(|case| case.clause == *clause).map(test_case));
            out.add_test_suite(suite);
        }
        out
    }
}

fn test_case(case: &CaseReport) -> TestCase {
    let status = match &case.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed { message } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(message.clone());
            status
        }
        Outcome::Skipped { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.clone());
            status
        }
    };
    let mut test = TestCase::new(case.name.clone(), status);
    test.set_classname(case.clause.clone()).set_time(Duration::from_millis(case.millis));
    test
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Category;

    fn case(clause: &str, outcome: Outcome) -> CaseReport {
        let name = format!("{}_case", clause.to_lowercase().replace('-', "_"));
        CaseReport { clause: clause.to_owned(), name, category: Category::Functional, outcome, millis: 7 }
    }

    fn document() -> Document {
        Document::of(Report {
            kind: "engine".to_owned(),
            seed: 42,
            cases: vec![
                case("KV-1", Outcome::Passed),
                case("KV-1", Outcome::Failed { message: "expected <a> & \"b\"".to_owned() }),
                case("LIST-1", Outcome::Skipped { reason: "ttl is not declared".to_owned() }),
            ],
        })
    }

    #[test]
    fn the_json_is_what_its_readers_know() {
        let found = serde_json::to_value(document()).unwrap();
        let expected = serde_json::json!({
            "schema": 1,
            "suite": env!("CARGO_PKG_VERSION"),
            "totals": { "passed": 1, "failed": 1, "skipped": 1 },
            "clauses": {
                "KV-1": { "passed": 1, "failed": 1, "skipped": 0 },
                "LIST-1": { "passed": 0, "failed": 0, "skipped": 1 },
            },
            "kind": "engine",
            "seed": 42,
            "cases": [
                { "clause": "KV-1", "name": "kv_1_case", "category": "functional", "outcome": "passed", "millis": 7 },
                { "clause": "KV-1", "name": "kv_1_case", "category": "functional", "outcome": "failed",
                  "message": "expected <a> & \"b\"", "millis": 7 },
                { "clause": "LIST-1", "name": "list_1_case", "category": "functional", "outcome": "skipped",
                  "reason": "ttl is not declared", "millis": 7 },
            ],
        });
        assert_eq!(found, expected);
        assert_eq!(serde_json::from_value::<Document>(found).unwrap(), document());
    }

    #[test]
    fn the_xml_says_what_failed_and_what_was_skipped() {
        let xml = document().junit().to_string().unwrap();
        for part in [
            "tests=\"3\" skipped=\"1\" failures=\"1\"",
            "testsuite name=\"LIST-1\"",
            "message=\"expected &lt;a&gt; &amp; &quot;b&quot;\"",
            "skipped message=\"ttl is not declared\"",
            "time=\"0.007\"",
        ] {
            assert!(xml.contains(part), "{part} is not in\n{xml}");
        }
        assert_eq!(quick_junit::Report::deserialize_from_str(&xml).unwrap(), document().junit());
    }
}
