//! `junit.xml`, which build servers read.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Document, StoreReport};
use crate::{CaseReport, Outcome};

/// A test suite for each store and clause.
pub(super) fn report(document: &Document) -> Report {
    let mut out = Report::new("statehold conformance");
    for clause in document.clauses() {
        for store in document.stores.iter().filter(|store| store.clauses.contains_key(clause)) {
            let mut suite = TestSuite::new(format!("{}: {clause}", store.store));
            suite.add_property(("seed", &*store.seed.to_string()));
            if let Some(engine) = &store.engine {
                suite.add_property(("engine", &**engine));
            }
            let cases = store.cases.iter().filter(|case| case.clause == clause);
            suite.add_test_cases(cases.map(|case| test_case(store, case)));
            out.add_test_suite(suite);
        }
    }
    out
}

fn test_case(store: &StoreReport, case: &CaseReport) -> TestCase {
    let status = match &case.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed { message, .. } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(message.clone());
            status
        }
        Outcome::Skipped { reason, .. } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.clone());
            status
        }
    };
    let mut test = TestCase::new(case.name.clone(), status);
    test.set_classname(format!("{}.{}", store.store, case.clause)).set_time(Duration::from_millis(case.millis));
    test
}
