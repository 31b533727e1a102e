//! `report.html`: the report for people, on any screen. One file that loads nothing and needs no script.

mod figures;
mod numbers;
mod targets;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    Report,
    chart::Looks,
    numbers::{about, case, shown},
    tables::{Table, grouped, tables},
    units::instant,
};

const CSS: &str = include_str!("report.css");
/// A browser that honours it fetches and runs nothing, whatever a name holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Report {
    /// A page for a browser. It loads nothing and runs no script: the same report, the same page.
    #[must_use]
    pub fn html(&self) -> String {
        let verdict = self.verdict();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { "statehold bench: " (verdict) }
                    style { (PreEscaped(CSS)) }
                }
                body {
                    (head(self, &verdict))
                    (targets::section(self))
                    (workloads(self))
                    (skipped(self))
                    (method(self))
                }
            }
        };
        page.into_string()
    }
}

fn head(report: &Report, verdict: &str) -> Markup {
    let missed = report.ratios.iter().any(|ratio| !ratio.met());
    let met = !missed && report.ratios.iter().any(|ratio| ratio.wanted.is_some());
    html! {
        header {
            h1 { "statehold bench" }
            p.verdict.missed[missed].met[met] { (verdict) }
            div.facts {
            dl {
                div { dt { "statehold" } dd { (shown(&report.version)) } }
                div { dt { "when" } dd { (instant(report.at.saturating_mul(1000))) " UTC" } }
                div { dt { "machine" } dd { (report.machine.told()) } }
                div { dt { "repetitions" } dd { (report.repeat) ", the median counts" } }
            }
            dl {
                @for store in &report.stores {
                    div {
                        dt { (shown(&store.name)) }
                        @let engine = store.engine.as_deref().unwrap_or(&store.kind);
                        dd { (shown(engine)) @if store.place != engine { ", " (shown(&store.place)) } }
                    }
                }
            }
            }
            nav {
                @if !report.ratios.is_empty() { a href="#targets" { "targets" } }
                @for (number, (workload, _)) in grouped(&report.rows, |row| &*row.case.workload).iter().enumerate() {
                    a href={ "#w" (number) } { (shown(workload)) }
                }
                @if !report.skipped.is_empty() { a href="#skipped" { "left out" } }
                a href="#method" { "method" }
            }
        }
    }
}

/// A section for each workload: how it scales, then case by case.
fn workloads(report: &Report) -> Markup {
    let looks = Looks::of(&report.rows);
    html! {
        @for (number, (workload, rows)) in grouped(&report.rows, |row| &*row.case.workload).into_iter().enumerate() {
            @let scaling = figures::scaling(workload, &rows, &looks);
            section.workload id={ "w" (number) } {
                h2 { (shown(workload)) }
                @if let Some(about) = about(workload) { p.about { (about) } }
                @let tables = tables(rows);
                @match scaling {
                    // The lines are what such a workload is for.
                    Some(scaling) => {
                        (scaling)
                        @for table in &tables { details.case { summary { (case(table.case)) " · " (durability(table)) } (measured(table, &looks, false)) } }
                    },
                    None => @for table in &tables { (measured(table, &looks, true)) },
                }
            }
        }
    }
}

fn durability(table: &Table<'_>) -> String {
    format!("durability: {}", shown(table.durability))
}

/// Rows that may be compared: as bars, as curves and as numbers.
fn measured(table: &Table<'_>, looks: &Looks<'_>, headed: bool) -> Markup {
    let curves = figures::curves(table, looks);
    html! {
        article {
            @if headed { h3 { (case(table.case)) small { (durability(table)) } } }
            div.grid { (figures::bars(table, looks)) }
            @if let Some(curves) = curves {
                details { summary { "Latency curves" } div.grid { (curves) } }
            }
            details { summary { "All numbers" } (numbers::table(table)) }
        }
    }
}

fn skipped(report: &Report) -> Markup {
    html! {
        @if !report.skipped.is_empty() {
            section id="skipped" {
                h2 { "Left out" }
                div.scroll tabindex="0" {
                    table {
                        thead { tr { @for head in ["workload", "row", "store", "side", "why"] { th scope="col" { (head) } } } }
                        tbody {
                            @for skipped in &report.skipped {
                                tr {
                                    th scope="row" { (shown(&skipped.workload)) }
                                    td { (skipped.row.as_deref().map_or_else(|| "all".to_owned(), shown)) }
                                    td { (shown(&skipped.store)) }
                                    td { (shown(&skipped.side)) }
                                    td.why { (shown(&skipped.reason)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn method(report: &Report) -> Markup {
    html! {
        section id="method" {
            h2 { "Method" }
            p {
                "A side is one way to a store: " b { "typed" } ", statehold as the descriptor says; " b { "direct" }
                ", the same without write buffer and cache; " b { "spi" } ", statehold's interface to engines; "
                b { "raw" } ", the engine's own driver; " b { "dry" } ", the workload without a store; or another "
                "library. Each is a process of its own, and the sides of a store take turns."
            }
            p {
                "Every side does the same operations, made from the same seeds outside the clock, on a fresh store in "
                "each of " (report.repeat) " repetitions. What they read is summed up, and a run whose sums differ "
                "fails. Bars and rates are medians of the repetitions, whiskers go from the least to the greatest; a "
                "broken bar goes on beyond its axis. What differs in durability stands in different tables, as it is "
                "no comparison."
            }
            p {
                "Latencies are those of single operations of all repetitions; of operations faster than 4 µs every "
                "sixteenth is timed. The longest is the longest time between two looks at the clock. CPU time, "
                "memory and bytes are the side's own process's, in all repetitions together; what a server uses is "
                "not in them. Allocations are counted in a pass over a tenth of the row beforehand."
            }
        }
    }
}
