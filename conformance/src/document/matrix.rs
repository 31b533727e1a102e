//! `matrix.md`: clause by clause what each store does, as a table for a README or a book.

use std::collections::BTreeMap;

use super::{Document, Totals};
use crate::Outcome;

/// A table, then which versions these are, then why cases were skipped.
pub(super) fn markdown(document: &Document) -> String {
    let mut out = table(document);
    out.push_str("\n| store | kind | engine | passed | failed | skipped | rounds |\n|---|---|---|---|---|---|---|\n");
    for store in &document.stores {
        let Totals { passed, failed, skipped } = store.totals;
        let engine = store.engine.as_deref().unwrap_or("within statehold");
        let (name, kind) = (cell(&store.store), cell(&store.kind));
        let (engine, rounds) = (cell(engine), store.rounds);
        out.push_str(&format!("| {name} | {kind} | {engine} | {passed} | {failed} | {skipped} | {rounds} |\n"));
    }
    out.push_str(&format!("\nSuite {}, level tested: {}", document.suite, document.tested()));
    out.push_str(&if document.proven().is_some() {
        ".\n".to_owned()
    } else {
        format!("; {}.\n", cell(&document.verdict()))
    });
    let reasons = reasons(document);
    if !reasons.is_empty() {
        out.push_str("\nWhy cases were skipped:\n\n");
        for (reason, stores) in reasons {
            let stores: Vec<String> =
                stores.into_iter().map(|(name, cases)| format!("{} ({cases})", cell(name))).collect();
            out.push_str(&format!("- *{}*: {}\n", cell(reason), stores.join(", ")));
        }
    }
    out
}

fn table(document: &Document) -> String {
    let mut out = String::from("| clause |");
    document.stores.iter().for_each(|store| out.push_str(&format!(" {} |", cell(&store.store))));
    out.push_str("\n|---|");
    document.stores.iter().for_each(|_| out.push_str("---|"));
    for clause in document.clauses() {
        out.push_str(&format!("\n| {} |", cell(clause)));
        for store in &document.stores {
            out.push_str(&format!(" {} |", store.clauses.get(clause).map_or_else(String::new, count)));
        }
    }
    out.push('\n');
    out
}

/// `14`, `12, 2 skipped`, `**1 failed**, 13`.
fn count(totals: &Totals) -> String {
    let Totals { passed, failed, skipped } = *totals;
    let failed = (failed > 0).then(|| format!("**{failed} failed**"));
    let skipped = (skipped > 0).then(|| format!("{skipped} skipped"));
    let passed = (passed > 0).then(|| passed.to_string());
    [failed, passed, skipped].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Each reason with the stores that gave it and how often, both in the order of the document.
fn reasons(document: &Document) -> BTreeMap<&str, Vec<(&str, usize)>> {
    let mut reasons = BTreeMap::<&str, Vec<(&str, usize)>>::new();
    for store in &document.stores {
        let mut of = BTreeMap::<&str, usize>::new();
        for case in &store.cases {
            if let Outcome::Skipped { reason, .. } = &case.outcome {
                *of.entry(reason).or_default() += 1;
            }
        }
        for (reason, cases) in of {
            reasons.entry(reason).or_default().push((&store.store, cases));
        }
    }
    reasons
}

/// Text that is only text in a table of Markdown.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '\\' | '[' | ']' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
