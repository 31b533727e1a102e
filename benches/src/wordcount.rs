//! `statehold quickstart` against the same three counts in plain HashMaps, on the same text.

use std::{
    collections::HashMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use statehold::{Error, Result};
use statehold_bench_kit::input::{permutation, zipf};

use crate::scratch;

/// The share of the plain program's speed that must be reached.
const WANTED: f64 = 0.25;
/// Distinct words of the text.
const WORDS: u64 = 50_000;
/// Line numbers that are kept of a word.
const LINES: usize = 20;

fn failed(what: &str, e: std::io::Error) -> Error {
    Error::invalid(format!("{what} failed")).because(e)
}

/// About `bytes` of zipfian words in lines of 3 to 18 words.
fn text(path: &Path, bytes: usize) -> Result<()> {
    let order = permutation(WORDS);
    let count = bytes / 6;
    let mut out = Vec::with_capacity(bytes + 64);
    let mut line = 0;
    for (i, word) in zipf(&order, count, 9).into_iter().enumerate() {
        let mut word = word + 1;
        while word > 0 {
            out.push(b'a' + (word % 26) as u8);
            word /= 26;
        }
        line += 1;
        let end = line >= 3 + i % 16;
        out.push(if end { b'\n' } else { b' ' });
        if end {
            line = 0;
        }
    }
    std::fs::File::create(path).and_then(|mut f| f.write_all(&out)).map_err(|e| failed("writing the text", e))
}

/// The three counts of `quickstart`, without any state kept.
#[derive(Default)]
struct Counts {
    words: HashMap<Vec<u8>, u64>,
    lengths: HashMap<Vec<u8>, HashMap<u64, u64>>,
    lines: HashMap<Vec<u8>, Vec<u64>>,
}

fn plain(path: &Path) -> Result<Counts> {
    let text = std::fs::read(path).map_err(|e| failed("reading the text", e))?;
    let mut counts = Counts::default();
    for (number, line) in (1_u64..).zip(text.split(|b| *b == b'\n')) {
        let bucket = line.len() as u64 / 16;
        for word in line.split(|b| !b.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
            let word = word.to_ascii_lowercase();
            *counts.words.entry(word.clone()).or_default() += 1;
            *counts.lengths.entry(word.clone()).or_default().entry(bucket).or_default() += 1;
            let lines = counts.lines.entry(word).or_default();
            if lines.len() < LINES && lines.last() != Some(&number) {
                lines.push(number);
            }
        }
    }
    Ok(counts)
}

fn quickstart(binary: &Path, folder: &Path, input: &Path, output: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let status = Command::new(binary)
        .current_dir(folder)
        .args(["quickstart", "--json", "--input"])
        .arg(input)
        .arg("--output")
        .arg(output)
        .stdout(std::process::Stdio::null())
        .status()
        .map_err(|e| failed("starting `statehold` (build it first: `cargo build -p statehold-cli`)", e))?;
    if !status.success() {
        return Err(Error::invalid(format!("`statehold quickstart` ended with {status}")));
    }
    Ok(begun.elapsed())
}

/// Measures both `repeat` times in turn, compares their words, and prints the ratio.
pub(crate) fn run(megabytes: usize, repeat: usize) -> Result<()> {
    let folder = scratch()?;
    let input = folder.path().join("text");
    text(&input, megabytes * 1_000_000)?;
    let binary: PathBuf =
        std::env::current_exe().map_err(|e| failed("finding this program", e))?.with_file_name("statehold");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..repeat {
        let begun = Instant::now();
        let counts = plain(&input)?;
        theirs.push(begun.elapsed());
        let work = folder.path().join(format!("round-{round}"));
        std::fs::create_dir(&work).map_err(|e| failed("making a folder", e))?;
        let output = work.join("words");
        ours.push(quickstart(&binary, &work, &input, &output)?);
        compare(&counts, &output)?;
    }
    ours.sort_unstable();
    theirs.sort_unstable();
    let median = |times: &[Duration]| times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64();
    let (x, y) = (median(&ours), median(&theirs));
    let ratio = y / x;
    let verdict = if ratio >= WANTED { "met" } else { "MISSED" };
    println!(
        "{megabytes} MB of text, median of {repeat}: quickstart {x:.2} s, HashMaps {y:.2} s, ratio {ratio:.2} (wanted {WANTED}: {verdict})"
    );
    Ok(())
}

fn compare(counts: &Counts, output: &Path) -> Result<()> {
    let mut words: Vec<_> = counts.words.iter().collect();
    words.sort_unstable();
    let mut wanted = Vec::new();
    for (word, count) in words {
        wanted.extend_from_slice(word);
        wanted.extend_from_slice(format!("\t{count}\n").as_bytes());
    }
    let got = std::fs::read(output).map_err(|e| failed("reading the counted words", e))?;
    if got == wanted { Ok(()) } else { Err(Error::corrupt("quickstart and the plain program count differently")) }
}
