//! What was compared, and which targets were missed.

use maud::{Markup, html};

use crate::report::{
    Ratio, Report,
    numbers::{case, ratio as told, shown},
};

pub(super) fn section(report: &Report) -> Markup {
    let (wanted, free) = report.by_target();
    html! {
        @if !report.ratios.is_empty() {
            section id="targets" {
                h2 { "Targets" }
                p { "How fast one side was as a multiple of another, on the same store: above 1 is faster." }
                @if wanted.is_empty() { p { "None of these comparisons has a target." } } @else { (table(&wanted, true)) }
                @if !free.is_empty() {
                    details {
                        summary { (free.len()) " comparisons without a target" }
                        (table(&free, false))
                    }
                }
            }
        }
    }
}

fn table(ratios: &[&Ratio], wanted: bool) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.ratios {
                thead { tr {
                    th scope="col" { "row" }
                    @if wanted { th scope="col" { "result" } }
                    th.number scope="col" { "ratio" }
                    @if wanted { th.number scope="col" { "target" } }
                    @for head in ["workload", "durability", "case"] { th scope="col" { (head) } }
                } }
                tbody { @for ratio in ratios { (line(ratio, wanted)) } }
            }
        }
    }
}

fn line(ratio: &Ratio, wanted: bool) -> Markup {
    html! {
        tr {
            th scope="row" {
                (shown(&ratio.row))
                small { (shown(&ratio.store)) ": " (shown(&ratio.side)) " over " (shown(&ratio.against)) }
             }
            @if wanted {
                @if ratio.met() { td { span.mark.met { "met" } } } @else { td { span.mark.missed { "missed" } } }
            }
            td.number.short[!ratio.met()] { (told(ratio.ratio)) }
            @if let Some(wanted) = ratio.wanted { td.number { (told(wanted)) } }
            td { (shown(&ratio.case.workload)) }
            td { (shown(&ratio.durability)) }
            td { (case(&ratio.case)) }
        }
    }
}
