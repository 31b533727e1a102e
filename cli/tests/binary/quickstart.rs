//! `statehold quickstart`: exact counts, wherever it was killed; clear errors where it cannot go on.

use std::{fs, path::Path};

use crate::common::{Dice, MADE, Watched, expected, fails, held, ok, table};
use tempfile::TempDir;

const COUNT: &[&str] = &["quickstart", "--input", "text", "--output", "counts.tsv"];

fn folder_with(text: &[u8]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("text"), text).expect("written");
    folder
}

fn output(folder: &Path) -> String {
    fs::read_to_string(folder.join("counts.tsv")).expect("the output")
}

#[test]
fn it_counts_a_folder_exactly_and_then_nothing_more() {
    let mut dice = Dice::new();
    let folder = TempDir::new().unwrap();
    let input = folder.path().join("text");
    fs::create_dir_all(input.join("a")).unwrap();
    // In byte order of path; the second has no newline at its end.
    let texts = [("a-b", dice.text(500)), ("a/x", [dice.text(500), b"END".to_vec()].concat()), ("b", dice.text(500))];
    texts.iter().for_each(|(name, text)| fs::write(input.join(name), text).unwrap());
    let want = expected(&texts.each_ref().map(|(_, text)| text.as_slice()));

    let json = ok(folder.path(), &[COUNT, &["--json"]].concat());
    assert_eq!(output(folder.path()), table(&want));
    assert_eq!(held(folder.path(), MADE), want);
    assert!(json.contains(&format!("\"words\": {},", want.words.values().sum::<u64>())), "{json}");
    assert!(json.contains(&format!("\"distinct_words\": {},", want.words.len())), "{json}");

    let again = ok(folder.path(), COUNT);
    assert!(again.contains("Nothing was left to count since checkpoint 1."), "{again}");
    assert_eq!(output(folder.path()), table(&want));
}

#[test]
fn what_is_added_to_the_input_is_counted_by_the_next_run() {
    let mut dice = Dice::new();
    let text = [dice.text(500), b"\n".to_vec()].concat();
    let folder = folder_with(&text);
    ok(folder.path(), COUNT);
    let longer = [text, dice.text(500)].concat();
    fs::write(folder.path().join("text"), &longer).unwrap();
    let screen = ok(folder.path(), COUNT);
    assert!(screen.contains("Went on from checkpoint 1 at"), "{screen}");
    assert_eq!(held(folder.path(), MADE), expected(&[&longer]));
}

/// Kills it after some lines of its log, again and again, until it has come to its end.
fn killed_until_done(config: Option<&str>) {
    let mut dice = Dice::new();
    let text = dice.text(30_000);
    let folder = folder_with(&text);
    let mut arguments = [COUNT, &["--checkpoint-every", "3000"]].concat();
    if let Some(config) = config {
        fs::write(folder.path().join("own.toml"), config.replace("HERE", folder.path().to_str().unwrap())).unwrap();
        arguments.extend(["--config", "own.toml"]);
    }
    let mut kills = 0;
    loop {
        let mut run = Watched::start(folder.path(), &arguments);
        // Lines are written as it claims the archive, has recovered, applies counts and takes checkpoints.
        if !run.lines(1 + dice.below(9)) {
            run.ends_well();
            break;
        }
        // Not always at the instant of a line.
        std::hint::black_box((0..dice.below(3_000_000)).sum::<u64>());
        run.kill();
        kills += 1;
    }
    println!("{kills} kills");
    let want = expected(&[&text]);
    assert_eq!(output(folder.path()), table(&want));
    assert_eq!(held(folder.path(), if config.is_some() { "own.toml" } else { MADE }), want);
}

#[test]
fn killed_again_and_again_it_ends_with_exact_counts() {
    killed_until_done(None);
}

#[test]
fn a_store_that_survives_the_kill_changes_nothing_of_that() {
    killed_until_done(Some(
        "namespace = 'own'\narchive.url = 'file://HERE/archive'\n[memory]\nwrite_buffer = '64 KiB'\n\
         [stores.s]\nkind = 'rocksdb'\ndurability = 'process'\noptions.path = 'HERE/data'\n",
    ));
}

#[test]
fn killed_during_recovery_it_recovers_again() {
    let mut dice = Dice::new();
    let text = dice.text(20_000);
    let folder = folder_with(&text);
    let arguments = [COUNT, &["--checkpoint-every", "5000"]].concat();
    let mut first = Watched::start(folder.path(), &arguments);
    assert!(first.until("checkpoint=2"));
    first.kill();
    for _ in 0..5 {
        let mut run = Watched::start(folder.path(), &arguments);
        // The claim is what recovery begins with.
        assert!(run.until("claimed"));
        std::hint::black_box((0..dice.below(30_000_000)).sum::<u64>());
        run.kill();
    }
    ok(folder.path(), &arguments);
    assert_eq!(held(folder.path(), MADE), expected(&[&text]));
}

#[test]
fn input_that_changed_before_the_resumed_offset_is_refused_and_nothing_is_lost() {
    let text = Dice::new().text(2000);
    let folder = folder_with(&text);
    ok(folder.path(), COUNT);
    let mut changed = text.clone();
    changed[7] ^= 1;
    fs::write(folder.path().join("text"), &changed).unwrap();
    let said = fails(folder.path(), COUNT, 4);
    assert!(said.contains("the input changed before byte") && said.contains("`text`"), "{said}");
    fs::write(folder.path().join("text"), &text[..100]).unwrap();
    assert!(fails(folder.path(), COUNT, 4).contains("shorter"));
    fs::write(folder.path().join("text"), &text).unwrap();
    ok(folder.path(), COUNT);
    assert_eq!(held(folder.path(), MADE), expected(&[&text]));
}

#[test]
fn input_that_is_missing_or_no_file_is_refused_before_anything_is_made() {
    let folder = TempDir::new().unwrap();
    assert!(fails(folder.path(), &["quickstart", "--input", "nowhere"], 3).contains("`nowhere`"));
    assert!(fails(folder.path(), &["quickstart", "--input", "/dev/null"], 2).contains("neither a file nor a folder"));
    std::os::unix::fs::symlink("gone", folder.path().join("dangling")).unwrap();
    fails(folder.path(), &["quickstart", "--input", "dangling"], 3);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_anything_is_counted() {
    let folder = folder_with(b"a b c");
    fails(folder.path(), &["quickstart", "--input", "text", "--output", "no/such/folder"], 3);
    fails(folder.path(), &["quickstart", "--input", "text", "--output", "."], 2);
    assert!(!folder.path().join("statehold-quickstart").exists());
}

#[test]
fn a_word_that_no_key_can_hold_is_refused_with_its_place() {
    let folder = folder_with(&[b"short\n".to_vec(), vec![b'a'; 20_000], b"\n".to_vec()].concat());
    let said = fails(folder.path(), COUNT, 2);
    assert!(said.contains("`text` holds a word of at least 20000 bytes") && said.contains("limits.key"), "{said}");
}

#[test]
fn own_1_a_second_process_on_the_same_folder_is_refused() {
    // So much that it is stopped long before its end.
    let text = Dice::new().text(300_000);
    let folder = folder_with(&text);
    let mut first = Watched::start(folder.path(), COUNT);
    assert!(first.until("opened"));
    first.stop();
    let said = fails(folder.path(), COUNT, 4);
    assert!(said.contains("store `local`"), "{said}");
    first.kill();
    ok(folder.path(), COUNT);
    assert_eq!(held(folder.path(), MADE), expected(&[&text]));
}

#[test]
fn life_4_a_damaged_checkpoint_is_named_and_nothing_is_overwritten() {
    let text = Dice::new().text(2000);
    let folder = folder_with(&text);
    ok(folder.path(), COUNT);
    let objects = folder.path().join("statehold-quickstart/archive/quickstart/objects");
    let object = fs::read_dir(&objects).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&object).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&object, &damaged).unwrap();
    let name = object.file_name().unwrap().to_str().unwrap();
    assert!(fails(folder.path(), COUNT, 5).contains(name));
    assert!(fails(folder.path(), &["checkpoints", "--config", MADE, "verify"], 5).contains(name));
    fs::remove_file(&object).unwrap();
    assert!(fails(folder.path(), COUNT, 5).contains(name));
    fs::write(&object, &whole).unwrap();
    ok(folder.path(), COUNT);
    assert_eq!(held(folder.path(), MADE), expected(&[&text]));
}

#[test]
fn a_state_that_is_something_else_is_refused() {
    let folder = folder_with(b"a b c");
    let config =
        "namespace = 'a'\narchive.url = 'memory://a'\n[stores.m]\nkind = 'memory'\n[states.words]\nmodel = 'list'\n";
    fs::write(folder.path().join("own.toml"), config).unwrap();
    let said = fails(folder.path(), &["quickstart", "--input", "text", "--config", "own.toml"], 2);
    assert!(said.contains("state `words`"), "{said}");
}
