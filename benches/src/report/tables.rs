//! Which rows stand together: those of one case and one durability, and never others.

use statehold_bench_kit::case::Case;

use super::Measured;

/// Rows by what `key` says of them, groups and rows in the order they come.
pub(super) fn grouped<'a, K: PartialEq>(
    rows: impl IntoIterator<Item = &'a Measured>,
    key: impl Fn(&'a Measured) -> K,
) -> Vec<(K, Vec<&'a Measured>)> {
    let mut groups: Vec<(K, Vec<&Measured>)> = Vec::new();
    for row in rows {
        let key = key(row);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    groups
}

/// Rows that may be compared.
pub(super) struct Table<'a> {
    pub(super) case: &'a Case,
    pub(super) durability: &'a str,
    pub(super) rows: Vec<&'a Measured>,
}

/// All tables of `rows`, those of a case one after the other.
pub(super) fn tables<'a>(rows: impl IntoIterator<Item = &'a Measured>) -> Vec<Table<'a>> {
    let mut tables = Vec::new();
    for (case, rows) in grouped(rows, |row| &row.case) {
        let alike = grouped(rows, |row| &*row.durability);
        tables.extend(alike.into_iter().map(|(durability, rows)| Table { case, durability, rows }));
    }
    tables
}
