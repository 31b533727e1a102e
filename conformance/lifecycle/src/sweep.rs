//! The sweep: a job is killed at each step that it meets, in turn, and what is left is compared with the model; then
//! what recovers it is killed too.
//!
//! Which steps there are is found by letting the job run to its end: a new step is swept without a list to be kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use statehold::{ErrorKind, RecoverFrom, archive::CheckpointForm};
use statehold_conformance::Subject;

use crate::{
    Context,
    check::{archive_is, goes_on, job_holds},
    child::RESUME,
    dice::Dice,
    failure::{Failure, Verdict, ensure},
    place::Place,
    plan::{Op, Plan, World},
    victim,
};

/// Longer than any plan.
const NEVER: usize = usize::MAX;

/// Kills the plan at its steps: at one of each kind within an op, or at `all` of them.
pub(crate) fn sweep(cx: &Context, plan: &Plan) -> Verdict {
    let mut dice = cx.dice.clone();
    let dir = tempfile::tempdir()?;
    let told = victim::run(&cx.subject, plan.name, cx.form, dir.path(), NEVER)?;
    ensure!(told.done, "the plan did not come to its end");
    let met: BTreeSet<&str> = told.steps.iter().map(|(_, name)| name.as_str()).collect();
    let native: &[&str] = if cx.form == CheckpointForm::Native { plan.meets_native } else { &[] };
    let kept: &[&str] = if plan.claims && cx.keeps_claims() { &["claim.kept"] } else { &[] };
    let missed: Vec<_> = plan.meets.iter().chain(native).chain(kept).filter(|step| !met.contains(*step)).collect();
    ensure!(missed.is_empty(), "the steps {missed:?} were not met, only {met:?}");

    let mut places: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
    for (at, (op, name)) in told.steps.iter().enumerate() {
        places.entry((*op, name)).or_default().push(at);
    }
    for ((op, name), at) in places {
        let chosen = if cx.long { at } else { vec![at[dice.below(at.len())]] };
        for kill_at in chosen {
            let what = format!("killed at step {kill_at}, `{name}` of {:?}", plan.ops[op]);
            killed(cx, plan, kill_at, &mut dice).map_err(|f| f.at(&what))?;
        }
    }
    Ok(())
}

/// Kills the plan at one step, and looks at what is left.
fn killed(cx: &Context, plan: &Plan, kill_at: usize, dice: &mut Dice) -> Verdict {
    let (subject, form) = (&cx.subject, cx.form);
    let dir = tempfile::tempdir()?;
    let told = victim::run(subject, plan.name, form, dir.path(), kill_at)?;
    let under_way = plan.ops[told.op];
    let before = World::after(&plan.ops[..told.op]);
    let after = World::after(&plan.ops[..=told.op]);
    let worlds = if told.done { vec![after] } else { vec![before, after] };

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let look = async {
        let place = Place::new(subject, dir.path(), form, plan.owners)?;
        let world = archive_is(&place, &worlds).await?;
        // Else the next look is that of who recovers at once.
        if cx.survives() && dice.below(2) == 0 {
            as_left(&place, &worlds, under_way).await?;
        }
        Ok::<_, Failure>(world)
    };
    let world = runtime.block_on(look)?;
    resumed(&runtime, subject, (plan, form), dir.path(), &world, dice)
}

/// The stores hold what they held before or after the op under way, and say so if they were left in between.
async fn as_left(place: &Place, worlds: &[World], under_way: Op) -> Verdict {
    match place.open(RecoverFrom::AsLeft).await {
        Ok(job) => {
            let mut held = Err(Failure::new("there is no world"));
            for world in worlds {
                held = job_holds(&job, &world.disk).await;
                if held.is_ok() {
                    break;
                }
            }
            job.close().await?;
            held.map_err(|f| f.at("as left"))
        }
        Err(e) => {
            let expected = matches!(e.kind(), ErrorKind::Fenced | ErrorKind::Conflict);
            ensure!(expected && matches!(under_way, Op::Recover(_)), "it does not open as left: {e}");
            Ok(())
        }
    }
}

/// Recovers in a child that is killed too, at any of its steps, and then for good.
fn resumed(
    runtime: &tokio::runtime::Runtime,
    subject: &Subject,
    (plan, form): (&Plan, CheckpointForm),
    dir: &Path,
    world: &World,
    dice: &mut Dice,
) -> Verdict {
    const STEPS: usize = 24;
    let kill_at = dice.below(STEPS);
    let told = victim::run(subject, &format!("{RESUME}{}", plan.owners), form, dir, kill_at)?;
    let step = told.steps.last().map_or("no step", |(_, name)| name.as_str());
    let finish = async {
        let place = Place::new(subject, dir, form, plan.owners)?;
        archive_is(&place, std::slice::from_ref(world)).await?;
        let mut job = place.open(RecoverFrom::LatestOrEmpty).await?;
        let writes = world.latest().map(|kept| kept.writes.clone()).unwrap_or_default();
        goes_on(&place, &mut job, &writes).await?;
        job.close().await?;
        Ok(())
    };
    runtime.block_on(finish).map_err(|f: Failure| f.at(&format!("and its recovery at `{step}`")))
}
