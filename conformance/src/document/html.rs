//! `report.html`: the report for people, on any screen. One file that loads nothing and needs no script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Document, StoreReport, Totals};
use crate::{CaseReport, Outcome};

const CSS: &str = include_str!("report.css");
/// A browser that honours it fetches and runs nothing, whatever a message holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub(super) fn page(document: &Document) -> String {
    let verdict = document.verdict();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "statehold conformance: " (verdict) }
                style { (PreEscaped(CSS)) }
            }
            body {
                header {
                    h1 { "statehold conformance" }
                    p.verdict.fail[document.totals.failed > 0].pass[document.proven().is_some()] { (verdict) }
                    p { "Suite " (document.suite) ", level tested: " (document.tested()) ". " (told(&document.totals)) "." }
                }
                (failures(document))
                (stores(document))
                (matrix(document))
                (cases(document))
            }
        }
    };
    page.into_string()
}

fn told(totals: &Totals) -> String {
    let Totals { passed, failed, skipped } = totals;
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

/// What failed, first and whole.
fn failures(document: &Document) -> Markup {
    html! {
        @if document.totals.failed > 0 {
            section id="failures" {
                h2 { "What failed" }
                @for store in &document.stores {
                    @for case in store.failures() {
                        article {
                            h3 { (store.store) ": " (case.name) }
                            @if let Outcome::Failed { message, .. } = &case.outcome {
                                (verbatim("message", message))
                            }
                            p { "Run it again:" }
                            (verbatim("replay", &case.replay(&store.store)))
                        }
                    }
                }
            }
        }
    }
}

/// Text as it is, in a box that scrolls.
fn verbatim(class: &str, text: &str) -> Markup {
    // HTML drops the first newline of a `pre`, NUL, and what tells `\r` from `\n`.
    let visible: String = text.chars().map(shown).collect();
    html! { pre class=(class) tabindex="0" { "\n" (visible) } }
}

/// Control characters as their pictures.
fn shown(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(c),
        '\u{7f}' => '\u{2421}',
        _ => c,
    }
}

fn stores(document: &Document) -> Markup {
    html! {
        section id="stores" {
            h2 { "Stores" }
            div.scroll tabindex="0" {
                table {
                    thead { tr {
                        @for head in ["store", "kind", "engine", "passed", "failed", "skipped", "rounds", "time", "seed"] {
                            th scope="col" { (head) }
                        }
                    } }
                    tbody {
                        @for store in &document.stores {
                            tr {
                                th scope="row" { (store.store) }
                                td { (store.kind) }
                                td { (store.engine.as_deref().unwrap_or("within statehold")) }
                                td { (store.totals.passed) }
                                td.fail[store.totals.failed > 0] { (store.totals.failed) }
                                td { (store.totals.skipped) }
                                td { (store.rounds) }
                                td { (time(store.millis)) }
                                td { (store.seed) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn time(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

fn matrix(document: &Document) -> Markup {
    html! {
        section {
            h2 { "Clause by clause" }
            div.scroll tabindex="0" {
                table id="matrix" {
                    thead { tr {
                        th scope="col" { "clause" }
                        @for store in &document.stores { th scope="col" { (store.store) } }
                    } }
                    tbody {
                        @for clause in document.clauses() {
                            tr {
                                th scope="row" { a href={ "#" (clause) } { (clause) } }
                                @for store in &document.stores { (cell(store.clauses.get(clause))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The worst of a clause's cases is its word and colour; a skip is never a pass.
fn cell(totals: Option<&Totals>) -> Markup {
    let Some(Totals { passed, failed, skipped }) = totals.copied() else {
        return html! { td.none { "none" } };
    };
    html! {
        @if failed > 0 {
            td.fail { "fail " (failed) @if passed > 0 { small { (passed) " pass" } } (skips(skipped)) }
        } @else if passed > 0 {
            td.pass { "pass " (passed) (skips(skipped)) }
        } @else {
            td.skip { "skip " (skipped) }
        }
    }
}

fn skips(skipped: usize) -> Markup {
    html! { @if skipped > 0 { small { (skipped) " skip" } } }
}

/// Each clause's cases, store by store.
fn cases(document: &Document) -> Markup {
    html! {
        section {
            h2 { "Case by case" }
            @for clause in document.clauses() {
                details {
                    // A link to what is inside opens it.
                    summary { (clause) }
                    div id=(clause) {
                        @for name in names(document, clause) {
                            h3 { (name) }
                            ul {
                                @for (store, case) in of_case(document, clause, name) { (outcome(store, case)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The names of a clause's cases, each once.
fn names<'a>(document: &'a Document, clause: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for case in document.stores.iter().flat_map(|store| &store.cases).filter(|case| case.clause == clause) {
        if !names.contains(&&*case.name) {
            names.push(&*case.name);
        }
    }
    names
}

fn of_case<'a>(
    document: &'a Document,
    clause: &'a str,
    name: &'a str,
) -> impl Iterator<Item = (&'a StoreReport, &'a CaseReport)> {
    let all = document.stores.iter().flat_map(|store| store.cases.iter().map(move |case| (store, case)));
    all.filter(move |(_, case)| case.clause == clause && case.name == name)
}

fn outcome(store: &StoreReport, case: &CaseReport) -> Markup {
    html! {
        @match &case.outcome {
            Outcome::Passed => li.pass { (store.store) ": pass, " (time(case.millis)) },
            Outcome::Failed { .. } => li.fail { (store.store) ": fail, " (time(case.millis)) },
            Outcome::Skipped { reason, unproven: false } => li.skip { (store.store) ": skip, " (reason) },
            Outcome::Skipped { reason, unproven: true } => li.skip { (store.store) ": not run here, " (reason) },
        }
    }
}
