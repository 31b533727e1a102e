//! Lines: how something changes along an axis, a line a side.

use maud::{Markup, html};

use super::{Axis, BOLD, DASHES, SMALL, WIDTH, at, fit, frame};
use crate::report::numbers::shown;

/// The plot's sides; labels of lines stand right of it.
const LEFT: f64 = 46.0;
const RIGHT: f64 = 256.0;
const TOP: f64 = 22.0;
/// Height of the plot, unless more lines want labels.
const HEIGHT: f64 = 150.0;
/// From one label to the next.
const PITCH: f64 = 13.0;
/// Points nearer than this cannot be told apart.
const NEAR: f64 = 2.5;

/// A line with its points, in the axes' numbers.
pub(in crate::report) struct Line<'a> {
    pub(in crate::report) side: &'a str,
    pub(in crate::report) look: usize,
    pub(in crate::report) points: Vec<(f64, f64)>,
    /// Points that are not of the line, drawn hollow.
    pub(in crate::report) apart: Vec<(f64, f64)>,
}

/// A chart of lines.
pub(in crate::report) struct Lines<'a> {
    pub(in crate::report) title: String,
    /// What it says without being seen.
    pub(in crate::report) told: String,
    pub(in crate::report) x: Axis,
    pub(in crate::report) y: Axis,
    pub(in crate::report) lines: Vec<Line<'a>>,
    /// Whether each point has a mark.
    pub(in crate::report) marks: bool,
}

impl Lines<'_> {
    pub(in crate::report) fn draw(&self) -> Markup {
        let bottom = TOP + HEIGHT.max(self.lines.len() as f64 * PITCH);
        let ends = self.ends(bottom);
        let content = html! {
            text.small x="0" y="10" { (self.y.name) }
            @for (number, label) in &self.y.ticks {
                @let y = self.y(*number, bottom);
                line.rule x1=(at(LEFT)) x2=(at(RIGHT)) y1=(at(y)) y2=(at(y)) {}
                text.small x=(at(LEFT - 5.0)) y=(at(y + 3.5)) text-anchor="end" { (fit(label, SMALL, LEFT - 5.0)) }
            }
            (self.x.below(LEFT, RIGHT, TOP, bottom))
            @for (line, label) in self.lines.iter().zip(ends) { (self.line(line, label, bottom)) }
        };
        frame(bottom + 31.0, &self.title, &self.told, &content)
    }

    fn x(&self, number: f64) -> f64 {
        LEFT + self.x.share(number) * (RIGHT - LEFT)
    }

    fn y(&self, number: f64, bottom: f64) -> f64 {
        bottom - self.y.share(number) * (bottom - TOP)
    }

    /// Where each line's label stands: at its end, pushed apart where they would overlap.
    fn ends(&self, bottom: f64) -> Vec<f64> {
        let end = |line: &Line<'_>| {
            let last = line.points.last().or(line.apart.last());
            self.y(last.map_or(0.0, |(_, y)| *y), bottom)
        };
        let mut order: Vec<(usize, f64)> = self.lines.iter().map(end).enumerate().collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        // Down from the top, then what is pushed out at the bottom up again.
        let mut free = TOP;
        for (_, y) in &mut order {
            *y = y.max(free);
            free = *y + PITCH;
        }
        let mut free = bottom;
        for (_, y) in order.iter_mut().rev() {
            *y = y.min(free);
            free = *y - PITCH;
        }
        order.sort_by_key(|(line, _)| *line);
        order.into_iter().map(|(_, y)| y).collect()
    }

    fn line(&self, line: &Line<'_>, label: f64, bottom: f64) -> Markup {
        let place = |(x, y): &(f64, f64)| (self.x(*x), self.y(*y, bottom));
        let points = thinned(line.points.iter().map(place).collect());
        let path: String = points.iter().map(|(x, y)| format!("L{} {}", at(*x), at(*y))).collect();
        let last = points.last().copied().or_else(|| line.apart.last().map(place));
        html! {
            g class={ "side look" (line.look) } {
                title { (shown(line.side)) }
                @if points.len() > 1 {
                    path.line d={ "M" (path.trim_start_matches('L')) } stroke-dasharray=(dashes(line.look)) {}
                }
                @if self.marks || points.len() == 1 {
                    @for (x, y) in &points { circle.mark cx=(at(*x)) cy=(at(*y)) r="3" {} }
                }
                @for (x, y) in line.apart.iter().map(place) {
                    circle.apart cx=(at(x)) cy=(at(y)) r="3.5" {}
                }
                @if let Some((x, y)) = last {
                    line.leader x1=(at(x + 4.0)) y1=(at(y)) x2=(at(RIGHT + 13.0)) y2=(at(label)) {}
                }
                text x=(at(RIGHT + 15.0)) y=(at(label + 3.5)) { (fit(line.side, BOLD, WIDTH - RIGHT - 15.0)) }
            }
        }
    }
}

fn dashes(look: usize) -> &'static str {
    DASHES.get(look).copied().unwrap_or("none")
}

/// Without points that nobody could see.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let last = points.len().saturating_sub(1);
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for (number, (x, y)) in points.into_iter().enumerate() {
        let near = kept.last().is_some_and(|(a, b)| (x - a).hypot(y - b) < NEAR);
        if !near || (number == last && kept.len() == 1) {
            kept.push((x, y));
        } else if let (true, Some(end)) = (number == last, kept.last_mut()) {
            *end = (x, y);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{chart::linear, numbers::short};

    #[test]
    fn labels_of_lines_that_end_together_stand_apart() {
        let line = |end: f64| Line { side: "", look: 0, points: vec![(0.0, 1.0), (1.0, end)], apart: Vec::new() };
        let lines = [10.0, 9.9, 0.0, 0.0, 5.0].map(line).into_iter().collect();
        let (x, y) = (linear("", 1.0, short), linear("", 10.0, short));
        let chart = Lines { title: String::new(), told: String::new(), x, y, lines, marks: false };
        let ends = chart.ends(TOP + HEIGHT);
        assert_eq!(ends, [TOP, TOP + PITCH, TOP + HEIGHT - PITCH, TOP + HEIGHT, TOP + HEIGHT / 2.0]);
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let points = (0..=99).map(|number| (f64::from(number) / 10.0, 0.0)).collect();
        assert_eq!(thinned(points), [(0.0, 0.0), (2.5, 0.0), (5.0, 0.0), (9.9, 0.0)]);
        assert_eq!(thinned(vec![(0.0, 0.0), (0.0, 1.0)]), [(0.0, 0.0), (0.0, 1.0)]);
    }
}
