//! `report.html` in a real browser, as on a phone: it fits, shows everything as it was said, and does nothing else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fs;

use serde_json::Value;
use statehold::testing::servers::browser;
use statehold_conformance::{CaseReport, Category, Document, Outcome, Report};
use tempfile::TempDir;

/// What a browser would do or swallow, if the page let it. HTML drops the first newline of a `pre`.
const HOSTILE: &str = "\nexpected <script>document.title = 'ran'</script><img src=x onerror=\"document.title='ran'\">\n\
    &amp; & \"double\" 'single' </pre></body><!-- \ttab ]]>";

fn case(clause: &str, outcome: Outcome) -> CaseReport {
    let name = format!("{}_a_case_whose_name_is_a_whole_sentence", clause.to_lowercase().replace('-', "_"));
    CaseReport { clause: clause.to_owned(), name, category: Category::Model, outcome, millis: 61_001 }
}

fn report(store: &str, cases: Vec<CaseReport>) -> Report {
    let engine = Some(format!("Engine <b>{store}</b> 1.2"));
    let (store, kind) = (store.to_owned(), "engine".to_owned());
    Report { store, kind, engine, seed: u64::MAX, sequences: 64, rounds: 1, millis: 123_456, cases }
}

/// A message as wide as a sequence that was not shrunk well.
fn long() -> String {
    format!("{HOSTILE}\n{}", "Commit{changes:[Put(0,b\"\\xff\")]},".repeat(500))
}

/// Seven stores, three clauses, and everything that can happen to a case.
fn document() -> Document {
    let passing = || vec![case("KV-1", Outcome::Passed), case("KV-2", Outcome::Passed), case("MODEL", Outcome::Passed)];
    let mut failing = passing();
    failing[0].outcome = Outcome::Failed { message: long(), seed: u64::MAX };
    failing[1].outcome = Outcome::Skipped { reason: HOSTILE.trim().to_owned(), unproven: false };
    let wide = "a-store-with-a-name-that-has-no-place-to-break-".repeat(3);
    let others = ["<script>", "\"&'", &wide, "redis", "postgres", "memory"];
    let others = others.iter().map(|name| report(name, passing()));
    Document::of([report("first", failing)].into_iter().chain(others))
}

/// Looks at the page from within.
const PROBE: &str = r"
    const texts = selector => [...document.querySelectorAll(selector)].map(e => e.textContent);
    const box = document.querySelector('#matrix').parentElement;
    const head = document.querySelector('#matrix tbody th'), mark = document.querySelector('#matrix td.fail');
    const before = head.getBoundingClientRect().left;
    const closed = [...document.querySelectorAll('details')].every(d => !d.open);
    document.querySelectorAll('details').forEach(d => d.open = true);
    box.scrollLeft = 1e6;
    return {
        width: innerWidth, page: document.documentElement.scrollWidth, body: document.body.scrollWidth,
        title: document.title, closed,
        columns: texts('#matrix thead th'), rows: texts('#matrix tbody tr > th'),
        cells: document.querySelectorAll('#matrix tbody td').length,
        marks: texts('#matrix td.fail, #matrix td.skip'),
        colour: getComputedStyle(mark).backgroundColor != getComputedStyle(head).backgroundColor,
        scrolled: box.scrollLeft, stuck: head.getBoundingClientRect().left == before,
        first: document.querySelector('section').id,
        messages: texts('pre.message'), replays: texts('pre.replay'), cases: texts('details li'),
        tall: Math.max(...[...document.querySelectorAll('pre')].map(e => e.clientHeight)),
        wide: Math.max(...[...document.querySelectorAll('pre')].map(e => e.clientWidth)),
        viewport: document.querySelector('meta[name=viewport]').content,
        loads: performance.getEntriesByType('resource').map(e => e.name),
        foreign: document.querySelectorAll('[src], [srcset], link, script:not([data-probe]), img, iframe, object').length,
    };";

/// What the probe finds in the page on a screen of 360 × 740.
fn seen(document: &Document) -> Value {
    let dir = TempDir::new().unwrap();
    document.write(dir.path()).unwrap();
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    let found = browser::probe(&page, 360, 740, PROBE).unwrap();
    serde_json::from_str(&found).unwrap_or_else(|e| panic!("{e}: {found}"))
}

fn texts(found: &Value) -> Vec<&str> {
    found.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn a_phone_shows_everything_as_it_was_said_and_runs_nothing() {
    let document = document();
    let found = seen(&document);
    // The page keeps to the screen; the matrix scrolls in its own box, and its first column stays.
    assert_eq!(found["width"], 360, "{found}");
    assert_eq!((&found["page"], &found["body"]), (&360.into(), &360.into()), "{found}");
    assert!(found["scrolled"].as_f64().unwrap() > 0.0 && found["stuck"] == true, "{found}");
    assert_eq!(found["viewport"], "width=device-width, initial-scale=1");
    assert!(found["wide"].as_u64().unwrap() < 360 && found["tall"].as_u64().unwrap() < 740, "{found}");

    let names: Vec<&str> = document.stores.iter().map(|store| &*store.store).collect();
    assert_eq!(texts(&found["columns"]), [&["clause"], &*names].concat());
    assert_eq!(texts(&found["rows"]), ["KV-1", "KV-2", "MODEL"]);
    assert_eq!(found["cells"], 3 * names.len());
    assert_eq!(texts(&found["marks"]), ["fail 1", "skip 1"]);
    assert_eq!((&found["colour"], &found["closed"]), (&true.into(), &true.into()));

    assert_eq!(found["first"], "failures");
    assert_eq!(texts(&found["messages"]), [long()]);
    let replay = "statehold conform --store first --filter kv_1_a_case_whose_name_is_a_whole_sentence --seed 18446744073709551615 --cases 1";
    assert_eq!(texts(&found["replays"]), [replay]);
    let skip = format!("first: skip, {}", HOSTILE.trim());
    let cases = texts(&found["cases"]);
    assert_eq!(cases.len(), 3 * names.len());
    assert!(cases.contains(&&*skip) && cases.contains(&"redis: pass, 1 min 1 s"), "{cases:?}");

    assert_eq!(found["title"], "statehold conformance: 1 of 21 cases failed");
    assert_eq!((&found["loads"], &found["foreign"]), (&Value::Array(Vec::new()), &0.into()), "{found}");
}
