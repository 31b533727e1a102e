//! The page of the command line has every command, option and exit code, and no others.

use std::{collections::BTreeSet, process::Command};

use crate::pages::{prose, read};

const PAGE: &str = "docs/src/cli.md";

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_statehold")).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of a help text below `heading`.
fn below<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    help.lines().skip_while(|l| *l != heading).skip(1).take_while(|l| !l.is_empty()).collect()
}

/// The subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let lines = below(help, "Commands:").into_iter();
    let names = lines.filter_map(|l| l.strip_prefix("  ").filter(|l| !l.starts_with(' '))?.split(' ').next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The long options in a text.
fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let known = words.filter(|w| w.strip_prefix("--").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_lowercase())));
    known.filter(|w| !["--help", "--version"].contains(w)).map(str::to_owned).collect()
}

/// The page below the heading of a command.
fn section(command: &str) -> String {
    let text = read(PAGE);
    let lines = prose(&text);
    let begin = lines.iter().position(|l| l.strip_prefix("## ") == Some(command));
    let begin = begin.unwrap_or_else(|| panic!("{PAGE} has no heading `{command}`"));
    lines[begin + 1..].iter().take_while(|l| !l.starts_with("## ")).copied().collect::<Vec<_>>().join("\n")
}

#[test]
fn the_page_has_every_command_with_its_options() {
    for command in subcommands(&help(&[])) {
        let text = help(&[&command]);
        let page = section(&command);
        let mut known = options(&text);
        for sub in subcommands(&text) {
            assert!(page.contains(&format!("`{sub}")), "{PAGE}, {command}: no `{sub}`");
            known.extend(options(&help(&[&command, &sub])));
        }
        assert_eq!(options(&page), known, "{PAGE}, {command}");
    }
}

#[test]
fn the_page_has_no_other_commands() {
    let text = read(PAGE);
    let headings: Vec<&str> = prose(&text).iter().filter_map(|l| l.strip_prefix("## ")).collect();
    let mut commands = subcommands(&help(&[]));
    commands.push("Exit codes".to_owned());
    assert_eq!(headings, commands);
}

#[test]
fn the_page_has_every_exit_code() {
    let codes = help(&[]);
    let codes: Vec<(&str, &str)> =
        below(&codes, "Exit codes:").iter().filter_map(|l| l.trim().split_once("  ")).collect();
    assert!(codes.len() > 2, "{codes:?}");
    for (code, meaning) in codes {
        assert!(read(PAGE).contains(&format!("| {code} | {meaning} |")), "{code}: {meaning}");
    }
}
