use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use futures::poll;
use tokio::pin;

use super::super::gate::{Gate, To};

#[tokio::test]
async fn a_closed_gate_lets_nobody_in_and_an_opened_one_lets_those_in_who_waited() {
    let gate = Gate::default();
    let closed = gate.close().await;
    assert!(gate.try_enter(To::Commit).is_none());
    let entering = gate.enter(To::Commit);
    pin!(entering);
    assert!(poll!(&mut entering).is_pending());
    drop(closed);
    assert!(poll!(&mut entering).is_ready());
}

#[tokio::test]
async fn a_gate_that_lets_stage_keeps_commits_out_until_it_is_opened_and_can_be_closed_again() {
    let gate = Gate::default();
    let closed = gate.close().await;
    let (staging, committing) = (gate.enter(To::Stage), gate.enter(To::Commit));
    pin!(staging, committing);
    assert!(poll!(&mut staging).is_pending());
    assert!(poll!(&mut committing).is_pending());
    closed.let_stage();
    let staging = poll!(&mut staging);
    assert!(staging.is_ready());
    assert!(poll!(&mut committing).is_pending());
    drop(closed);
    let committing = poll!(&mut committing);
    assert!(committing.is_ready());
    let closing = gate.close();
    pin!(closing);
    assert!(poll!(&mut closing).is_pending());
    assert!(gate.try_enter(To::Stage).is_none());
    drop((staging, committing));
    assert!(poll!(&mut closing).is_ready());
}

#[tokio::test]
async fn closing_waits_for_those_inside_to_leave() {
    let gate = Gate::default();
    let inside = gate.try_enter(To::Commit).unwrap();
    let closing = gate.close();
    pin!(closing);
    assert!(poll!(&mut closing).is_pending());
    assert!(gate.try_enter(To::Commit).is_none(), "nobody comes in while it closes");
    drop(inside);
    assert!(poll!(&mut closing).is_ready());
}

#[tokio::test]
async fn own_2_a_closing_that_is_given_up_opens_the_gate_again() {
    let gate = Gate::default();
    let _inside = gate.try_enter(To::Commit).unwrap();
    {
        let closing = gate.close();
        pin!(closing);
        assert!(poll!(&mut closing).is_pending());
    }
    assert!(gate.try_enter(To::Commit).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_inside_while_it_is_closed_however_many_come_and_go() {
    let (gate, inside) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (gate, inside) = (gate.clone(), inside.clone());
            tokio::spawn(async move {
                for turn in 0..20_000 {
                    let _entered = gate.enter(To::Commit).await;
                    inside.fetch_add(1, SeqCst);
                    if turn % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                    inside.fetch_sub(1, SeqCst);
                }
            })
        })
        .collect();
    for _ in 0..2 {
        let (gate, inside) = (gate.clone(), inside.clone());
        let closer = tokio::spawn(async move {
            for _ in 0..2_000 {
                let _closed = gate.close().await;
                assert_eq!(inside.load(SeqCst), 0);
                tokio::task::yield_now().await;
                assert_eq!(inside.load(SeqCst), 0);
            }
        });
        closer.await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
}
