//! Tables as the commands print them.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// An empty table with a head and without lines; the columns `right` are numbers.
pub(crate) fn plain(head: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
