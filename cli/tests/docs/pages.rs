//! Finding and reading the repository's documents and sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All files below `folder` that end with `end`, sorted, as paths from the repository's folder.
pub(crate) fn files(folder: &str, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Every document: those beside the README, and everything in `docs`.
pub(crate) fn documents() -> Vec<String> {
    let mut found = files("docs", ".md");
    found.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned));
    found
}

/// Every Rust file of the workspace.
pub(crate) fn sources() -> Vec<String> {
    ["core", "backends", "state-api", "conformance", "cli", "benches"].iter().flat_map(|f| files(f, ".rs")).collect()
}

/// The parts of `text` in backticks, code blocks left out.
pub(crate) fn code(text: &str) -> Vec<&str> {
    prose(text).into_iter().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// The lines outside of code blocks.
pub(crate) fn prose(text: &str) -> Vec<&str> {
    let mut inside = false;
    let outside = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    text.lines().filter(outside).collect()
}

/// The code blocks in `language`: the line each begins at, and its text.
pub(crate) fn blocks<'a>(text: &'a str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &'a str, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(tag)) => open = Some((number + 1, tag, String::new())),
            (Some(_), Some(_)) => {
                let (at, tag, block) = open.take().unwrap();
                if tag == language {
                    found.push((at, block));
                }
            }
            (Some((_, _, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a code block does not end");
    found
}
