use super::*;
use crate::{CaseReport, Category};

fn case(clause: &str, outcome: Outcome) -> CaseReport {
    let name = format!("{}_case", clause.to_lowercase().replace('-', "_"));
    CaseReport { clause: clause.to_owned(), name, category: Category::Functional, outcome, millis: 7 }
}

fn report(store: &str, engine: Option<&str>, cases: Vec<CaseReport>) -> Report {
    let (kind, engine) = ("engine".to_owned(), engine.map(str::to_owned));
    Report { store: store.to_owned(), kind, engine, seed: 42, sequences: 64, rounds: 1, millis: 1234, cases }
}

fn document() -> Document {
    let first = vec![
        case("KV-2", Outcome::Passed),
        case("KV-2", Outcome::Failed { message: "expected <a> & \"b\"\0".to_owned(), seed: 42 }),
        case("KV-10", Outcome::Skipped { reason: "ttl is not declared".to_owned(), unproven: false }),
    ];
    let second = vec![case("KV-2", Outcome::Passed)];
    Document::of([report("one", Some("Engine 1.2"), first), report("it's", None, second)])
}

/// The cases of a level, all passed.
fn passed(level: Level) -> Vec<CaseReport> {
    let of = all_cases().into_iter().filter(|case| level.categories().contains(&case.category()));
    let report = |of: crate::Case| CaseReport {
        name: of.name().to_owned(),
        category: of.category(),
        ..case(&of.clause(), Outcome::Passed)
    };
    let faults = (level == Level::Certified)
        .then(|| CaseReport::new("life_4_damage_is_found", Category::Faults, Outcome::Passed, 7));
    faults.into_iter().chain(of.map(report)).collect()
}

/// Every case of the suite passed, but the first few were skipped.
fn complete(skipped: usize) -> Document {
    let mut cases = passed(Level::Certified);
    for case in &mut cases[..skipped] {
        case.outcome = Outcome::Skipped { reason: "r".to_owned(), unproven: false };
    }
    Document::of([report("one", None, cases)])
}

#[test]
fn a_level_is_reached_where_all_its_cases_were_run() {
    let level = |cases: Vec<CaseReport>| Document::of([report("one", None, cases)]).level;
    assert_eq!(level(passed(Level::Conformant)), Some(Level::Conformant));
    assert_eq!(level(passed(Level::Certified)), Some(Level::Certified));
    let mut some = passed(Level::Conformant);
    some.pop();
    assert_eq!(level(some), None);
    // What the machine could not tell is not proven; what is not declared need not be.
    for (unproven, reached) in [(true, Level::Conformant), (false, Level::Certified)] {
        let mut cases = passed(Level::Certified);
        let last = cases.last_mut().unwrap();
        assert_eq!(last.category, Category::Power);
        last.outcome = Outcome::Skipped { reason: "r".to_owned(), unproven };
        assert_eq!(level(cases), Some(reached));
    }
    let mut no_faults = passed(Level::Certified);
    no_faults.remove(0);
    assert_eq!(level(no_faults), Some(Level::Conformant));
    let both = [report("one", None, passed(Level::Certified)), report("two", None, passed(Level::Conformant))];
    assert_eq!(Document::of(both).level, Some(Level::Conformant));
    assert_eq!(Document::of([]).level, None);
    let mut failed = complete(0);
    failed.totals.failed = 1;
    assert_eq!((failed.level, failed.proven()), (Some(Level::Certified), None));
}

#[test]
fn the_json_is_what_its_readers_know() {
    let found = serde_json::to_value(document()).unwrap();
    let expected = serde_json::json!({
        "schema": 1,
        "suite": env!("CARGO_PKG_VERSION"),
        "level": null,
        "totals": { "passed": 2, "failed": 1, "skipped": 1 },
        "stores": [
            {
                "store": "one",
                "kind": "engine",
                "engine": "Engine 1.2",
                "seed": 42,
                "sequences": 64,
                "rounds": 1,
                "millis": 1234,
                "totals": { "passed": 1, "failed": 1, "skipped": 1 },
                "clauses": {
                    "KV-2": { "passed": 1, "failed": 1, "skipped": 0 },
                    "KV-10": { "passed": 0, "failed": 0, "skipped": 1 },
                },
                "cases": [
                    { "clause": "KV-2", "name": "kv_2_case", "category": "functional", "outcome": "passed",
                      "millis": 7 },
                    { "clause": "KV-2", "name": "kv_2_case", "category": "functional", "outcome": "failed",
                      "message": "expected <a> & \"b\"\u{0}", "seed": 42, "millis": 7 },
                    { "clause": "KV-10", "name": "kv_10_case", "category": "functional", "outcome": "skipped",
                      "reason": "ttl is not declared", "millis": 7 },
                ],
            },
            {
                "store": "it's",
                "kind": "engine",
                "engine": null,
                "seed": 42,
                "sequences": 64,
                "rounds": 1,
                "millis": 1234,
                "totals": { "passed": 1, "failed": 0, "skipped": 0 },
                "clauses": { "KV-2": { "passed": 1, "failed": 0, "skipped": 0 } },
                "cases": [
                    { "clause": "KV-2", "name": "kv_2_case", "category": "functional", "outcome": "passed",
                      "millis": 7 },
                ],
            },
        ],
    });
    assert_eq!(found, expected);
    assert_eq!(serde_json::from_value::<Document>(found).unwrap(), document());
}

#[test]
fn the_xml_says_what_failed_and_what_was_skipped() {
    let xml = junit::report(&document()).to_string().unwrap();
    for part in [
        "tests=\"4\" skipped=\"1\" failures=\"1\"",
        "testsuite name=\"one: KV-10\"",
        "testsuite name=\"it&apos;s: KV-2\" tests=\"1\"",
        "property name=\"engine\" value=\"Engine 1.2\"",
        "classname=\"one.KV-2\"",
        "message=\"expected &lt;a&gt; &amp; &quot;b&quot;\"",
        "skipped message=\"ttl is not declared\"",
        "time=\"0.007\"",
    ] {
        assert!(xml.contains(part), "{part} is not in\n{xml}");
    }
    assert_eq!(quick_junit::Report::deserialize_from_str(&xml).unwrap(), junit::report(&document()));
}

#[test]
fn clauses_are_in_the_contracts_order() {
    let cases =
        ["NAME-1", "LIFE-10", "LIFE-2a", "MODEL", "LIFE-2", "NAME-1"].map(|clause| case(clause, Outcome::Passed));
    let document = Document::of([report("one", None, cases.into())]);
    assert_eq!(document.clauses(), ["NAME-1", "LIFE-2", "LIFE-2a", "LIFE-10", "MODEL"]);
}

#[test]
fn the_markdown_has_a_column_a_store_and_every_reason() {
    let expected = "\
| clause | one | it's |
|---|---|---|
| KV-2 | **1 failed**, 1 | 1 |
| KV-10 | 1 skipped |  |

| store | kind | engine | passed | failed | skipped | rounds |
|---|---|---|---|---|---|---|
| one | engine | Engine 1.2 | 1 | 1 | 1 | 1 |
| it's | engine | within statehold | 1 | 0 | 0 | 1 |

Suite SUITE, level tested: none; 1 of 4 cases failed.

Why cases were skipped:

- *ttl is not declared*: one (1)
";
    assert_eq!(document().matrix(), expected.replace("SUITE", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_table_of_a_whole_run_says_no_more_than_the_level() {
    assert!(complete(2).matrix().contains(", level tested: certified.\n"), "{}", complete(2).matrix());
}

#[test]
fn the_badge_says_what_failed_and_calls_only_a_whole_run_certified() {
    let has = |document: &Document, said: &str, colour: &str| {
        let svg = document.badge();
        assert!(svg.contains(&format!("<title>statehold: {said}</title>")) && svg.contains(colour), "{svg}");
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" ") && !svg.contains("href"), "{svg}");
    };
    has(&document(), "1 failed, 1 skipped", "#cf222e");
    let all = all_cases().len() + 1;
    has(&complete(0), &format!("certified {all}/{all}"), "#1a7f37");
    has(&complete(3), &format!("certified {0}/{0}, 3 skipped", all - 3), "#1a7f37");
    let mut some = complete(0).stores.remove(0).report.cases;
    some.remove(1);
    has(&Document::of([report("one", None, some)]), &format!("some cases only: {0}/{0}", all - 1), "#57606a");
    has(&Document::of([]), "some cases only: 0/0", "#57606a");
}

#[test]
fn the_page_shows_failures_with_the_command_that_runs_them_again() {
    let mut document = document();
    let page = document.html();
    for part in [
        "<pre class=\"message\" tabindex=\"0\">\nexpected &lt;a&gt; &amp; &quot;b&quot;\u{2400}</pre>",
        "\nstatehold conform --store one --filter kv_2_case --seed 42</pre>",
        "<td class=\"fail\">fail 1<small>1 pass</small></td>",
        "<td class=\"skip\">skip 1</td>",
        "<li class=\"skip\">one: skip, ttl is not declared</li>",
        "<td>1.2 s</td>",
        "1 of 4 cases failed",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    // What a shell would take apart is quoted, and a model case tries the sequence that failed.
    document.stores[1].report.cases[0] = CaseReport {
        category: Category::Model,
        ..case("MODEL", Outcome::Failed { message: "m".to_owned(), seed: 42 })
    };
    let command = "conform --store 'it'\\''s' --filter model_case --seed 42 --cases 1</pre>";
    assert!(document.html().contains(command), "{}", document.html());
    document.stores[1].report.cases[0].category = Category::Crash;
    let command = "conform --store 'it'\\''s' --filter model_case --seed 42 --category crash</pre>";
    assert!(document.html().contains(command), "{}", document.html());
}

#[test]
fn a_page_calls_only_a_whole_run_certified() {
    assert!(complete(2).html().contains("<p class=\"verdict pass\">certified</p>"));
    let some = Document::of([report("one", None, vec![case("KV-2", Outcome::Passed)])]);
    assert!(some.html().contains("<p class=\"verdict\">nothing failed, but not all "), "{}", some.html());
}
