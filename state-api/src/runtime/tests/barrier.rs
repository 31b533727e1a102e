use futures::poll;
use statehold_core::{Batch, ErrorKind, Mutation, StateId};
use tokio::pin;

use super::{super::StoreRuntime, at, cell, runtime, state};
use crate::testing::Fault;

/// What the engine itself has.
async fn committed(runtime: &StoreRuntime, state: StateId, key: &str) -> bool {
    runtime.store.get(&at(state, key)).finish().await.unwrap().is_some()
}

#[tokio::test]
async fn life_2_what_is_staged_behind_a_barrier_reaches_the_engine_when_it_is_gone() {
    let (runtime, _) = runtime(1 << 20).await;
    let state = state(&runtime, "a").await;
    let put = |key: &str| state.set(at(state.id, key), Some(cell("v"))).finish();
    put("before").await.unwrap();
    let barrier = runtime.barrier().await;
    let waiting = put("behind");
    pin!(waiting);
    assert!(poll!(&mut waiting).is_pending(), "until all stores of the cut have a barrier");
    barrier.let_stage();
    assert!(poll!(&mut waiting).is_ready());
    let batch = Batch { mutations: vec![Mutation::Put(at(state.id, "past"), cell("v"))], ..Batch::default() };
    let past = runtime.commit(batch).finish();
    let finishing = runtime.finish();
    pin!(past, finishing);
    barrier.flush().await.unwrap();
    assert!(poll!(&mut past).is_pending());
    assert!(poll!(&mut finishing).is_pending());
    // Whoever reads sees it all the same.
    assert!(runtime.get(&at(state.id, "behind")).finish().await.unwrap().is_some());
    let engine = async |key| committed(&runtime, state.id, key).await;
    assert_eq!([engine("before").await, engine("behind").await, engine("past").await], [true, false, false]);
    drop(barrier);
    past.await.unwrap();
    finishing.await.unwrap();
    assert_eq!([engine("behind").await, engine("past").await], [true, true]);
}

#[tokio::test]
async fn life_2_behind_a_barrier_a_buffers_worth_is_staged_and_the_next_waits_for_its_end() {
    const BUFFER: usize = 1 << 20;
    let (runtime, _) = runtime(BUFFER).await;
    let state = state(&runtime, "a").await;
    let barrier = runtime.barrier().await;
    barrier.let_stage();
    let mut staged = 0;
    let waiting = loop {
        let mut writing = Box::pin(state.set(at(state.id, &staged.to_string()), Some(cell("v"))).finish());
        match poll!(&mut writing) {
            std::task::Poll::Ready(done) => done.unwrap(),
            std::task::Poll::Pending => break writing,
        }
        staged += 1;
    };
    let (bytes, _) = runtime.staged();
    assert!((BUFFER / 4 * 3..=BUFFER + 1024).contains(&bytes), "{bytes}");
    assert!(!committed(&runtime, state.id, "0").await);
    drop(barrier);
    waiting.await.unwrap();
    runtime.flush().await.unwrap();
    assert!(committed(&runtime, state.id, &staged.to_string()).await);
}

#[tokio::test]
async fn own_3_a_flush_that_fails_before_a_barrier_leaves_both_sides_staged_and_the_next_commits_them() {
    let (runtime, switch) = runtime(1 << 20).await;
    let state = state(&runtime, "a").await;
    let put = |key: &str| state.set(at(state.id, key), Some(cell("v"))).finish();
    put("before").await.unwrap();
    let barrier = runtime.barrier().await;
    barrier.let_stage();
    put("behind").await.unwrap();
    switch.fail_commit(0, Fault::Lost(ErrorKind::ResourceExhausted));
    assert_eq!(barrier.flush().await.unwrap_err().kind(), ErrorKind::ResourceExhausted);
    drop(barrier);
    runtime.flush().await.unwrap();
    assert!(committed(&runtime, state.id, "before").await && committed(&runtime, state.id, "behind").await);
}

#[tokio::test]
async fn own_2_a_barrier_that_is_given_up_while_it_waits_leaves_the_gate_open() {
    let (runtime, _) = runtime(1 << 20).await;
    let state = state(&runtime, "a").await;
    let closed = runtime.close_gate().await;
    {
        let dividing = runtime.barrier();
        pin!(dividing);
        assert!(poll!(&mut dividing).is_pending());
    }
    drop(closed);
    state.set(at(state.id, "k"), Some(cell("v"))).finish().await.unwrap();
    runtime.flush().await.unwrap();
    assert!(committed(&runtime, state.id, "k").await);
}
