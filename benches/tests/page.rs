//! `report.html` in a real browser, as on a phone: it fits, its charts are legible and true, and it does nothing else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod sample;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use statehold::testing::servers::browser;
use statehold_bench_kit::case::Case;
use statehold_benches::report::{Measured, Report, Skipped};

/// What a browser would run, if the page let it.
const HOSTILE: &str =
    "</title></svg><script>document.title = 'ran'</script><img src=x onerror=\"document.title='ran'\">&amp;'";

/// Looks at the page from within; all folds are opened first.
const PROBE: &str = r"
    const closed = [...document.querySelectorAll('details')].every(d => !d.open);
    document.querySelectorAll('details').forEach(d => d.open = true);
    const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
    const inside = (a, b) => a[0] >= b[0] - 1 && a[1] >= b[1] - 1 && a[2] <= b[2] + 1 && a[3] <= b[3] + 1;
    const apart = (a, b) => a[2] <= b[0] + .5 || b[2] <= a[0] + .5 || a[3] <= b[1] + .5 || b[3] <= a[1] + .5;
    const flaws = [];
    const charts = [...document.querySelectorAll('svg')].map(svg => {
        const title = svg.querySelector(':scope > title').textContent, frame = box(svg);
        const desc = svg.querySelector(':scope > desc').textContent;
        if (svg.getAttribute('role') != 'img' || !title || !desc) flaws.push(['untold', title]);
        if (frame[2] - frame[0] < 300 || frame[0] < 0 || frame[2] > innerWidth) flaws.push(['chart', title, frame]);
        for (const e of svg.querySelectorAll('rect, path, line, circle')) {
            const b = box(e), filled = e.localName == 'rect' || e.localName == 'circle';
            const drawn = (filled ? Math.min : Math.max)(b[2] - b[0], b[3] - b[1]);
            const colour = getComputedStyle(e)[filled ? 'fill' : 'stroke'];
            if (!(drawn > 0) || colour == 'none' || !inside(b, frame)) flaws.push(['drawn', title, e.outerHTML, b]);
        }
        const labels = [...svg.querySelectorAll('text')].map(e => [e.textContent, box(e)]);
        labels.forEach(([text, a], at) => {
            if (!inside(a, frame)) flaws.push(['outside', title, text, a, frame]);
            labels.slice(at + 1).forEach(([other, b]) => {
                if (!apart(a, b)) flaws.push(['overlap', title, text, other, a, b]);
            });
        });
        const bars = [...svg.querySelectorAll('g:has(> .bar)')].map(g => ({
            told: g.querySelector('title').textContent, cut: !!g.querySelector('.break'),
            width: g.querySelector('.bar').getBBox().width, colour: getComputedStyle(g.querySelector('.bar')).fill,
        }));
        return {
            kind: svg.parentElement.className, title, desc, bars, labels: labels.map(([text]) => text),
            lines: svg.querySelectorAll('.line').length,
            marks: svg.querySelectorAll('.mark').length, apart: svg.querySelectorAll('.apart').length,
        };
    });
    const texts = selector => [...document.querySelectorAll(selector)].map(e => e.textContent);
    const rows = selector => [...document.querySelectorAll(selector)].map(
        tr => [...tr.cells].map(cell => cell.textContent));
    const spilt = [...document.querySelectorAll('table')].filter(table => {
        const b = box(table.parentElement);
        return table.parentElement.className != 'scroll' || b[0] < 0 || b[2] > innerWidth;
    }).length;
    return {
        width: innerWidth, page: document.documentElement.scrollWidth, body: document.body.scrollWidth,
        title: document.title, closed, flaws, charts, spilt, first: document.querySelector('section').id,
        targets: rows('#targets > .scroll tbody tr'), free: rows('#targets details tbody tr'),
        numbers: rows('table.all tbody tr'), left: rows('#skipped tbody tr'), names: texts('figcaption, h2, dd'),
        loads: performance.getEntriesByType('resource').map(e => e.name),
        foreign: document.querySelectorAll(
            '[src], [srcset], [href]:not([href^=\\#]), link, script:not([data-probe]), img, iframe, object, use'
        ).length,
    };
";

/// What the probe finds in the page of `report`, which fits and does nothing, whatever it holds.
fn seen(report: &Report) -> Value {
    let found = browser::probe(&report.html(), 360, 740, PROBE).unwrap();
    let found: Value = serde_json::from_str(&found).unwrap_or_else(|e| panic!("{e}: {found}"));
    assert_eq!([&found["width"], &found["page"], &found["body"]], [360, 360, 360]);
    let none = Value::Array(Vec::new());
    assert_eq!((&found["flaws"], &found["spilt"]), (&none, &0.into()), "flaws of charts and tables");
    assert_eq!((&found["loads"], &found["foreign"]), (&none, &0.into()));
    assert!(found["title"].as_str().unwrap().starts_with("statehold bench: "), "{}", found["title"]);
    found
}

fn texts(found: &Value) -> Vec<&str> {
    found.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn table(found: &Value) -> Vec<Vec<&str>> {
    found.as_array().unwrap().iter().map(texts).collect()
}

fn charts<'a>(found: &'a Value, kind: &str) -> Vec<&'a Value> {
    found["charts"].as_array().unwrap().iter().filter(|chart| chart["kind"] == kind).collect()
}

/// How many there are of something in all charts of a kind.
fn sum(found: &Value, kind: &str, what: &str) -> usize {
    charts(found, kind).iter().map(|chart| chart[what].as_u64().unwrap() as usize).sum()
}

/// A number with its unit, as a page tells it, and what its last digit stands for.
fn digits(told: &str) -> (f64, f64) {
    let (digits, unit) = told.split_once(' ').unwrap_or((told, ""));
    let times = match unit {
        "" | "B" | "ns" => 1.0,
        "kB" | "µs" | "k" => 1e3,
        "MB" | "ms" | "M" => 1e6,
        "GB" | "s" => 1e9,
        other => panic!("{other} in {told}"),
    };
    let last = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let number: f64 = digits.replace(',', "").parse().unwrap_or_else(|e| panic!("{told}: {e}"));
    (number * times, times / 10f64.powi(last as i32))
}

fn number(told: &str) -> f64 {
    digits(told).0
}

/// Whether `told` is `real`, rounded.
fn says(told: &str, real: f64) {
    let (number, last) = digits(told);
    assert!((number - real).abs() <= last * 0.51, "{told} is not {real}");
}

/// Whether the cells of a line are what `row` measured.
fn tells(cells: &[&str], row: &Measured) {
    assert_eq!(cells[..3], [&*row.row, &*row.store, &*row.side]);
    let Measured { seconds, latency, usage, .. } = row;
    match row.count {
        // The least time is the greatest rate.
        Some(count) => {
            for (told, seconds) in cells[3..6].iter().zip([seconds.median, seconds.max, seconds.min]) {
                says(told, count as f64 / seconds);
            }
        }
        None => {
            for (told, seconds) in cells[3..6].iter().zip([seconds.median, seconds.min, seconds.max]) {
                says(told, seconds * 1e9);
            }
        }
    }
    let nanos = [latency.p50, latency.p99, latency.p999, latency.longest, usage.cpu_nanos];
    let bytes = [usage.peak_bytes, usage.read_bytes, usage.write_bytes].map(Option::unwrap);
    cells[6..14].iter().zip(nanos.into_iter().chain(bytes)).for_each(|(told, real)| says(told, real as f64));
    says(cells[14], row.allocations.unwrap());
    assert_eq!(cells[15], format!("{:016x}", row.checksum));
}

#[test]
fn missed_targets_come_first_and_in_words() {
    let found = seen(&sample::report());
    assert_eq!((&found["closed"], &found["first"]), (&true.into(), &"targets".into()));
    assert_eq!(found["title"], "statehold bench: 2 of 8 targets missed");
    let targets = table(&found["targets"]);
    assert_eq!(targets[0][..4], ["getpostgres: direct over raw", "missed", "0.73", "0.85"]);
    assert_eq!(targets[1][..4], ["getredis: direct over raw", "missed", "0.87", "0.90"]);
    assert!(targets.len() == 8 && targets[2..].iter().all(|target| target[1] == "met"), "{targets:?}");
    assert_eq!((table(&found["free"]).len(), table(&found["left"]).len()), (2, 2));
}

#[test]
fn every_number_is_the_reports() {
    let report = sample::report();
    let found = seen(&report);
    let numbers = table(&found["numbers"]);
    assert_eq!(numbers.len(), report.rows.len());
    // Those of a case together, and within it those of a durability.
    let mut rows: Vec<&Measured> = report.rows.iter().collect();
    rows.sort_by_key(|row| {
        let alike = |other: &&Measured| other.case == row.case;
        let case = report.rows.iter().position(|other| alike(&other));
        (case, report.rows.iter().position(|other| alike(&other) && other.durability == row.durability))
    });
    numbers.iter().zip(rows).for_each(|(cells, row)| tells(cells, row));
}

#[test]
fn bars_are_as_long_as_what_they_say() {
    let report = sample::report();
    let found = seen(&report);
    let mut colours = BTreeMap::new();
    let mut bars = 0;
    for chart in charts(&found, "bars") {
        let title = chart["title"].as_str().unwrap();
        let unit = if title.contains("checkpoints") { "milliseconds" } else { "things per second" };
        assert!(texts(&chart["labels"]).contains(&unit), "{chart}");
        // What is not as durable is in another chart.
        assert!(!title.ends_with("visible") || !chart["desc"].as_str().unwrap().contains(" raw "), "{chart}");
        let mut scale = None;
        for bar in chart["bars"].as_array().unwrap() {
            bars += 1;
            let (name, told) = bar["told"].as_str().unwrap().split_once(": ").unwrap();
            let side = name.split(' ').next_back().unwrap();
            assert_eq!(colours.entry(side).or_insert(&bar["colour"]), &&bar["colour"], "{side}");
            if bar["cut"] == true {
                assert_eq!(side, "dry");
                continue;
            }
            let width = bar["width"].as_f64().unwrap();
            let scale = *scale.get_or_insert(width / number(told));
            assert!((width - number(told) * scale).abs() < 2.0, "{bar} at {scale}");
        }
    }
    assert_eq!(bars, report.rows.len());
    let different: BTreeSet<String> = colours.values().map(ToString::to_string).collect();
    assert_eq!((colours.len(), different.len()), (6, 6), "{colours:?}");
}

#[test]
fn there_is_a_curve_for_each_row_and_a_line_for_each_side_that_scales() {
    let report = sample::report();
    let found = seen(&report);
    // Steps have no curve.
    assert_eq!(sum(&found, "curve", "lines"), report.rows.iter().filter(|row| row.count.is_some()).count());
    for curve in charts(&found, "curve") {
        let labels = texts(&curve["labels"]);
        let told = ["50", "90", "99", "99.9", "99.99", "99.999", "all", "time of one operation"];
        assert!(told.iter().all(|label| labels.contains(label)), "{labels:?}");
    }
    // Two rows over records, one over tasks, at three points; and those in tight memory apart.
    let scaling = |row: &&Measured| row.case.workload == "tasks" && row.case.tasks == 1 && row.side != "dry";
    let sides = report.rows.iter().filter(scaling).count();
    assert_eq!((sides, sum(&found, "scaling", "lines")), (17, sides * 3));
    assert_eq!((sum(&found, "scaling", "marks"), sum(&found, "scaling", "apart")), (sides * 3 * 3, sides * 2));
    let labels: Vec<&str> = charts(&found, "scaling").iter().flat_map(|chart| texts(&chart["labels"])).collect();
    for label in ["records", "tasks", "30 k", "300 k", "3 M", "1", "8", "64", "things per second"] {
        assert!(labels.contains(&label), "{label} is not in {labels:?}");
    }
}

#[test]
fn hostile_and_endless_names_are_shown_as_text() {
    let mut report = sample::empty();
    let (wide, foreign) = ("W".repeat(300), "統計".repeat(90));
    let case = sample::case(HOSTILE);
    for (number, side) in [HOSTILE, &wide, &foreign, "raw", "typed", "a", "b", "c"].into_iter().enumerate() {
        for store in [HOSTILE, &wide, &foreign] {
            let mut row = sample::row(&case, HOSTILE, store, side, 1.0 + number as f64);
            HOSTILE.clone_into(&mut row.durability);
            report.rows.push(row);
        }
        // Lines that end at one point, and marks at one place.
        for n in [1_000, 1_001, u64::MAX] {
            let row = sample::row(&sample::case("size"), &wide, "store", side, 1_000.0);
            let case = Case { n, ..row.case };
            report.rows.push(Measured { case, count: Some(n), ..row });
        }
    }
    report.ratios = vec![sample::ratio(&case, HOSTILE, &wide, [HOSTILE, &foreign], f64::NAN, Some(0.5))];
    report.skipped = vec![Skipped {
        workload: HOSTILE.to_owned(),
        row: Some(wide.clone()),
        store: foreign.clone(),
        side: HOSTILE.to_owned(),
        reason: HOSTILE.to_owned(),
    }];
    HOSTILE.clone_into(&mut report.version);
    HOSTILE.clone_into(&mut report.machine.system);
    report.stores[0].engine = Some(HOSTILE.to_owned());
    let found = seen(&report);
    let names = texts(&found["names"]);
    assert!(names.contains(&HOSTILE) && names.iter().any(|name| name.starts_with(&wide)), "{names:?}");
    assert_eq!(table(&found["left"]), [[HOSTILE, &wide, &foreign, HOSTILE, HOSTILE]]);
    // What is no number reaches no target.
    assert_eq!(table(&found["targets"])[0][1..4], ["missed", "-", "0.50"]);
    assert_eq!(table(&found["numbers"])[0][..3], [HOSTILE; 3]);
    // A label is cut, and the whole name is told to whoever points at the bar.
    let whole =
        |chart: &&Value| chart["bars"][0]["told"].as_str().unwrap().starts_with(&format!("{HOSTILE} {HOSTILE}: "));
    assert_eq!(charts(&found, "bars").iter().filter(|chart| whole(chart)).count(), 1);
}

#[test]
fn a_run_without_rows_is_a_page_too() {
    let found = seen(&sample::empty());
    assert_eq!((&found["first"], &found["charts"]), (&"method".into(), &Value::Array(Vec::new())));
    assert_eq!(found["title"], "statehold bench: no targets in this run");
}
