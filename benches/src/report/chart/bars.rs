//! Bars: a row's sides on each store.

use maud::{Markup, html};

use super::{Axis, BOLD, SIZE, WIDTH, at, fit, frame};
use crate::report::numbers::shown;

/// Where bars begin.
const LEFT: f64 = 70.0;
/// Where they end at the latest; their numbers stand beyond.
const RIGHT: f64 = 270.0;
/// From one bar to the next.
const PITCH: f64 = 17.0;
/// Thickness of a bar.
const THICK: f64 = 11.0;
/// What the name of a store takes.
const HEAD: f64 = 18.0;

/// A bar with its whisker.
pub(in crate::report) struct Bar<'a> {
    pub(in crate::report) store: &'a str,
    pub(in crate::report) side: &'a str,
    pub(in crate::report) look: usize,
    pub(in crate::report) median: f64,
    pub(in crate::report) min: f64,
    pub(in crate::report) max: f64,
    /// Whether it may be cut at the axis's end.
    pub(in crate::report) cut: bool,
    /// The median, in words.
    pub(in crate::report) told: String,
}

/// A chart of bars from the same zero.
pub(in crate::report) struct Bars<'a> {
    pub(in crate::report) title: String,
    pub(in crate::report) axis: Axis,
    pub(in crate::report) bars: Vec<Bar<'a>>,
}

impl Bars<'_> {
    pub(in crate::report) fn draw(&self) -> Markup {
        let mut y = 0.0;
        let mut store = None;
        // Each bar with its place, and whether its store's name comes before it.
        let placed: Vec<(f64, bool, &Bar<'_>)> = self
            .bars
            .iter()
            .map(|bar| {
                let begins = store.replace(bar.store) != Some(bar.store);
                y += if begins { HEAD } else { 0.0 };
                y += PITCH;
                (y - PITCH, begins, bar)
            })
            .collect();
        let bottom = y + 3.0;
        let told: Vec<String> =
            self.bars.iter().map(|bar| format!("{} {} {}", bar.store, bar.side, bar.told)).collect();
        let content = html! {
            (self.axis.below(LEFT, RIGHT, HEAD - 2.0, bottom))
            @for (y, begins, bar) in placed {
                @if begins { text.store x="0" y=(at(y - 5.0)) { (fit(bar.store, BOLD, WIDTH)) } }
                (self.bar(y, bar))
            }
        };
        let told = format!("{}: {}.", self.axis.name, told.join("; "));
        frame(bottom + 31.0, &self.title, &told, &content)
    }

    fn bar(&self, y: f64, bar: &Bar<'_>) -> Markup {
        let x = |number: f64| LEFT + self.axis.share(number) * (RIGHT - LEFT);
        let middle = y + THICK / 2.0;
        let cut = bar.cut && bar.median > self.axis.to;
        let (low, high) = (at(x(bar.min)), at(x(bar.max)));
        let (top, bottom) = (at(middle - 3.0), at(middle + 3.0));
        let whisker = format!("M{low} {top}V{bottom}M{low} {0}H{high}M{high} {top}V{bottom}", at(middle));
        html! {
            g class={ "side look" (bar.look) } {
                // Whoever points at a bar is told the whole name.
                title { (shown(bar.store)) " " (shown(bar.side)) ": " (bar.told) }
                text x="8" y=(at(y + 9.5)) { (fit(bar.side, SIZE, LEFT - 12.0)) }
                rect.bar x=(at(LEFT)) y=(at(y)) width=(at((x(bar.median) - LEFT).max(1.0))) height=(at(THICK)) {}
                @if cut {
                    // A break in the bar: it goes on beyond the axis.
                    path.break d={ "M" (at(RIGHT - 14.0)) " " (at(y + THICK)) "l5 " (at(-THICK)) } {}
                } @else {
                    path.whisker d=(whisker) {}
                }
                text.number x=(at(WIDTH)) y=(at(y + 9.5)) text-anchor="end" { (bar.told) }
            }
        }
    }
}
