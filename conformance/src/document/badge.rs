//! `badge.svg`: the result in one line.

use maud::{PreEscaped, html};

use super::{Document, Totals};

const GREEN: &str = "#1a7f37";
const RED: &str = "#cf222e";
const GREY: &str = "#57606a";

/// What the badge says, and its colour.
fn said(document: &Document) -> (String, &'static str) {
    let Totals { passed, failed, skipped } = document.totals;
    let run = passed + failed;
    let skips = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    if failed > 0 {
        (format!("{failed} failed{skips}"), RED)
    } else if let Some(level) = document.proven() {
        (format!("{} {passed}/{run}{skips}", level.as_str()), GREEN)
    } else {
        (format!("some cases only: {passed}/{run}{skips}"), GREY)
    }
}

/// Pixels that a text takes at most, in the widest of the fonts that are asked for.
fn width(text: &str) -> usize {
    text.chars().count() * 7 + 12
}

pub(super) fn svg(document: &Document) -> String {
    let (said, colour) = said(document);
    let (left, right) = (width("statehold"), width(&said));
    let title = format!("statehold: {said}");
    let text = |x: usize, width: usize, text: &str| {
        // `textLength` holds the text within its half, whatever the font.
        html! { text x=(x + width / 2) y="14" textLength=(width - 12) lengthAdjust="spacingAndGlyphs" { (text) } }
    };
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(left + right) height="20" role="img" aria-label=(title) {
            title { (title) }
            rect width=(left) height="20" fill="#24292f" {}
            rect x=(left) width=(right) height="20" fill=(colour) {}
            g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" {
                (text(0, left, "statehold"))
                (text(left, right, &said))
            }
        }
        (PreEscaped("\n"))
    };
    svg.into_string()
}
