//! Rows of a bench, printed as they come.

use std::time::{Duration, Instant};

use comfy_table::{Table, presets::NOTHING};

/// One measured operation.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) count: u64,
    pub(crate) took: Duration,
    pub(crate) checksum: Option<u64>,
}

impl Row {
    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

/// Rows in the order they were measured.
#[derive(Default)]
pub(crate) struct Rows(pub(crate) Vec<Row>);

impl Rows {
    /// Times `work`, which answers what it read as a checksum.
    pub(crate) async fn time<E>(
        &mut self,
        name: &'static str,
        count: u64,
        work: impl Future<Output = Result<Option<u64>, E>>,
    ) -> Result<(), E> {
        let begun = Instant::now();
        let checksum = work.await?;
        self.0.push(Row { name, count, took: begun.elapsed(), checksum });
        Ok(())
    }

    /// The table, with the checksum each row must have.
    pub(crate) fn table(&self, expected: &[(&str, u64)]) -> Table {
        let mut table = Table::new();
        table.load_preset(NOTHING).set_header(["operation", "count", "ms", "thousand/s", "checksum"]);
        for row in &self.0 {
            let wanted = expected.iter().find(|(name, _)| *name == row.name).map(|(_, sum)| *sum);
            let verdict = match (row.checksum, wanted) {
                (Some(got), Some(wanted)) if got == wanted => "matches".to_owned(),
                (Some(got), Some(wanted)) => format!("WRONG: {got:016x}, not {wanted:016x}"),
                (Some(got), None) => format!("{got:016x}"),
                (None, _) => String::new(),
            };
            table.add_row([
                row.name.to_owned(),
                row.count.to_string(),
                format!("{:.0}", row.took.as_secs_f64() * 1e3),
                format!("{:.0}", row.per_second() / 1e3),
                verdict,
            ]);
        }
        table
    }
}

/// The upper median; 0 of nothing.
pub(crate) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
