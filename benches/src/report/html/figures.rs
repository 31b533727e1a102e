//! Which charts there are: bars of each row, latency curves of a row on a store, lines of what scales.

use maud::{Markup, html};

use crate::report::{
    Measured,
    chart::{Bar, Bars, Line, Lines, Looks, linear, points, reach, time},
    numbers::{Speed, case, millis, nanos, short, shown},
    tables::{Table, grouped},
};

/// Fewer operations have no curve.
const CURVED: u64 = 100;
/// Nines on the axis of a curve, at most.
const NINES: u32 = 5;

/// The side that does nothing.
const DRY: &str = "dry";

/// A chart with what stands above it.
fn figure(class: &str, name: &str, of: &str, chart: &Markup) -> Markup {
    html! {
        figure class=(class) {
            figcaption { (shown(name)) @if !of.is_empty() { small { (shown(of)) } } }
            (chart)
        }
    }
}

/// Bars of each row. Steps are times, all else are rates.
pub(super) fn bars(table: &Table<'_>, looks: &Looks<'_>) -> Markup {
    html! {
        @for ((row, step), rows) in grouped(table.rows.iter().copied(), |row| (&*row.row, row.count.is_none())) {
            @let of = if step { "milliseconds, less is better" } else { "per second, more is better" };
            (figure("bars", row, of, &row_bars(table, row, step, &rows, looks)))
        }
    }
}

fn row_bars(table: &Table<'_>, row: &str, step: bool, rows: &[&Measured], looks: &Looks<'_>) -> Markup {
    let told = |number: f64| if step { millis(number) } else { short(number) };
    let bars: Vec<Bar<'_>> = rows
        .iter()
        .map(|row| {
            let Speed { median, min, max, .. } = Speed::of(row);
            let told = told(median);
            // What took no time at all has no speed.
            let [median, min, max] = [median, min, max].map(|speed| if speed.is_finite() { speed } else { 0.0 });
            let (side, look) = (&*row.side, looks.side(&row.side));
            Bar { store: &row.store, side, look, median, min, max, told, cut: side == DRY && !step }
        })
        .collect();
    // The workload without a store would make the bars of all stores short.
    let stores = bars.iter().any(|bar| !bar.cut);
    let max = bars.iter().filter(|bar| !bar.cut || !stores).map(|bar| bar.max).fold(0.0, f64::max);
    let axis = linear(if step { "milliseconds" } else { "things per second" }, max, told);
    let title = format!("{row} of {}, {}, durability {}", table.case.workload, case(table.case), table.durability);
    Bars { title, axis, bars }.draw()
}

/// Latency curves of each row on each store; none if no row has one.
pub(super) fn curves(table: &Table<'_>, looks: &Looks<'_>) -> Option<Markup> {
    let timed = table.rows.iter().copied().filter(|row| row.operations >= CURVED && row.latency.curve.len() > 1);
    let groups = grouped(timed, |row| (&*row.row, &*row.store));
    (!groups.is_empty()).then(|| {
        html! {
            @for ((row, store), rows) in groups { (figure("curve", row, store, &curve(row, store, &rows, looks))) }
        }
    })
}

fn curve(row: &str, store: &str, rows: &[&Measured], looks: &Looks<'_>) -> Markup {
    let all = || rows.iter().flat_map(|row| &row.latency.curve);
    let least = all().map(|(_, nanos)| *nanos).min().unwrap_or_default();
    let most = all().map(|(_, nanos)| *nanos).max().unwrap_or_default();
    // As many nines as the operations that are left beyond them can tell.
    let told = all().map(|(share, _)| nines(*share)).filter(|nines| nines.is_finite()).fold(0.0, f64::max);
    let x = reach("percent of operations that took no longer", (told.ceil() as u32).clamp(2, NINES));
    let line = |row: &&'_ Measured| -> Vec<(f64, f64)> {
        row.latency.curve.iter().map(|(share, nanos)| (nines(*share), (*nanos as f64).max(1.0).log10())).collect()
    };
    let lines = rows.iter().map(|row| {
        let (side, look) = (&*row.side, looks.side(&row.side));
        Line { side, look, points: line(row), apart: Vec::new() }
    });
    let told: Vec<String> = rows
        .iter()
        .map(|row| {
            let [half, most] = [row.latency.p50, row.latency.p99].map(|time| nanos(time as f64));
            format!("{}: half within {half}, 99 % within {most}", row.side)
        })
        .collect();
    let y = time("time of one operation", least as f64, most as f64);
    let title = format!("Latency of {row} on {store}");
    Lines { title, told: format!("{}.", told.join("; ")), lines: lines.collect(), x, y, marks: false }.draw()
}

/// A share of all operations on [`reach`]'s axis.
fn nines(share: f64) -> f64 {
    if share >= 1.0 { f64::INFINITY } else { -(1.0 - share.max(0.0)).log10() }
}

/// Lines of `size` over records and of `tasks` over tasks; none for other workloads, or for one case only.
pub(super) fn scaling(workload: &str, rows: &[&Measured], looks: &Looks<'_>) -> Option<Markup> {
    let (name, x): (&str, fn(&Measured) -> f64) = match workload {
        "size" => ("records", |row| row.case.n as f64),
        "tasks" => ("tasks", |row| row.case.tasks as f64),
        _ => return None,
    };
    // Without a store there is nothing that could scale.
    let rates = rows.iter().copied().filter(|row| row.count.is_some() && row.side != DRY);
    let mut groups = grouped(rates, |row| (&*row.row, &*row.store, &*row.durability, row.case.value));
    groups.retain(|(_, rows)| points("", &rows.iter().map(|row| x(row)).collect::<Vec<_>>()).ticks.len() > 1);
    let tight = rows.iter().any(|row| row.case.tight);
    (!groups.is_empty()).then(|| {
        html! {
            @if tight { p { "Hollow points: with memory for a part of the state only." } }
            div.grid {
                @for ((row, store, durability, _), rows) in groups {
                    @let of = format!("{store}, durability: {durability}");
                    (figure("scaling", row, &of, &scaled(name, x, row, &of, &rows, looks)))
                }
            }
        }
    })
}

fn scaled(name: &str, x: fn(&Measured) -> f64, row: &str, of: &str, rows: &[&Measured], looks: &Looks<'_>) -> Markup {
    let rate = |row: &Measured| row.per_second().filter(|rate| rate.is_finite()).unwrap_or_default();
    let sides = grouped(rows.iter().copied(), |row| &*row.side);
    let mut told = Vec::new();
    let lines = sides.iter().map(|(side, rows)| {
        let place = |tight: bool| -> Vec<(f64, f64)> {
            let rows = rows.iter().filter(|row| row.case.tight == tight);
            let mut places: Vec<(f64, f64)> = rows.map(|row| (x(row).max(1.0).log10(), rate(row))).collect();
            places.sort_by(|a, b| a.0.total_cmp(&b.0));
            places
        };
        let point = |row: &&Measured| {
            let tight = if row.case.tight { " in tight memory" } else { "" };
            format!("{} at {} {name}{tight}", short(rate(row)), short(x(row)))
        };
        told.push(format!("{side}: {}", rows.iter().map(point).collect::<Vec<_>>().join(", ")));
        Line { side, look: looks.side(side), points: place(false), apart: place(true) }
    });
    let lines = lines.collect();
    let most = rows.iter().map(|row| rate(row)).fold(0.0, f64::max);
    let x = points(name, &rows.iter().map(|row| x(row)).collect::<Vec<_>>());
    let y = linear("things per second", most * 1.05, short);
    let title = format!("{row} by {name} on {of}");
    Lines { title, told: format!("{}.", told.join("; ")), x, y, lines, marks: true }.draw()
}
