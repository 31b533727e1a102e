//! Charts as SVG of one fixed width, which fits a phone: nothing in them is placed by a browser.

mod axis;
mod bars;
mod lines;

use maud::{Markup, html};

pub(super) use axis::{Axis, linear, points, reach, time};
pub(super) use bars::{Bar, Bars};
pub(super) use lines::{Line, Lines};

use super::{Measured, numbers::shown};

/// Width of every chart in its own units, pixels on a phone of 360.
const WIDTH: f64 = 328.0;
/// Size of letters.
const SIZE: f64 = 11.0;
/// Size of ordinary letters that are as wide as bold ones.
const BOLD: f64 = SIZE * 1.12;
/// Size of letters at axes.
const SMALL: f64 = 10.0;

/// Sides that always look the same.
const KNOWN: [&str; 6] = ["typed", "direct", "spi", "raw", "opendal", "dry"];
/// Looks beyond those; report.css has a colour for each.
const MORE: usize = 4;
/// Dashes of lines, by the number of a look.
const DASHES: [&str; KNOWN.len() + MORE] =
    ["none", "7 2", "2 2", "10 2 2 2", "5 4", "1 3", "12 3", "3 5", "8 2 2 2 2 2", "6 6"];

/// How sides look.
pub(super) struct Looks<'a> {
    others: Vec<&'a str>,
}

impl<'a> Looks<'a> {
    /// For all sides of `rows`; those that are not ours are numbered as they come.
    pub(super) fn of(rows: &'a [Measured]) -> Self {
        let mut others: Vec<&str> = Vec::new();
        for row in rows {
            if !KNOWN.contains(&&*row.side) && !others.contains(&&*row.side) {
                others.push(&row.side);
            }
        }
        Self { others }
    }

    /// The number of a side's look.
    pub(super) fn side(&self, side: &str) -> usize {
        let known = KNOWN.iter().position(|known| *known == side);
        let other = || self.others.iter().position(|other| *other == side).unwrap_or_default();
        known.unwrap_or_else(|| KNOWN.len() + other() % MORE)
    }
}

/// The box of a chart with what it says without being seen.
fn frame(height: f64, title: &str, told: &str, content: &Markup) -> Markup {
    let size = format!("0 0 {} {}", at(WIDTH), at(height));
    html! {
        svg viewBox=(size) width=(at(WIDTH)) height=(at(height)) role="img" {
            title { (shown(title)) }
            desc { (shown(told)) }
            (content)
        }
    }
}

/// A coordinate.
fn at(number: f64) -> String {
    let text = format!("{:.1}", if number.is_finite() { number } else { 0.0 });
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// How wide `text` is at most, in units of a chart.
fn width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        ' ' | '.' | ',' | ':' | ';' | '\'' | '!' | '|' | 'i' | 'j' | 'l' | '-' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '&' => 1.0,
        'A'..='Z' | '<' | '>' | '=' | '+' | '~' => 0.84,
        '!'..='~' | 'µ' => 0.65,
        _ => 1.1,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// As much of `text` as `room` has place for.
fn fit(text: &str, size: f64, room: f64) -> String {
    let text = shown(text);
    if width(&text, size) <= room {
        return text;
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if width(&short, size) + size > room {
            short.pop();
            break;
        }
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_to_its_room() {
        assert_eq!(fit("opendal", SIZE, 60.0), "opendal");
        let cut = fit("a rival with a long name", SIZE, 60.0);
        assert!(cut.ends_with('…') && cut.starts_with("a ri") && width(&cut, SIZE) <= 62.0, "{cut}");
        assert_eq!(fit("abc", SIZE, 1.0), "…");
    }

    #[test]
    fn a_side_looks_the_same_in_every_report() {
        let none = Looks { others: vec!["sled", "lmdb"] };
        let numbers = ["typed", "direct", "raw", "sled", "lmdb"].map(|side| none.side(side));
        assert_eq!(numbers, [0, 1, 3, 6, 7]);
    }
}
