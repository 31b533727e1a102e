//! The model: random sequences of all operations, compared step by step with plain ordered maps.

mod driver;
mod operation;
mod reference;

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
    failure::{Failure, Verdict},
};

pub(crate) const CASES: &[Case] = cases![Model:
    model_reads_and_writes_answer_as_the_model,
    model_all_operations_answer_as_the_model,
];

/// The most attempts at making a failing sequence shorter.
const MAX_SHRINKS: u32 = 400;

async fn model_reads_and_writes_answer_as_the_model(cx: &Context) -> Verdict {
    sequences(cx, 1..120, operation::data).await
}

async fn model_all_operations_answer_as_the_model(cx: &Context) -> Verdict {
    sequences(cx, 1..60, operation::everything).await
}

/// Tries as many sequences as the context says, each from a seed of its own.
async fn sequences(
    cx: &Context,
    length: std::ops::Range<usize>,
    draw: fn(&Capabilities, u16) -> BoxedStrategy<Operation>,
) -> Verdict {
    // Where a batch is atomic within a group only, one group holds all.
    let groups = if cx.capabilities.scope == AtomicScope::Store { GROUPS } else { 1 };
    let tables = Table::all(&cx.capabilities);
    let capabilities = cx.capabilities.clone();
    let strategy = Sequential::new(
        length.into(),
        {
            let tables = tables.clone();
            move || Just(Reference::new(tables.clone()))
        },
        |model: &Reference, operation: &Operation| model.allows(operation),
        move |_: &Reference| draw(&capabilities, groups),
        |model: Reference, operation: &Operation| model.next(operation),
    );
    for sequence in 0..cx.cases {
        let seed = if sequence == 0 { cx.seed } else { mix(cx.seed ^ mix(u64::from(sequence))) };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
        let mut tree = strategy.new_tree(&mut runner).map_err(|e| Failure::new(e.to_string()))?;
        let drawn = tree.current();
        if let Err(failure) = play(cx, &drawn, groups).await {
            return Err(shrink(cx, &mut tree, groups, (drawn.1, failure))
                .await
                .and(&format!("this sequence alone: STATEHOLD_SEED={seed} STATEHOLD_CASES=1")));
        }
    }
    Ok(())
}

/// A sequence as it is drawn: the model at its begin, the operations, and how many were done.
type Drawn = (Reference, Vec<Operation>, Option<std::sync::Arc<std::sync::atomic::AtomicUsize>>);

/// Makes the failing sequence of `tree` as short as it gets.
async fn shrink(
    cx: &Context,
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
        goes_on = match play(cx, &drawn, groups).await {
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

/// Plays one sequence on a fresh site.
async fn play(cx: &Context, (model, operations, done): &Drawn, groups: u16) -> Verdict {
    let there = cx.elsewhere()?;
    let mut model = model.clone();
    let mut driver = Driver::new(&there, &model.tables, groups).await?;
    for (i, operation) in operations.iter().enumerate() {
        if let Some(done) = done {
            done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        let after = model.clone().next(operation);
        let stepped = driver.step(operation, &model, &after).await;
        stepped.map_err(|failure| failure.and(&format!("at step {i}: {operation:?}")))?;
        model = after;
    }
    driver.finish(&model).await
}
