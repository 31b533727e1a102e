//! The report in a terminal.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, Row, presets};

use super::{
    Ratio, Report,
    numbers::{self, Speed, shown},
    tables::{Table, tables},
    units::{bytes, instant, known},
};

/// An empty table with a head and without lines; the columns from `right` on are numbers.
pub(super) fn plain(head: &[&str], right: usize) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    table.column_iter_mut().skip(right).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

/// A table without spaces at the ends of its lines.
pub(super) fn lines(table: &comfy_table::Table) -> String {
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

impl Report {
    /// The result for a terminal: what was measured, a table for each case and durability, what was compared, and
    /// what was left out. Names hold no control characters.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "statehold {} on {}, {} UTC, median of {}\n",
            shown(&self.version),
            self.machine.told(),
            instant(self.at.saturating_mul(1000)),
            self.repeat
        );
        for table in tables(&self.rows) {
            text.push_str(&measured(&table));
        }
        text.push_str(&self.compared());
        if !self.skipped.is_empty() {
            text.push_str("\nleft out\n");
            let mut table = plain(&["workload", "row", "store", "side", "why"], 5);
            for skipped in &self.skipped {
                let row = skipped.row.as_deref().unwrap_or("all");
                let cells = [&skipped.workload, row, &skipped.store, &skipped.side, &skipped.reason];
                table.add_row(Row::from(cells.map(shown)));
            }
            text.push_str(&lines(&table));
        }
        let _ = writeln!(text, "\n{}", self.verdict());
        text
    }

    /// Targets in a few words.
    pub(super) fn verdict(&self) -> String {
        let wanted = self.ratios.iter().filter(|ratio| ratio.wanted.is_some()).count();
        let missed = self.ratios.iter().filter(|ratio| !ratio.met()).count();
        match (wanted, missed) {
            (0, _) => "no targets in this run".to_owned(),
            (1, 0) => "the one target is met".to_owned(),
            (all, 0) => format!("all {all} targets are met"),
            (1, 1) => "the one target is missed".to_owned(),
            (all, missed) => format!("{missed} of {all} targets missed"),
        }
    }

    /// Comparisons with a target, missed ones first and the worst of them at the top; those without one.
    pub(super) fn by_target(&self) -> (Vec<&Ratio>, Vec<&Ratio>) {
        let (mut wanted, free): (Vec<_>, Vec<_>) = self.ratios.iter().partition(|ratio| ratio.wanted.is_some());
        let reached = |ratio: &Ratio| ratio.wanted.map_or(f64::INFINITY, |wanted| ratio.ratio / wanted);
        wanted.sort_by(|a, b| a.met().cmp(&b.met()).then(reached(a).total_cmp(&reached(b))));
        (wanted, free)
    }

    fn compared(&self) -> String {
        if self.ratios.is_empty() {
            return String::new();
        }
        let (wanted, free) = self.by_target();
        let head = ["", "workload", "row", "store", "sides", "durability", "case", "ratio", "target"];
        let mut table = plain(&head, 7);
        for ratio in wanted.into_iter().chain(free) {
            let (told, target) = told(ratio);
            table.add_row([
                told.to_owned(),
                shown(&ratio.case.workload),
                shown(&ratio.row),
                shown(&ratio.store),
                format!("{} over {}", shown(&ratio.side), shown(&ratio.against)),
                shown(&ratio.durability),
                numbers::short_case(&ratio.case),
                numbers::ratio(ratio.ratio),
                target,
            ]);
        }
        format!("\nspeed over speed\n{}", lines(&table))
    }
}

/// Whether a target is met, and the target.
fn told(ratio: &Ratio) -> (&'static str, String) {
    match ratio.wanted {
        None => ("", String::new()),
        Some(wanted) => (if ratio.met() { "met" } else { "MISSED" }, numbers::ratio(wanted)),
    }
}

fn measured(table: &Table<'_>) -> String {
    let head = ["row", "store", "side", "per second", "min", "max", "p50", "p99", "p99.9", "longest", "CPU", "memory"];
    let mut shape = plain(&head, 3);
    for row in &table.rows {
        let latency = &row.latency;
        let mut cells = [&row.row, &row.store, &row.side].map(|name| shown(name)).to_vec();
        cells.extend(Speed::of(row).told());
        cells.extend([latency.p50, latency.p99, latency.p999, latency.longest].map(|t| numbers::nanos(t as f64)));
        cells.push(numbers::nanos(row.usage.cpu_nanos as f64));
        cells.push(known(row.usage.peak_bytes, bytes));
        shape.add_row(cells);
    }
    let Table { case, durability, .. } = table;
    let head = format!("{}: {}; durability: {}", shown(&case.workload), numbers::case(case), shown(durability));
    format!("\n{head}\n{}", lines(&shape))
}

impl super::Machine {
    /// In a line.
    pub(super) fn told(&self) -> String {
        let processors = if self.processors == 1 { "processor" } else { "processors" };
        let model = self.model.as_deref().map_or_else(String::new, |model| format!(" ({})", shown(model)));
        let memory = self.memory.map_or_else(String::new, |memory| format!(", {}", bytes(memory)));
        format!("{} {processors}{model}{memory}, {}", self.processors, shown(&self.system))
    }
}
