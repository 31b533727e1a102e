//! Checkpoints of any engine, as a suite: killed, failing and damaged at every step, beside writers under load,
//! and compared with a model each time (contract LIFE-2 to LIFE-8).
//!
//! It stands above `statehold-conformance`, which proves a store alone: here are managers, archives and processes.
//! An engine adds a test target with `harness = false` and one line, with the [`Subject`] of its conformance suite:
//!
//! ```no_run
//! use statehold_conformance::{Site, Subject};
//! use statehold_core::Options;
//! use statehold_memory::MemoryBackend;
//!
//! fn main() -> std::process::ExitCode {
//!     statehold_lifecycle_tests::main(Subject::new(|_| Site::new(MemoryBackend::new(), Options::new())))
//! }
//! ```

mod check;
mod child;
mod content;
mod damage;
mod dice;
mod disk;
mod failing;
mod failure;
mod faults;
mod load;
mod place;
mod plan;
mod sweep;
mod victim;

use std::{path::Path, process::ExitCode};

use futures::{FutureExt, future::LocalBoxFuture};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use statehold::{Error, Result, archive::CheckpointForm};
use statehold_conformance::{Selection, Subject};
use statehold_core::{Capabilities, Durability, OptionReader};

use crate::{dice::Dice, failure::Verdict};

/// What a trial is given.
struct Context {
    subject: Subject,
    capabilities: Capabilities,
    form: CheckpointForm,
    dice: Dice,
    /// The stores' data lies in the directory that a site is given, under `path`.
    on_disk: bool,
    /// More of everything.
    long: bool,
}

impl Context {
    /// What is in the stores outlives the process.
    fn survives(&self) -> bool {
        self.capabilities.persistent && self.capabilities.durability.contains(&Durability::Process)
    }
}

/// Runs the suite on `subject` as a test binary with `harness = false`. `STATEHOLD_SEED` chooses the random data, and
/// is printed; `STATEHOLD_LONG=1` sweeps every step, not one of each kind, and writes for longer.
#[must_use]
#[allow(clippy::needless_pass_by_value, reason = "one line at the caller")]
pub fn main(subject: Subject) -> ExitCode {
    if let Some(code) = child::child(&subject) {
        return code;
    }
    let arguments = Arguments::from_args();
    match trials(&subject, arguments.list) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A trial in a directory of its own.
type Run = for<'a> fn(&'a Context, &'a Path, Dice) -> LocalBoxFuture<'a, Verdict>;

/// Trials by the names of their functions.
macro_rules! trials {
    ($($file:ident: $($name:ident),+;)+) => {
        &[$($((stringify!($name), |cx, dir, dice| $file::$name(cx, dir, dice).boxed_local())),+),+]
    };
}

const TRIALS: &[(&str, Run)] = trials![
    faults: life_2_a_checkpoint_whose_object_store_fails_at_every_call, life_5_a_recover_whose_object_store_fails_at_every_call, life_8_a_prune_whose_object_store_fails_at_every_call;
    damage: life_4_damaged_objects_and_records_are_found_and_named, life_4_forged_records_reach_nothing_and_are_refused;
    load: life_2_checkpoints_beside_writers_under_load_are_the_model_at_their_cut;
    disk: own_3_a_full_disk_under_the_archive, own_3_a_full_disk_under_the_store_that_recovers;
];

fn alone(cx: &Context, run: Run) -> Verdict {
    let dir = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let dice = cx.dice.clone();
    runtime.block_on(run(cx, dir.path(), dice))
}

fn trials(subject: &Subject, listing: bool) -> Result<Vec<Trial>> {
    let seed = Selection::from_env()?.seed;
    if !listing {
        eprintln!("seed: STATEHOLD_SEED={seed}");
    }
    let dir = tempfile::tempdir().map_err(|e| Error::internal("no temporary directory").because(e))?;
    let site = subject.site(dir.path());
    let capabilities = site.backend.capabilities(&site.options)?;
    let long = std::env::var_os("STATEHOLD_LONG").is_some();
    // What every engine on a disk calls it.
    let on_disk = OptionReader::new(site.backend.kind(), &site.options).text("path")?.is_some();
    let mut trials = Vec::new();
    for form in CheckpointForm::ALL {
        let mut add = |name: String, run: Box<dyn FnOnce(Context) -> Verdict + Send>| {
            let dice = Dice::new(seed, &name);
            let cx =
                Context { subject: subject.clone(), capabilities: capabilities.clone(), form, dice, on_disk, long };
            trials.push(trial(name, cx, seed, run));
        };
        for plan in plan::PLANS {
            let name = format!("{}_{}", plan.name, form.as_str());
            let sweep = |cx: Context| sweep::sweep(&cx.subject, plan, cx.form, cx.survives(), cx.long, cx.dice);
            add(name, Box::new(sweep));
        }
        for (name, run) in TRIALS {
            add(format!("{name}_{}", form.as_str()), Box::new(|cx| alone(&cx, *run)));
        }
    }
    Ok(trials)
}

fn trial(name: String, cx: Context, seed: u64, run: Box<dyn FnOnce(Context) -> Verdict + Send>) -> Trial {
    Trial::ignorable_test(name.clone(), move || {
        if cx.form == CheckpointForm::Native && !cx.capabilities.native_archive {
            return Ok(Completion::ignored_with("native archives are not declared"));
        }
        if name.contains("full_disk") && disk::mount().is_none() {
            return Ok(Completion::ignored_with("no tmpfs can be mounted, which takes root"));
        }
        if name.contains("under_the_store") && !cx.on_disk {
            return Ok(Completion::ignored_with("the store is on no disk that could be filled here"));
        }
        let failed = |f| Failed::from(format!("{f}\nseed: STATEHOLD_SEED={seed} (with the filter `{name}`)"));
        run(cx).map(|()| Completion::Completed).map_err(failed)
    })
}
