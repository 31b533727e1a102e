//! Numbers and names as people read them, on a page and in a terminal alike.

use statehold_bench_kit::{case::Case, workload::WORKLOADS};

use super::{Measured, units::count};

/// What cannot be told.
pub(super) const NONE: &str = "-";

/// A name without what a terminal obeys or what turns text around: control characters as their pictures.
pub(super) fn shown(name: &str) -> String {
    let picture = |c: char| match c {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(c),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    };
    name.chars().map(picture).collect()
}

/// Three digits, without zeros at the end.
fn digits(number: f64) -> String {
    let text = match number {
        ..9.995 => format!("{number:.2}"),
        ..99.95 => format!("{number:.1}"),
        _ => return format!("{number:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Three digits and a unit, the last that is not greater than the number.
fn scaled(number: f64, units: &[(f64, &str)]) -> String {
    if !number.is_finite() {
        return NONE.to_owned();
    }
    // 999.6 of one unit is 1 of the next.
    let unit = units.iter().rev().find(|(size, _)| number >= size * 0.9995).or(units.first());
    let (size, name) = unit.copied().unwrap_or((1.0, ""));
    let text = digits(number / size);
    if name.is_empty() { text } else { format!("{text} {name}") }
}

/// A rate or a count in few letters, e.g. `412 k`.
pub(super) fn short(number: f64) -> String {
    scaled(number, &[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")])
}

/// A time, from nanoseconds.
pub(super) fn nanos(number: f64) -> String {
    scaled(number, &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")])
}

/// Milliseconds without a unit.
pub(super) fn millis(number: f64) -> String {
    if number.is_finite() && number >= 999.5 { count(number.round() as u64) } else { scaled(number, &[(1.0, "")]) }
}

/// A rate in full.
pub(super) fn rate(number: f64) -> String {
    if !number.is_finite() {
        return NONE.to_owned();
    }
    if number < 99.95 { digits(number) } else { count(number.round() as u64) }
}

/// Speed over speed; further digits would be noise.
pub(super) fn ratio(number: f64) -> String {
    if !number.is_finite() {
        return NONE.to_owned();
    }
    if number < 99.5 { format!("{number:.2}") } else { rate(number) }
}

/// Median, least and greatest, of things a second or, for a step, of milliseconds.
pub(super) struct Speed {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// Whether they are milliseconds.
    pub(super) step: bool,
}

impl Speed {
    pub(super) fn of(row: &Measured) -> Self {
        let seconds = row.seconds;
        match row.count {
            Some(count) => {
                // The shortest time is the greatest rate.
                let rate = |seconds: f64| count as f64 / seconds;
                Self { median: rate(seconds.median), min: rate(seconds.max), max: rate(seconds.min), step: false }
            }
            None => {
                let [median, min, max] = [seconds.median, seconds.min, seconds.max].map(|seconds| seconds * 1e3);
                Self { median, min, max, step: true }
            }
        }
    }

    /// Each of the three in full, with its unit if it is a time.
    pub(super) fn told(&self) -> [String; 3] {
        [self.median, self.min, self.max]
            .map(|number| if self.step && number.is_finite() { format!("{} ms", millis(number)) } else { rate(number) })
    }
}

/// A case in words, without its workload.
pub(super) fn case(case: &Case) -> String {
    let tasks = if case.tasks == 1 { "1 task".to_owned() } else { format!("{} tasks", case.tasks) };
    let tight = if case.tight { ", tight memory" } else { "" };
    format!("{} records of {} bytes, {tasks}{tight}", count(case.n), count(case.value as u64))
}

/// A case in few letters, without its workload.
pub(super) fn short_case(case: &Case) -> String {
    let tasks = if case.tasks == 1 { String::new() } else { format!(", {} tasks", case.tasks) };
    let tight = if case.tight { ", tight" } else { "" };
    format!("{} × {} B{tasks}{tight}", short(case.n as f64), case.value)
}

/// What a workload is, if it is one of ours.
pub(super) fn about(workload: &str) -> Option<&'static str> {
    WORKLOADS.iter().find(|known| known.name == workload).map(|known| known.about)
}

/// Requests to the allocator for one operation.
pub(super) fn allocations(row: &Measured) -> String {
    row.allocations.map_or_else(|| NONE.to_owned(), digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_the_unit_that_keeps_them_short() {
        for (number, want) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (9.996, "10"),
            (999.4, "999"),
            (999.6, "1 k"),
            (12_340.0, "12.3 k"),
            (999_700.0, "1 M"),
            (f64::INFINITY, "-"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(short(number), want);
        }
        for (number, want) in [(1.0, "1 ns"), (1_500.0, "1.5 µs"), (2e6, "2 ms"), (6.1e10, "61 s")] {
            assert_eq!(nanos(number), want);
        }
        assert_eq!([millis(0.25), millis(12_345.6)], ["0.25", "12,346"]);
        assert_eq!([rate(12.34), rate(1_234_567.8)], ["12.3", "1,234,568"]);
    }

    #[test]
    fn a_name_commands_no_terminal() {
        assert_eq!(shown("a\u{1b}[2J\n\u{9b}\u{202e}b<&"), "a\u{241b}[2J\u{240a}\u{fffd}\u{fffd}b<&");
    }
}
