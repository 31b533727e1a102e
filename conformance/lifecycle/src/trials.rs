//! [`Case`]: a trial, by name and form; [`of`]: all of them for one engine.

use std::path::Path;

use futures::{FutureExt, future::LocalBoxFuture};
use statehold::{Error, Result, archive::CheckpointForm};
use statehold_conformance::{Outcome, Subject};
use statehold_core::OptionReader;

use crate::{Context, damage, dice::Dice, disk, failure::Verdict, faults, load, plan, sweep};

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

/// What a trial does.
#[derive(Clone, Copy)]
enum What {
    Sweep(&'static plan::Plan),
    Alone(Run),
}

/// The trials of one form, by name.
fn whats(form: CheckpointForm) -> impl Iterator<Item = (String, What)> {
    let sweeps = plan::PLANS.iter().map(|plan| (plan.name, What::Sweep(plan)));
    let alone = TRIALS.iter().map(|(name, run)| (*name, What::Alone(*run)));
    sweeps.chain(alone).map(move |(name, what)| (format!("{name}_{}", form.as_str()), what))
}

/// The names of all trials, in the order in which they are run.
#[must_use]
pub fn names() -> Vec<String> {
    CheckpointForm::ALL.into_iter().flat_map(whats).map(|(name, _)| name).collect()
}

/// One trial on one engine.
pub(crate) struct Case {
    pub(crate) name: String,
    cx: Context,
    what: What,
}

/// All trials of `subject`.
///
/// # Errors
/// What its capabilities fail with.
pub(crate) fn of(subject: &Subject, seed: u64, long: bool) -> Result<Vec<Case>> {
    let dir = tempfile::tempdir().map_err(|e| Error::internal("no temporary directory").because(e))?;
    let site = subject.site(dir.path());
    let capabilities = site.backend.capabilities(&site.options)?;
    // What every engine on a disk calls it.
    let on_disk = OptionReader::new(site.backend.kind(), &site.options).text("path")?.is_some();
    let mut cases = Vec::new();
    for form in CheckpointForm::ALL {
        cases.extend(whats(form).map(|(name, what)| {
            let dice = Dice::new(seed, &name);
            let (subject, capabilities) = (subject.clone(), capabilities.clone());
            Case { name, cx: Context { subject, capabilities, form, dice, on_disk, long }, what }
        }));
    }
    Ok(cases)
}

impl Case {
    /// Why it is not run.
    pub(crate) fn skipped(&self) -> Option<Outcome> {
        let skip = |reason: &str, unproven| Some(Outcome::Skipped { reason: reason.to_owned(), unproven });
        if self.cx.form == CheckpointForm::Native && !self.cx.capabilities.native_archive {
            return skip("native archives are not declared", false);
        }
        if self.name.contains("under_the_store") && !self.cx.on_disk {
            return skip("the store is on no disk that could be filled here", false);
        }
        if self.name.contains("full_disk") && disk::mount().is_none() {
            return skip("no tmpfs can be mounted, which takes root", true);
        }
        None
    }

    pub(crate) fn run(&self) -> Verdict {
        let cx = &self.cx;
        match self.what {
            What::Sweep(plan) => sweep::sweep(cx, plan),
            What::Alone(run) => {
                let dir = tempfile::tempdir()?;
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                runtime.block_on(run(cx, dir.path(), cx.dice.clone()))
            }
        }
    }
}
