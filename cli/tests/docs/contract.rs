//! The contract's page names tests that exist, and the list of each clause's tests is complete.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use crate::pages::{code, prose, read, root, sources};

const LIST: &str = "docs/src/contract-tests.md";
const CONTRACT: &str = "docs/src/contract.md";

/// The clause that a test's name begins with: `KV-4` of `kv_4_scan_…`.
fn clause_of(name: &str) -> Option<String> {
    if name.starts_with("model_") && name.ends_with("_as_the_model") {
        return Some("MODEL".to_owned());
    }
    let (family, rest) = name.split_once('_')?;
    let (number, sentence) = rest.split_once('_')?;
    let known = ["name", "kv", "list", "map", "batch", "graph", "dyn", "life", "own", "cap"].contains(&family);
    let digits = number.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let numbered = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && number.len() <= digits.len() + 1;
    (known && numbered && !sentence.is_empty()).then(|| format!("{}-{number}", family.to_uppercase()))
}

/// Clause → file → names, in the order of their files.
type Tests = BTreeMap<String, BTreeMap<String, Vec<String>>>;

fn tests() -> Tests {
    let mut found = Tests::new();
    for file in sources() {
        let text = read(&file);
        for line in text.lines() {
            let Some((_, rest)) = line.split_once("fn ") else { continue };
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if let Some(clause) = clause_of(&name) {
                found.entry(clause).or_default().entry(file.clone()).or_default().push(name);
            }
        }
    }
    found
}

/// The clauses in the order of the contract's page.
fn clauses() -> Vec<String> {
    let text = read(CONTRACT);
    prose(&text).iter().filter_map(|l| l.strip_prefix("## ")).map(str::to_owned).collect()
}

fn list(tests: &Tests) -> String {
    let mut out = String::from(
        "# Tests by clause\n\nEvery test and conformance case that is named after a clause of \
         [the contract](contract.md). Cases in `conformance` run on each engine. \
         Written by `make contract`; a test checks that it is complete.\n",
    );
    for clause in clauses() {
        let Some(files) = tests.get(&clause) else { continue };
        write!(out, "\n## {clause}\n").unwrap();
        for (file, names) in files {
            write!(out, "\n`{file}`\n\n").unwrap();
            names.iter().for_each(|name| writeln!(out, "- `{name}`").unwrap());
        }
    }
    out
}

#[test]
fn every_clause_with_tests_is_in_the_contract() {
    let clauses = clauses();
    let unknown: Vec<_> = tests().into_keys().filter(|clause| !clauses.contains(clause)).collect();
    assert!(unknown.is_empty(), "{CONTRACT} has no heading for {unknown:?}");
}

#[test]
fn the_contract_names_only_tests_that_exist() {
    let tests = tests();
    let exists = |name: &str| tests.values().flat_map(BTreeMap::values).flatten().any(|known| known == name);
    let text = read(CONTRACT);
    let missing: Vec<_> = code(&text).into_iter().filter(|c| clause_of(c).is_some() && !exists(c)).collect();
    assert!(missing.is_empty(), "{CONTRACT} names tests that do not exist: {missing:?}");
}

#[test]
fn the_list_of_tests_is_complete() {
    let now = list(&tests());
    if std::env::var_os("STATEHOLD_WRITE_DOCS").is_some() {
        fs::write(root().join(LIST), &now).unwrap();
    }
    let written = read(LIST);
    let (has, wants): (BTreeSet<&str>, BTreeSet<&str>) = (written.lines().collect(), now.lines().collect());
    let (gone, new): (Vec<_>, Vec<_>) = (has.difference(&wants).collect(), wants.difference(&has).collect());
    assert!(written == now, "run `make contract`: {LIST} lacks {new:#?} and has {gone:#?}");
}

#[test]
fn clauses_are_told_from_other_names() {
    assert_eq!(clause_of("kv_4_scan_yields"), Some("KV-4".into()));
    assert_eq!(clause_of("life_2a_the_cut"), Some("LIFE-2a".into()));
    assert_eq!(clause_of("model_reads_answer_as_the_model"), Some("MODEL".into()));
    for other in ["kv_4", "kv_many_writes", "life_2ab_x", "new_1_x", "put"] {
        assert_eq!(clause_of(other), None, "{other}");
    }
}
