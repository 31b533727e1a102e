//! The page of the command line has every command and option, and no others.

use std::{collections::BTreeSet, process::Command};

use crate::pages::{prose, read};

const PAGE: &str = "docs/src/cli.md";

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_statehold")).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let names = lines.filter_map(|l| l.strip_prefix("  ").filter(|l| !l.starts_with(' '))?.split(' ').next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The long options in a text.
fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let known = words.filter(|w| w.strip_prefix("--").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_lowercase())));
    known.filter(|w| !["--help", "--version"].contains(w)).map(str::to_owned).collect()
}

/// The commands that do something, as `checkpoints list`.
fn commands() -> Vec<String> {
    let mut found = Vec::new();
    for name in subcommands(&help(&[])) {
        let below = subcommands(&help(&[&name]));
        if below.is_empty() {
            found.push(name);
        } else {
            found.extend(below.iter().map(|sub| format!("{name} {sub}")));
        }
    }
    found
}

/// Heading → the text below it.
fn section(heading: &str) -> String {
    let text = read(PAGE);
    let lines = prose(&text);
    let begin = lines.iter().position(|l| l.strip_prefix("## ") == Some(heading));
    let begin = begin.unwrap_or_else(|| panic!("{PAGE} has no heading `{heading}`"));
    lines[begin + 1..].iter().take_while(|l| !l.starts_with("## ")).copied().collect::<Vec<_>>().join("\n")
}

#[test]
fn the_page_has_every_command_with_its_options() {
    for command in commands() {
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(options(&section(&command)), options(&help(&words)), "{command}");
    }
}

#[test]
fn the_page_has_no_other_commands() {
    let text = read(PAGE);
    let headings: Vec<String> = prose(&text).iter().filter_map(|l| l.strip_prefix("## ").map(str::to_owned)).collect();
    let commands = commands();
    assert!(!commands.is_empty());
    let unknown: Vec<_> = headings.iter().filter(|h| !commands.contains(h) && *h != "Exit codes").collect();
    assert!(unknown.is_empty(), "{PAGE} describes {unknown:?}");
}
