//! Links lead to files and headings that exist, and paths in backticks to files.

use std::path::Path;

use crate::pages::{code, documents, files, prose, read, root};

/// The targets of the links and pictures of a document.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            found.push(rest.split(')').next().unwrap_or_default().to_owned());
        }
        if let Some((_, target)) = line.split_once("]: ").filter(|_| line.starts_with('[')) {
            found.push(target.trim().to_owned());
        }
    }
    found
}

/// A heading as GitHub and mdBook name it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(path: &str) -> Vec<String> {
    let text = read(path);
    prose(&text).iter().filter(|l| l.starts_with('#')).map(|l| anchor(l.trim_start_matches('#').trim())).collect()
}

/// `a/b/../c` as `a/c`.
fn tidy(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part.as_os_str().to_str().unwrap() {
            ".." => drop(parts.pop()),
            other => parts.push(other.to_owned()),
        }
    }
    parts.join("/")
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut wrong = Vec::new();
    for document in documents() {
        let folder = Path::new(&document).parent().unwrap().to_owned();
        for target in targets(&read(&document)).iter().filter(|t| !t.contains("://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { document.clone() } else { tidy(&folder.join(file)) };
            // The book is shown without the rest of the repository.
            let inside = !document.starts_with("docs/src/") || path.starts_with("docs/src/");
            let found = root().join(&path).exists() && inside;
            if !found || !heading.is_empty() && !anchors(&path).contains(&heading.to_owned()) {
                wrong.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = read("docs/src/SUMMARY.md");
    let listed = targets(&summary);
    for page in files("docs/src", ".md") {
        let page = page.strip_prefix("docs/src/").unwrap();
        assert!(page == "SUMMARY.md" || listed.iter().any(|t| t == page), "docs/src/SUMMARY.md lacks {page}");
    }
}

#[test]
fn every_source_path_in_backticks_exists() {
    let mut wrong = Vec::new();
    for document in documents() {
        let text = read(&document);
        let paths = code(&text).into_iter().filter(|c| c.contains('/') && c.ends_with(".rs") && !c.contains('*'));
        wrong.extend(paths.filter(|p| !root().join(p).exists()).map(|p| format!("{document}: {p}")));
    }
    assert!(wrong.is_empty(), "paths that do not exist:\n{}", wrong.join("\n"));
}
