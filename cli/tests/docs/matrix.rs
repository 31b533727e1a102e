//! The page of what each engine passes is the last run's, and that run had all engines and all cases.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use statehold::{Descriptor, Registry};
use statehold_conformance::{CaseReport, Category, Document, Level, Outcome, all_cases};

use crate::pages::{read, root};

const PAGE: &str = "docs/src/matrix.md";
const STORES: &str = "docs/matrix.toml";
const HEAD: &str = "# Conformance by engine

How many cases of [the suite](write-a-backend.md#the-suite) each engine passes, clause by clause of [the contract](contract.md). \
A case is skipped where the engine does not declare what it needs; that is never a pass, and others then check that it is refused. \
Engines within the process run in folders, servers as private ones on loopback.

Written by `make matrix`, which runs `statehold conform --config docs/matrix.toml --level certified --rounds 1 --report target/matrix`: every case on every engine, and no page where one fails.

";

/// The page of a run: its table with the clauses as links.
fn page(run: &Document) -> String {
    let mut out = HEAD.to_owned();
    let clauses = run.clauses();
    for line in run.matrix().lines() {
        let clause = line.strip_prefix("| ").and_then(|l| l.split(" |").next()).filter(|c| clauses.contains(c));
        match clause {
            Some(clause) => {
                let link = format!("[{clause}](contract.md#{})", clause.to_lowercase());
                out.push_str(&line.replacen(clause, &link, 1));
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// The stores of the table, and clause → cases on each store, skipped ones too.
fn table(page: &str) -> (Vec<String>, BTreeMap<String, Vec<usize>>) {
    let rows = page.lines().skip_while(|l| !l.starts_with("| clause |")).take_while(|l| l.starts_with('|'));
    let mut rows = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let head = rows.next().unwrap_or_else(|| panic!("{PAGE} has no table"));
    let count = |cell: &&str| cell.split(", ").map(|n| n.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    let of = |row: Vec<&str>| {
        let clause = row[0].trim_start_matches('[').split(']').next().unwrap().to_owned();
        (clause, row[1..].iter().map(count).collect())
    };
    (head[1..].iter().map(|&name| name.to_owned()).collect(), rows.skip(1).map(of).collect())
}

fn stores() -> Descriptor {
    Descriptor::from_toml(&read(STORES), STORES).unwrap()
}

#[test]
fn the_matrix_has_every_case_on_every_engine() {
    if let Some(run) = std::env::var_os("STATEHOLD_MATRIX") {
        let run: Document = serde_json::from_slice(&fs::read(root().join(run)).unwrap()).unwrap();
        assert!(run.proven() == Some(Level::Certified), "not a whole run: {:?}", run.totals);
        fs::write(root().join(PAGE), page(&run)).unwrap();
    }
    let written = read(PAGE);
    assert!(written.starts_with(HEAD), "run `make matrix`: {PAGE} begins otherwise");
    let (names, found) = table(&written);
    assert_eq!(names, stores().stores.into_keys().collect::<Vec<_>>(), "run `make matrix`: engines");
    let mut wanted = BTreeMap::<String, usize>::new();
    let faults = statehold_lifecycle_tests::names().into_iter();
    let faults = faults.map(|name| CaseReport::new(&name, Category::Faults, Outcome::Passed, 0).clause);
    let clauses = all_cases().into_iter().map(|case| case.clause()).chain(faults);
    clauses.for_each(|clause| *wanted.entry(clause).or_default() += 1);
    let wanted: BTreeMap<String, Vec<usize>> =
        wanted.into_iter().map(|(clause, cases)| (clause, vec![cases; names.len()])).collect();
    assert_eq!(found, wanted, "run `make matrix`: cases by clause");
}

#[test]
fn the_matrix_is_of_every_kind_of_engine() {
    let kinds: BTreeSet<String> = stores().stores.into_values().map(|store| store.kind).collect();
    let registry = Registry::default();
    assert_eq!(kinds, registry.iter().map(|backend| backend.kind().to_owned()).collect::<BTreeSet<_>>(), "{STORES}");
}
