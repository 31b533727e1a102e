//! What the tests of the command share: running it, texts, and counting them independently.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

/// The command with arguments, in a folder.
pub(crate) fn statehold(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statehold"));
    command.current_dir(folder).args(arguments).env_remove("STATEHOLD_LOG").env_remove("STATEHOLD_CONFIG");
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    statehold(folder, arguments).output().expect("it starts")
}

/// Standard output of a run that must succeed.
#[track_caller]
pub(crate) fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Standard error of a run that must end with `code`.
#[track_caller]
pub(crate) fn fails(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(said.starts_with("error: ") && said.contains("\n  to do: "), "{said}");
    said
}

/// A run that is watched through its log. Dropping it kills it.
pub(crate) struct Watched {
    pub(crate) process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
    /// What was read of its log.
    said: Vec<String>,
}

impl Watched {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut process = statehold(folder, arguments)
            .env("STATEHOLD_LOG", "info")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        Self { process, lines, said: Vec::new() }
    }

    fn line(&mut self) -> Option<&str> {
        let line = self.lines.next()?.ok()?;
        self.said.push(line);
        self.said.last().map(String::as_str)
    }

    /// Reads its log up to a line with `what`; false if it ended before.
    pub(crate) fn until(&mut self, what: &str) -> bool {
        while let Some(line) = self.line() {
            if line.contains(what) {
                return true;
            }
        }
        false
    }

    /// Reads `n` lines of its log; false if it ended before.
    pub(crate) fn lines(&mut self, n: u64) -> bool {
        (0..n).all(|_| self.line().is_some())
    }

    /// Waits until it has ended, which must be well.
    #[track_caller]
    pub(crate) fn ends_well(&mut self) {
        while self.line().is_some() {}
        assert!(self.process.wait().expect("it is gone").success(), "{}", self.said.join("\n"));
    }

    /// Lets it stand still, as it is.
    pub(crate) fn stop(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-STOP", &pid]).status().expect("kill runs").success());
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        let _ = self.process.kill();
        self.process.wait().expect("it is gone");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// splitmix64.
pub(crate) struct Dice(u64);

impl Dice {
    /// From `STATEHOLD_SEED`, or a seed of its own; printed.
    pub(crate) fn new() -> Self {
        let seed = std::env::var("STATEHOLD_SEED").ok().and_then(|s| s.parse().ok());
        let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        println!("STATEHOLD_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    /// Lines of words of a few, separated by whatever is no word; bytes outside UTF-8 too.
    pub(crate) fn text(&mut self, words: u64) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..words {
            let rank = self.below(3000) * self.below(1000) / 1000;
            text.extend_from_slice(format!("{}{rank}", ["The", "of", "x", "A1b"][self.below(4) as usize]).as_bytes());
            text.extend_from_slice(
                [&b" "[..], b"\n", b"\n\n", b" -- ", b"\xff", b"\r\n", b"\0", b"\t"][self.below(8) as usize],
            );
        }
        text
    }
}

/// What the quickstart must have counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) words: BTreeMap<String, u64>,
    pub(crate) widths: BTreeSet<(String, u64, u64)>,
    pub(crate) lines: BTreeMap<String, Vec<u64>>,
}

/// Counts files the slow way.
pub(crate) fn expected(files: &[&[u8]]) -> Expected {
    let mut all = Expected::default();
    let mut widths: BTreeMap<(String, u64), u64> = BTreeMap::new();
    let mut number = 0;
    for file in files {
        let mut lines: Vec<&[u8]> = file.split(|b| *b == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        for line in lines {
            number += 1;
            for word in line.split(|b| !b.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
                let word = String::from_utf8(word.to_ascii_lowercase()).expect("ASCII");
                *all.words.entry(word.clone()).or_default() += 1;
                *widths.entry((word.clone(), line.len() as u64 / 16)).or_default() += 1;
                let on = all.lines.entry(word).or_default();
                if on.len() < 20 && on.last() != Some(&number) {
                    on.push(number);
                }
            }
        }
    }
    all.widths = widths.into_iter().map(|((word, width), count)| (word, width, count)).collect();
    all
}

/// What the three states of a descriptor hold.
pub(crate) fn held(folder: &Path, config: &str) -> Expected {
    let rows = |state: &str| -> Vec<Vec<String>> {
        let out = ok(folder, &["scan", "--config", config, state]);
        out.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let mut held = Expected::default();
    for row in rows("words") {
        held.words.insert(row[0].clone(), number(&row[1]));
    }
    for row in rows("widths") {
        held.widths.insert((row[0].clone(), number(&row[1]), number(&row[2])));
    }
    for row in rows("lines") {
        held.lines.entry(row[0].clone()).or_default().push(number(&row[1]));
    }
    held
}

/// The file that `--output` must write.
pub(crate) fn table(expected: &Expected) -> String {
    expected.words.iter().map(|(word, count)| format!("{word}\t{count}\n")).collect()
}

/// The descriptor that the quickstart makes.
pub(crate) const MADE: &str = "statehold-quickstart/statehold.toml";
