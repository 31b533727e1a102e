//! The commands on states, checkpoints and engines.

use std::{fs, path::Path};

use crate::common::{Dice, MADE, Watched, expected, fails, ok};
use tempfile::TempDir;

/// A folder in which the quickstart has counted.
fn counted() -> (TempDir, Vec<u8>) {
    let folder = TempDir::new().expect("a folder");
    // Well short of a second thousand after the first: one checkpoint on the way, one at the end.
    let text = Dice::new().text(1900);
    fs::write(folder.path().join("text"), &text).expect("written");
    ok(folder.path(), &["quickstart", "--input", "text", "--checkpoint-every", "1000"]);
    (folder, text)
}

fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let (command, rest) = arguments.split_first().expect("a command");
    [&[*command, "--config", MADE], rest].concat()
}

#[test]
fn what_was_counted_can_be_read_changed_and_removed() {
    let (folder, text) = counted();
    let here = folder.path();
    let want = expected(&[&text]);
    let (word, count) = want.words.iter().max_by_key(|(_, n)| **n).unwrap();
    assert_eq!(ok(here, &with(&["get", "words", word])), format!("{count}\n"));
    assert_eq!(ok(here, &with(&["count", "words"])), format!("{}\n", want.words.len()));
    assert_eq!(ok(here, &with(&["scan", "words", "--limit", "3"])).lines().count(), 3);
    let lines: String = want.lines[word].iter().map(|n| format!("{n}\n")).collect();
    assert_eq!(ok(here, &with(&["get", "lines", word])), lines);

    ok(here, &with(&["put", "words", "brand new", "7"]));
    assert_eq!(ok(here, &with(&["get", "words", "brand new"])), "7\n");
    ok(here, &with(&["put", "widths", "w", "5", "--sub", "3"]));
    ok(here, &with(&["put", "widths", "w", "6", "--sub", "4"]));
    assert_eq!(ok(here, &with(&["get", "widths", "w"])), "3\t5\n4\t6\n");
    assert_eq!(ok(here, &with(&["get", "widths", "w", "--sub", "4"])), "6\n");
    ok(here, &with(&["put", "lines", "w", "1", "2", "3"]));
    assert_eq!(ok(here, &with(&["get", "lines", "w"])), "1\n2\n3\n");
    ok(here, &with(&["delete", "widths", "w", "--sub", "3"]));
    assert_eq!(ok(here, &with(&["get", "widths", "w"])), "4\t6\n");
    ok(here, &with(&["delete", "lines", "w"]));
    assert!(fails(here, &with(&["get", "lines", "w"]), 3).contains("there is no such key"));
    assert_eq!(ok(here, &with(&["get", "words", "6272616e64206e6577", "--raw"])), "07\n");
}

#[test]
fn wrong_keys_values_and_states_are_refused() {
    let (folder, _) = counted();
    let here = folder.path();
    assert!(fails(here, &with(&["put", "words", "a", "-1"]), 2).contains("`-1` is not a value of the type u64"));
    assert!(fails(here, &with(&["put", "words", "a", "1", "2"]), 2).contains("only a list"));
    assert!(fails(here, &with(&["get", "words", ""]), 2).contains("the key is empty"));
    assert!(fails(here, &with(&["get", "widths", "a", "--sub", "x"]), 2).contains("`x` is not a key of the type u64"));
    assert!(fails(here, &with(&["get", "wrods", "a"]), 3).contains("there are: "));
    fails(here, &["get", "words", "a"], 3);
}

#[test]
fn a_live_store_can_be_looked_at_and_not_written() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    // So much that it is stopped long before its end.
    fs::write(here.join("text"), Dice::new().text(300_000)).unwrap();
    let config = format!(
        "namespace = 'a'\narchive.url = 'file://{0}/archive'\n\
         [stores.s]\nkind = 'rocksdb'\ndurability = 'process'\noptions.path = '{0}/data'\n",
        here.display()
    );
    fs::write(here.join("own.toml"), config).unwrap();
    let arguments = ["quickstart", "--config", "own.toml", "--input", "text", "--checkpoint-every", "5000"];
    let mut run = Watched::start(here, &arguments);
    assert!(run.until("checkpoint=1"));
    run.stop();
    let count: u64 = ok(here, &["count", "--config", "own.toml", "words"]).trim().parse().unwrap();
    assert!(count > 0);
    fails(here, &["put", "--config", "own.toml", "words", "a", "1"], 4);
    run.kill();
}

#[test]
fn checkpoints_are_listed_shown_verified_and_recovered() {
    let (folder, text) = counted();
    let here = folder.path();
    let list = ok(here, &with(&["checkpoints", "list"]));
    assert_eq!(list.lines().filter(|l| l.contains(" current ")).count(), 2, "{list}");
    let show = ok(here, &with(&["checkpoints", "show", "1"]));
    assert!(show.contains("quickstart: {") && show.contains("words"), "{show}");
    assert!(ok(here, &with(&["checkpoints", "show", "latest", "--json"])).contains("\"fingerprint\""));
    assert!(ok(here, &with(&["checkpoints", "verify"])).starts_with("Checkpoint 2 is whole:"));

    let all: u64 = ok(here, &with(&["count", "words"])).trim().parse().unwrap();
    assert!(ok(here, &with(&["recover", "1"])).starts_with("Recovered checkpoint 1:"));
    let some: u64 = ok(here, &with(&["count", "words"])).trim().parse().unwrap();
    assert!(some < all, "{some} {all}");
    let list = ok(here, &with(&["checkpoints", "list"]));
    assert!(list.contains(" superseded "), "{list}");
    // The quickstart goes on from where it was rolled back to.
    ok(here, &["quickstart", "--input", "text"]);
    assert_eq!(crate::common::held(here, MADE), expected(&[&text]));
}

#[test]
fn an_unknown_checkpoint_is_refused_and_nothing_changes() {
    let (folder, text) = counted();
    for arguments in [&["recover", "99"][..], &["checkpoints", "show", "99"], &["checkpoints", "verify", "99"]] {
        let said = fails(folder.path(), &with(arguments), 3);
        assert!(said.contains("99"), "{said}");
    }
    assert_eq!(crate::common::held(folder.path(), MADE), expected(&[&text]));
    assert_eq!(crate::common::run(folder.path(), &with(&["recover", "newest"])).status.code(), Some(2));
}

fn refused(folder: &Path, config: &str, want: &str) {
    fs::write(folder.join("text"), b"a b c").expect("written");
    fs::write(folder.join("own.toml"), config).expect("written");
    let said = fails(folder, &["quickstart", "--input", "text", "--config", "own.toml"], 2);
    assert!(said.contains(want), "{said}");
    let made: Vec<_> = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(made.len(), 2, "{made:?}");
}

#[test]
fn mistakes_in_a_descriptor_have_a_line_and_make_nothing_on_disk() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let start = format!("namespace = 'a'\narchive.url = 'file://{}/archive'\n[stores.s]\n", here.display());
    refused(here, &format!("{start}kind = 'rocksbd'\n"), "own.toml:4: stores.s.kind: unknown kind `rocksbd`");
    refused(
        here,
        &format!("{start}kind = 'rocksdb'\noptions = {{ path = 'data', blom_bits = 3 }}\n"),
        "own.toml:5: stores.s.options.blom_bits: unknown option `blom_bits`",
    );
    refused(here, &format!("{start}kind = 'rocksdb'\n"), "own.toml:3: stores.s");
    refused(
        here,
        &format!("{start}kind = 'rocksdb'\noptions.path = 'data'\n[states.words]\nmodel = 'vk'\n"),
        "own.toml:7: states.words.model: unknown model `vk`",
    );
    refused(here, &format!("{start}kind = 'memory'\ndurability = 'power'\n"), "own.toml:5: stores.s.durability");
    refused(here, "namespace = 'a'\n[stores.s]\nkind = 'memory'\n", "there is no archive");
}

#[test]
fn engines_are_shown_with_what_they_declare() {
    let folder = TempDir::new().unwrap();
    let table = ok(folder.path(), &["kinds"]);
    for part in ["memory", "rocksdb", "durability", "visible, process, power"] {
        assert!(table.contains(part), "{table}");
    }
    assert!(ok(folder.path(), &["kinds", "--json"]).contains("\"atomic_scope\": \"store\""));
}

#[test]
fn cap_1_an_engine_is_held_to_the_contract_without_touching_the_stores_data() {
    let (folder, text) = counted();
    let here = folder.path();
    let arguments = ["conform", "--filter", "kv_1", "--seed", "7", "--cases", "4"];
    let told = ok(here, &with(&arguments));
    assert!(
        told.contains(" (rocksdb, RocksDB ") && told.contains(" 0 failed, ") && told.contains("ok   KV-1"),
        "{told}"
    );
    let crash = ok(here, &with(&["conform", "--category", "crash", "--filter", "second_process"]));
    assert!(crash.contains("ok   OWN-1"), "{crash}");
    let certified =
        ok(here, &with(&["conform", "--level", "certified", "--rounds", "2", "--filter", "before_it_is_ack"]));
    assert!(certified.contains("ok   LIFE-1"), "{certified}");
    assert!(fails(here, &with(&["conform", "--filter", "no_such"]), 2).contains("no case"));
    assert!(fails(here, &with(&["conform", "--store", "x"]), 2).contains("there is no store `x`"));
    assert_eq!(crate::common::held(here, MADE), expected(&[&text]));
}

#[test]
fn cap_1_every_store_of_a_descriptor_is_tested_and_one_report_tells_of_all() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let stores = "namespace = 'a'\n[stores]\nb-memory = { kind = 'memory' }\n\
         a-postgres = { kind = 'postgres', options = { url = 'postgres://nowhere' } }\n\
         c-redis = { kind = 'redis', options = { url = 'redis://nowhere' } }\n\
         d-redb = { kind = 'redb', options = { path = '/nowhere' } }\n";
    fs::write(here.join("statehold.toml"), stores).unwrap();
    let told = ok(here, &["conform", "--filter", "kv_1_", "--seed", "7", "--report", "proof"]);
    assert_eq!(told.matches(" 0 failed, ").count(), 4, "{told}");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(here.join("proof/report.json")).unwrap()).unwrap();
    assert_eq!((&report["schema"], &report["totals"]["failed"]), (&1.into(), &0.into()));
    let stores = report["stores"].as_array().unwrap();
    for (store, (name, engine)) in stores.iter().zip([
        ("a-postgres", "PostgreSQL 1"),
        ("b-memory", ""),
        ("c-redis", "Redis "),
        ("d-redb", "redb "),
    ]) {
        assert_eq!((&store["store"], &store["seed"]), (&name.into(), &7.into()));
        assert!(store["engine"].as_str().unwrap_or_default().starts_with(engine), "{store}");
        assert_eq!(store["clauses"]["KV-1"], store["totals"]);
    }
    assert_eq!(stores.len(), 4);
    let names: Vec<_> = fs::read_dir(here.join("proof")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(
        ["report.html", "junit.xml", "badge.svg", "matrix.md"].iter().all(|f| names.contains(&f.into())),
        "{names:?}"
    );

    let arguments = ["conform", "--filter", "kv_1_", "--json", "--store", "d-redb", "--store", "b-memory"];
    let report: serde_json::Value = serde_json::from_str(&ok(here, &arguments)).unwrap();
    let names: Vec<_> = report["stores"].as_array().unwrap().iter().map(|s| s["store"].clone()).collect();
    assert_eq!(names, ["d-redb", "b-memory"]);
    assert!(fails(here, &[&arguments[..], &["--store", "e"]].concat(), 2).contains("there is no store `e`"));
}

#[test]
fn wrong_usage_is_told_with_code_2() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["quickstart", "--checkpoint-every", "0"][..], &["fly"], &["put", "words", "a"], &[]] {
        assert_eq!(crate::common::run(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}
