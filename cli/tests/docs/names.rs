//! Options, keys and metrics in the documents are those of the code: all of them, and no others.

use std::collections::BTreeSet;

use statehold::{Descriptor, Registry, core::Options};

use crate::pages::{blocks, documents, prose, read, sources};

/// The names in the first column of the tables under `heading`, up to the next heading.
fn rows(page: &str, heading: &str) -> BTreeSet<String> {
    let text = read(page);
    let lines = prose(&text);
    let begin = lines.iter().position(|l| l.trim_start_matches('#').trim() == heading && l.starts_with('#'));
    let begin = begin.unwrap_or_else(|| panic!("{page} has no heading `{heading}`"));
    let section = lines[begin + 1..].iter().take_while(|l| !l.starts_with('#'));
    section.filter_map(|l| Some(l.strip_prefix("| `")?.split('`').next()?.to_owned())).collect()
}

/// What an error says is allowed.
fn allowed(error: &statehold::Error) -> BTreeSet<String> {
    let advice = error.advice().unwrap();
    let (_, names) = advice.split_once("allowed: ").unwrap_or_else(|| panic!("{advice}"));
    names.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_toml_block_is_a_descriptor_that_opens() {
    let registry = Registry::default();
    for document in documents() {
        let blocks = blocks(&read(&document), "toml");
        for (line, block) in blocks.into_iter().filter(|(_, block)| !block.contains("[dependencies]")) {
            let place = format!("{document}:{line}");
            let descriptor = Descriptor::from_toml(&block, &place).unwrap_or_else(|e| panic!("{e}"));
            for store in descriptor.stores.values() {
                let backend = registry.get(&store.kind).unwrap_or_else(|e| panic!("{place}: {e}"));
                backend.capabilities(&store.options).unwrap_or_else(|e| panic!("{place}: {e}"));
            }
        }
    }
}

#[test]
fn every_page_with_rust_code_is_a_doc_test() {
    let tested = ["state-api/src/book.rs", "conformance/src/book.rs"].map(read).concat();
    for document in documents().iter().filter(|d| read(d).contains("```rust")) {
        assert!(tested.contains(&format!("include_str!(\"../../{document}\")")), "{document} is in no `book.rs`");
    }
}

#[test]
fn the_descriptors_page_has_every_key() {
    let page = "docs/src/descriptor.md";
    for (heading, before) in [
        ("Top level", ""),
        ("`[memory]`", "namespace = 'a'\n[memory]\n"),
        ("`[archive]`", "namespace = 'a'\n[archive]\n"),
        ("`[stores.NAME]`", "namespace = 'a'\n[stores.s]\n"),
        ("`limits`", "namespace = 'a'\n[stores.s]\nkind = 'memory'\n[stores.s.limits]\n"),
        ("`[states.NAME]`", "namespace = 'a'\n[states.s]\n"),
    ] {
        let mistake = Descriptor::from_toml(&format!("{before}no_such_key = 1\n"), "x").unwrap_err();
        let tables = ["memory", "archive", "stores", "states"].map(str::to_owned);
        let known: BTreeSet<String> = allowed(&mistake).into_iter().filter(|key| !tables.contains(key)).collect();
        assert_eq!(rows(page, heading), known, "{page}, {heading}");
    }
}

#[test]
fn the_descriptors_page_shows_a_mistake_as_it_is_told() {
    let text = "namespace = \"shop\"\n\n[stores.local]\nkind = \"memory\"\n\n\n[states.stock]\nmodle = \"kv\"\n";
    let mistake = Descriptor::from_toml(text, "shop.toml").unwrap_err().to_string();
    assert!(read("docs/src/descriptor.md").contains(&mistake), "{mistake}");
}

#[test]
fn the_pages_of_engines_with_a_path_have_every_option() {
    let registry = Registry::default();
    let options = Options::new().with("path", "x").with("no_such_option", 1);
    for kind in ["rocksdb", "redb"] {
        let mistake = registry.get(kind).unwrap().capabilities(&options).unwrap_err();
        assert_eq!(rows(&format!("docs/src/backends/{kind}.md"), "Options"), allowed(&mistake));
    }
}

#[test]
fn the_redis_page_has_every_option() {
    let registry = Registry::default();
    let options = Options::new().with("url", "redis://localhost").with("no_such_option", 1);
    let mistake = registry.get("redis").unwrap().capabilities(&options).unwrap_err();
    assert_eq!(rows("docs/src/backends/redis.md", "Options"), allowed(&mistake));
}

#[test]
fn the_postgres_page_has_every_option() {
    let registry = Registry::default();
    let options = Options::new().with("no_such_option", 1);
    let mistake = registry.get("postgres").unwrap().capabilities(&options).unwrap_err();
    assert_eq!(rows("docs/src/backends/postgres.md", "Options"), allowed(&mistake));
}

#[test]
fn the_metrics_page_has_every_metric() {
    let mut known = BTreeSet::new();
    for file in sources().iter().filter(|f| f.contains("/src/")) {
        let text = read(file);
        let names = text.split('"').filter(|s| s.strip_prefix("statehold_").is_some_and(is_metric));
        known.extend(names.map(str::to_owned));
    }
    assert_eq!(rows("docs/src/metrics.md", "Metrics"), known);
}

fn is_metric(name: &str) -> bool {
    let word = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    word && ["_total", "_seconds", "_bytes"].iter().any(|end| name.ends_with(end))
}
