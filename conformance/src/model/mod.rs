//! The model: random sequences of all operations, compared step by step with plain ordered maps.

mod driver;
mod operation;
mod reference;
mod seen;

use std::ops::Range;

use proptest::{
    prelude::{Just, Strategy},
    strategy::{BoxedStrategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use proptest_state_machine::Sequential;
use statehold_core::{AtomicScope, Capabilities};

use self::{
    driver::Driver,
    operation::{Operation, Table},
    reference::Reference,
};
use crate::{
    Case,
    case::cases,
    context::{Context, GROUPS},
    dice::mix,
    failure::{Failure, Verdict, ensure_eq},
};

pub(crate) const CASES: &[Case] = cases![Model:
    model_reads_and_writes_answer_as_the_model,
    model_all_operations_answer_as_the_model,
];

/// The most attempts at making a failing sequence shorter.
const MAX_SHRINKS: u32 = 400;

async fn model_reads_and_writes_answer_as_the_model(cx: &Context) -> Verdict {
    alone(cx, 1..120, operation::data).await
}

async fn model_all_operations_answer_as_the_model(cx: &Context) -> Verdict {
    alone(cx, 1..60, operation::everything).await
}

async fn alone(cx: &Context, length: Range<usize>, draw: Draw) -> Verdict {
    // Where a batch is atomic within a group only, one group holds all.
    let groups = if cx.capabilities.scope == AtomicScope::Store { GROUPS } else { 1 };
    let course = Course { length, groups, draw, capabilities: cx.capabilities.clone() };
    sequences(&[("the store", cx)], &course, cx.seed, cx.cases).await
}

type Draw = fn(&Capabilities, u16) -> BoxedStrategy<Operation>;

/// What is drawn.
struct Course {
    length: Range<usize>,
    groups: u16,
    draw: Draw,
    capabilities: Capabilities,
}

/// How several engines are led through the same sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lockstep {
    /// All data in one key group.
    OneGroup,
    /// Several key groups, each batch within one.
    GroupByGroup,
    /// Several key groups; engines that are atomic over them all.
    AcrossGroups,
}

impl Lockstep {
    pub(crate) const ALL: [Self; 3] = [Self::OneGroup, Self::GroupByGroup, Self::AcrossGroups];

    /// The name of its test.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneGroup => "map_3_engines_answer_alike_in_one_key_group",
            Self::GroupByGroup => "map_3_engines_answer_alike_group_by_group",
            Self::AcrossGroups => "map_3_engines_answer_alike_across_groups",
        }
    }

    /// Whether an engine takes part.
    pub(crate) fn takes(self, of: &Capabilities) -> bool {
        self != Self::AcrossGroups || of.scope == AtomicScope::Store
    }

    /// Leads all engines through `cases` sequences.
    pub(crate) async fn run(self, engines: &[(&str, &Context)], seed: u64, cases: u32) -> Verdict {
        let course = Course {
            length: 1..60,
            groups: if self == Self::OneGroup { 1 } else { GROUPS },
            draw: if self == Self::GroupByGroup { operation::within_groups } else { operation::everything },
            capabilities: in_common(engines),
        };
        sequences(engines, &course, seed, cases).await
    }
}

/// What all declare. One that forgets when it is closed stays open where others are opened again.
fn in_common(engines: &[(&str, &Context)]) -> Capabilities {
    let all = |has: fn(&Capabilities) -> bool| engines.iter().all(|(_, cx)| has(&cx.capabilities));
    let first = engines[0].1.capabilities.clone();
    Capabilities {
        persistent: true,
        revisions: all(|c| c.revisions),
        ttl: all(|c| c.ttl),
        markers: all(|c| c.markers),
        snapshots: all(|c| c.snapshots),
        loading: all(|c| c.loading),
        ..first
    }
}

/// Tries so many sequences, each from a seed of its own.
async fn sequences(engines: &[(&str, &Context)], course: &Course, seed: u64, cases: u32) -> Verdict {
    let tables = Table::all(&course.capabilities);
    let (capabilities, draw, groups) = (course.capabilities.clone(), course.draw, course.groups);
    let strategy = Sequential::new(
        course.length.clone().into(),
        {
            let tables = tables.clone();
            move || Just(Reference::new(tables.clone()))
        },
        |model: &Reference, operation: &Operation| model.allows(operation),
        move |_: &Reference| draw(&capabilities, groups),
        |model: Reference, operation: &Operation| model.next(operation),
    );
    for sequence in 0..cases {
        let seed = if sequence == 0 { seed } else { mix(seed ^ mix(u64::from(sequence))) };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
        let mut tree = strategy.new_tree(&mut runner).map_err(|e| Failure::new(e.to_string()))?;
        let drawn = tree.current();
        if let Err(failure) = play(engines, &drawn, groups).await {
            return Err(shrink(engines, &mut tree, groups, (drawn.1, failure)).await.by_seed(seed));
        }
    }
    Ok(())
}

/// A sequence as it is drawn: the model at its begin, the operations, and how many were done.
type Drawn = (Reference, Vec<Operation>, Option<std::sync::Arc<std::sync::atomic::AtomicUsize>>);

/// Makes the failing sequence of `tree` as short as it gets.
async fn shrink(
    engines: &[(&str, &Context)],
    tree: &mut impl ValueTree<Value = Drawn>,
    groups: u16,
    mut shortest: (Vec<Operation>, Failure),
) -> Failure {
    let mut goes_on = tree.simplify();
    for _ in 0..MAX_SHRINKS {
        if !goes_on {
            break;
        }
        let drawn = tree.current();
        goes_on = match play(engines, &drawn, groups).await {
            Err(failure) => {
                shortest = (drawn.1, failure);
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
    }
    let steps: String = shortest.0.iter().enumerate().map(|(i, step)| format!("\n  {i}: {step:?}")).collect();
    shortest.1.and(&format!("the shortest sequence that fails:{steps}"))
}

/// Plays one sequence on a fresh site of each engine. Each step is compared with the model, and then the engines'
/// answers with each other.
async fn play(engines: &[(&str, &Context)], (model, operations, done): &Drawn, groups: u16) -> Verdict {
    let fresh: Vec<Context> = engines.iter().map(|(_, cx)| cx.elsewhere()).collect::<Result<_, _>>()?;
    let mut model = model.clone();
    let mut drivers = Vec::with_capacity(fresh.len());
    for there in &fresh {
        drivers.push(Driver::new(there, &model.tables, groups).await?);
    }
    for (i, operation) in operations.iter().enumerate() {
        if let Some(done) = done {
            done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        let after = model.clone().next(operation);
        let at = || format!("at step {i}: {operation:?}");
        for (driver, (name, _)) in drivers.iter_mut().zip(engines) {
            let stepped = driver.step(operation, &model, &after).await;
            stepped.map_err(|failure| failure.and(&format!("on {name}, {}", at())))?;
        }
        agree(engines, &mut drivers).map_err(|failure| failure.and(&at()))?;
        if let Operation::Archive = operation {
            pass_on(&mut drivers, i);
        }
        model = after;
    }
    for driver in &mut drivers {
        driver.end(&model).await?;
    }
    agree(engines, &mut drivers).map_err(|failure| failure.and("at the end"))?;
    for driver in drivers {
        driver.close().await?;
    }
    Ok(())
}

/// All answered the same.
fn agree(engines: &[(&str, &Context)], drivers: &mut [Driver<'_>]) -> Verdict {
    let mut seen = drivers.iter_mut().map(Driver::take_seen).zip(engines);
    let Some((first, (name, _))) = seen.next() else { return Ok(()) };
    for (other, (other_name, _)) in seen {
        ensure_eq!(other, first, "{other_name} against {name}");
    }
    Ok(())
}

/// Each engine gets the archive of another, in turn of every other.
fn pass_on(drivers: &mut [Driver<'_>], turn: usize) {
    for by in 0..drivers.len().saturating_sub(1) {
        let (left, right) = drivers.split_at_mut(by + 1);
        let with = turn % right.len();
        left[by].exchange_archives(&mut right[with]);
    }
}
