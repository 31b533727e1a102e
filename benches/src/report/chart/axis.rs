//! Axes: where a number is, and which ones are told.

use maud::{Markup, html};

use super::{SMALL, WIDTH, at, width};
use crate::report::numbers;

/// A range of numbers with marks. Logarithmic axes hold logarithms.
pub(in crate::report) struct Axis {
    /// What it shows, with its unit.
    pub(in crate::report) name: String,
    pub(in crate::report) from: f64,
    pub(in crate::report) to: f64,
    /// Marks, ascending.
    pub(in crate::report) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// The place of `number` between 0 and 1.
    pub(super) fn share(&self, number: f64) -> f64 {
        let share = (number - self.from) / (self.to - self.from);
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// Lines upwards from its marks and their labels below, as far as they have place beside each other, and its name.
    pub(super) fn below(&self, left: f64, right: f64, top: f64, bottom: f64) -> Markup {
        let mut free = 0.0;
        let mut labels = Vec::new();
        for (number, label) in &self.ticks {
            let x = left + self.share(*number) * (right - left);
            let half = width(label, SMALL) / 2.0;
            let center = x.clamp(half, WIDTH - half);
            if center - half >= free {
                free = center + half + 1.0;
                labels.push((x, center, label));
            }
        }
        html! {
            @for (x, center, label) in labels {
                line.rule x1=(at(x)) x2=(at(x)) y1=(at(top)) y2=(at(bottom)) {}
                text.small x=(at(center)) y=(at(bottom + 14.0)) text-anchor="middle" { (label) }
            }
            text.small x=(at(right)) y=(at(bottom + 27.0)) text-anchor="end" { (self.name) }
        }
    }
}

/// From 0 to `max`, with a few round marks.
pub(in crate::report) fn linear(name: &str, max: f64, label: impl Fn(f64) -> String) -> Axis {
    let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
    let power = 10f64.powf((max / 4.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= max / 4.0);
    let step = step.unwrap_or(max);
    let ticks = (0..=4).map(|mark| f64::from(mark) * step).filter(|mark| *mark <= max * 1.000_001);
    Axis { name: name.to_owned(), from: 0.0, to: max, ticks: ticks.map(|mark| (mark, label(mark))).collect() }
}

/// Logarithms of times between `min` and `max` nanoseconds, a decade at least.
pub(in crate::report) fn time(name: &str, min: f64, max: f64) -> Axis {
    let (mut from, mut to) = (min.max(1.0).log10(), max.max(1.0).log10());
    if to - from < 1.0 {
        let middle = f64::midpoint(from, to);
        (from, to) = ((middle - 0.5).max(0.0), (middle - 0.5).max(0.0) + 1.0);
    }
    let marks = |within: &[f64]| -> Vec<(f64, String)> {
        let decades = from.floor() as i32..=to.ceil() as i32;
        let all = decades.flat_map(|decade| within.iter().map(move |mark| mark * 10f64.powi(decade)));
        let inside = all.filter(|mark| (from - 1e-9..=to + 1e-9).contains(&mark.log10()));
        inside.map(|mark| (mark.log10(), numbers::nanos(mark))).collect()
    };
    let decades = marks(&[1.0]);
    let ticks = if decades.len() < 3 { marks(&[1.0, 2.0, 5.0]) } else { decades };
    Axis { name: name.to_owned(), from, to, ticks }
}

/// Logarithms of these numbers, each with a mark.
pub(in crate::report) fn points(name: &str, numbers: &[f64]) -> Axis {
    let mut ticks: Vec<(f64, String)> =
        numbers.iter().map(|number| (number.max(1.0).log10(), numbers::short(*number))).collect();
    ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
    ticks.dedup_by(|a, b| a.0 == b.0);
    let ends = |tick: Option<&(f64, String)>| tick.map_or(0.0, |(number, _)| *number);
    let (from, to) = (ends(ticks.first()), ends(ticks.last()));
    // Room beside the first and the last one, so that their labels keep clear of the other axis.
    let room = ((to - from) * 0.08).max(0.01);
    Axis { name: name.to_owned(), from: from - room, to: to + room, ticks }
}

/// Shares of all operations as logarithms of what remains: each nine as wide as the one before, up to `nines` of them,
/// and the last operation at the end.
pub(in crate::report) fn reach(name: &str, nines: u32) -> Axis {
    let mut ticks = vec![(0.5f64.log10().abs(), "50".to_owned())];
    ticks.extend((1..=nines).map(|nines| {
        let digits = usize::try_from(nines).unwrap_or_default().saturating_sub(2);
        (f64::from(nines), format!("{:.digits$}", 100.0 - 100.0 / 10f64.powf(f64::from(nines))))
    }));
    ticks.push((f64::from(nines) + 1.0, "all".to_owned()));
    Axis { name: name.to_owned(), from: 0.0, to: f64::from(nines) + 1.0, ticks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| &**label).collect()
    }

    #[test]
    fn marks_are_round_and_inside() {
        assert_eq!(labels(&linear("", 412_345.0, numbers::short)), ["0", "200 k", "400 k"]);
        assert_eq!(labels(&linear("", 3.0, numbers::short)), ["0", "1", "2", "3"]);
        assert_eq!(labels(&linear("", f64::INFINITY, numbers::short)), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(labels(&time("", 900.0, 2e6)), ["1 µs", "10 µs", "100 µs", "1 ms"]);
        assert_eq!(labels(&time("", 1000.0, 1000.0)), ["500 ns", "1 µs", "2 µs"]);
        assert_eq!(labels(&points("", &[64.0, 1.0, 8.0, 8.0])), ["1", "8", "64"]);
        assert_eq!(labels(&reach("", 4)), ["50", "90", "99", "99.9", "99.99", "all"]);
    }

    #[test]
    fn a_number_beyond_an_axis_is_at_its_end() {
        let axis = linear("", 10.0, numbers::short);
        assert_eq!(
            [5.0, 20.0, f64::INFINITY, -1.0, f64::NAN].map(|number| axis.share(number)),
            [0.5, 1.0, 1.0, 0.0, 0.0]
        );
    }
}
