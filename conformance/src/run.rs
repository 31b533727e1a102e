//! [`run`]: the suite as a library call, and the running of one case.

use std::{panic::AssertUnwindSafe, time::Instant};

use futures::FutureExt;
use serde::{Deserialize, Serialize};
use statehold_core::Result;
use tempfile::TempDir;

use crate::{
    Case, CaseReport, Category, Context, Outcome, Report, Subject,
    dice::mix,
    failure::{Failure, Verdict},
};

/// Which cases to run, and with what data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The kinds of proof wanted.
    pub categories: Vec<Category>,
    /// Only cases whose name contains this.
    pub filter: Option<String>,
    /// Where all random data comes from: the same seed, the same run.
    pub seed: u64,
    /// How many random sequences a model case tries.
    pub cases: u32,
    /// How often each case is run, each time with other data.
    pub rounds: u32,
}

/// How much is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The backend answers as the contract says: functional and model cases.
    Conformant,
    /// It also keeps its word when processes are killed, power is lost and checkpoints fail, over several rounds.
    Certified,
}

impl Level {
    /// In one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conformant => "conformant",
            Self::Certified => "certified",
        }
    }

    /// The kinds of proof that it takes.
    #[must_use]
    pub fn categories(self) -> &'static [Category] {
        match self {
            Self::Conformant => &[Category::Functional, Category::Model],
            Self::Certified => &Category::ALL,
        }
    }

    /// What the level asks for, with a seed of its own.
    #[must_use]
    pub fn selection(self) -> Selection {
        let rounds = if self == Self::Certified { CERTIFIED_ROUNDS } else { 1 };
        Selection { categories: self.categories().to_vec(), rounds, ..Selection::default() }
    }
}

/// How many rounds certify unless told otherwise.
const CERTIFIED_ROUNDS: u32 = 3;

/// How many random sequences a model case tries unless told otherwise.
const DEFAULT_CASES: u32 = 64;

impl Default for Selection {
    /// Functional and model cases, a seed of its own each time, 64 sequences.
    fn default() -> Self {
        let seed = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0);
        let categories = Level::Conformant.categories().to_vec();
        Self { categories, filter: None, seed, cases: DEFAULT_CASES, rounds: 1 }
    }
}

impl Selection {
    /// All categories; seed, number of cases and rounds from `STATEHOLD_SEED`, `STATEHOLD_CASES` and
    /// `STATEHOLD_ROUNDS` where they are set.
    ///
    /// # Errors
    /// `InvalidInput` if one of them is not a number.
    pub fn from_env() -> Result<Self> {
        let mut selection = Self { categories: Category::ALL.to_vec(), ..Self::default() };
        if let Some(seed) = number("STATEHOLD_SEED")? {
            selection.seed = seed;
        }
        if let Some(cases) = number("STATEHOLD_CASES")? {
            selection.cases = u32::try_from(cases).unwrap_or(u32::MAX);
        }
        if let Some(rounds) = number("STATEHOLD_ROUNDS")? {
            selection.rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        }
        Ok(selection)
    }

    /// Whether the case is run, if the backend declares what it needs.
    #[must_use]
    pub fn takes(&self, case: &Case) -> bool {
        self.takes_named(case.name(), case.category())
    }

    /// Whether a case of that name and category is run.
    #[must_use]
    pub fn takes_named(&self, name: &str, category: Category) -> bool {
        self.categories.contains(&category) && self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }
}

fn number(variable: &str) -> Result<Option<u64>> {
    let Ok(text) = std::env::var(variable) else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| {
        statehold_core::Error::invalid(format!("{variable} is `{text}`"))
            .about(variable)
            .advise("give a whole number, as a failure printed it")
    })
}

/// Every case of the suite, in the contract's order.
#[must_use]
pub fn all_cases() -> Vec<Case> {
    let families =
        crate::cases::FAMILIES.iter().chain([&crate::model::CASES, &crate::crash::CASES, &crate::power::CASES]);
    families.flat_map(|family| family.iter().copied()).collect()
}

/// Runs the selected cases one after the other, each on a fresh site and runtime.
/// Must not be called within an async runtime.
///
/// Crash cases start the current executable again: a program that selects them calls
/// [`crash_child`](crate::crash_child) first in its `main`.
///
/// # Errors
/// What the backend's [`capabilities`](statehold_core::Backend::capabilities) failed with.
pub fn run(subject: &Subject, selection: &Selection) -> Result<Report> {
    run_each(subject, selection, |_| ())
}

/// As [`run`], and tells `done` of each case as it ends.
///
/// # Errors
/// As [`run`].
pub fn run_each(subject: &Subject, selection: &Selection, mut done: impl FnMut(&CaseReport)) -> Result<Report> {
    let dir = TempDir::new().map_err(|e| statehold_core::Error::internal("no temporary directory").because(e))?;
    let site = subject.site(dir.path());
    let capabilities = site.backend.capabilities(&site.options)?;
    let engine = engine(subject);
    let began = Instant::now();
    let cases = all_cases().into_iter().filter(|case| selection.takes(case)).map(|case| {
        let began = Instant::now();
        let outcome = match case.skipped_on(&site, dir.path(), &capabilities) {
            Some(skip) => skip,
            None => match run_case(&case, subject, selection) {
                Ok(()) => Outcome::Passed,
                Err((seed, failure)) => Outcome::Failed { message: failure.to_string(), seed },
            },
        };
        let report = CaseReport::new(case.name(), case.category(), outcome, millis(began));
        done(&report);
        report
    });
    let cases = cases.collect();
    let kind = site.backend.kind().to_owned();
    let (seed, sequences) = (selection.seed, selection.cases);
    let (store, rounds, millis) = (kind.clone(), selection.rounds, millis(began));
    Ok(Report { store, kind, engine, seed, sequences, rounds, millis, cases })
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What the subject's engine calls itself, asked of a store of its own.
fn engine(subject: &Subject) -> Option<String> {
    let mut version = None;
    let asked = complete(async {
        let store = Context::new(subject, 0, 0)?.open().await?;
        version = store.engine_version().await?;
        Ok(store.close().await?)
    });
    // A store that cannot be opened or closed fails its cases, which say more.
    asked.ok().and(version)
}

/// Runs one case, as often as there are rounds.
///
/// # Errors
/// The failure, and the seed that repeats it: of the round, or of the one sequence of a model case.
pub(crate) fn run_case(
    case: &Case,
    subject: &Subject,
    selection: &Selection,
) -> std::result::Result<(), (u64, Failure)> {
    // The first round has the seed that was given, so that a failure is repeated by its own in one round.
    let mut seed = selection.seed;
    for _ in 0..selection.rounds {
        run_round(case, subject, &Selection { seed, ..selection.clone() })
            .map_err(|failure| (failure.seed().unwrap_or(seed), failure))?;
        seed = mix(seed.wrapping_add(1));
    }
    Ok(())
}

/// Runs one case on a runtime of its own.
fn run_round(case: &Case, subject: &Subject, selection: &Selection) -> Verdict {
    // Model cases derive a seed a sequence, so that one sequence can be replayed alone.
    let seed = match case.category() {
        Category::Model => selection.seed,
        _ => case.name().bytes().fold(mix(selection.seed), |seed, byte| mix(seed ^ u64::from(byte))),
    };
    complete(async {
        let context = Context::new(subject, seed, selection.cases)?;
        (case.run)(&context).await
    })
}

/// Runs `work` to its end on a runtime of its own; a panic is a failure.
pub(crate) fn complete(work: impl Future<Output = Verdict>) -> Verdict {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let verdict = runtime.block_on(AssertUnwindSafe(work).catch_unwind());
    drop(runtime);
    verdict.unwrap_or_else(|panic| Err(Failure::new(format!("the backend panicked: {}", words(&*panic)))))
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}
