//! All numbers of rows that may be compared.

use maud::{Markup, html};

use crate::report::{
    Measured,
    numbers::{Speed, allocations, nanos, shown},
    tables::Table,
    units::{bytes, known},
};

const HEADS: [&str; 15] = [
    "store",
    "side",
    "per second",
    "min",
    "max",
    "p50",
    "p99",
    "p99.9",
    "longest",
    "CPU",
    "peak memory",
    "read",
    "written",
    "allocations / op",
    "checksum",
];

pub(super) fn table(table: &Table<'_>) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.all {
                thead { tr {
                    th scope="col" { "row" }
                    @for (number, head) in HEADS.iter().enumerate() { th.number[number > 1] scope="col" { (head) } }
                } }
                tbody {
                    @let mut before = None;
                    @for row in &table.rows {
                        (line(row, before.replace(&*row.row) != Some(&*row.row)))
                    }
                }
            }
        }
    }
}

fn line(row: &Measured, first: bool) -> Markup {
    let latency = &row.latency;
    let usage = &row.usage;
    let mut cells = Speed::of(row).told().to_vec();
    cells.extend([latency.p50, latency.p99, latency.p999, latency.longest].map(|time| nanos(time as f64)));
    cells.push(nanos(usage.cpu_nanos as f64));
    cells.extend([usage.peak_bytes, usage.read_bytes, usage.write_bytes].map(|size| known(size, bytes)));
    cells.push(allocations(row));
    html! {
        tr.first[first] {
            th scope="row" { (shown(&row.row)) }
            td { (shown(&row.store)) }
            td { (shown(&row.side)) }
            @for cell in cells { td.number { (cell) } }
            td.number { code { (format!("{:016x}", row.checksum)) } }
        }
    }
}
