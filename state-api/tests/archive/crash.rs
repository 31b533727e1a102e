//! Contract LIFE-2 and OWN-2: an error, a crash or a dropped future in the middle leaves the
//! checkpoint whole or absent, and its id free.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use object_store::ObjectStore;
use statehold::archive::Select;
use statehold_core::ErrorKind;

use crate::{
    shelf::counts,
    support::{archive_on, checkpoint, groups, id, ids, objects, recover},
    unruly::{Fate, Unruly},
};

#[tokio::test]
async fn life_2_dropped_at_any_await_a_checkpoint_is_whole_or_absent() {
    let mut polls = 0;
    loop {
        let inner = objects();
        let slow: Arc<dyn ObjectStore> = Unruly::slow(inner.clone());
        let archive = archive_on(&slow).await.unwrap();
        let claim = archive.claim(groups(), "test", None).await.unwrap();
        checkpoint(&archive, &claim, 1, &counts(1)).await.unwrap();
        let shelf = counts(5);
        let mut done = false;
        {
            let mut write = pin!(checkpoint(&archive, &claim, 2, &shelf));
            for _ in 0..polls {
                done = done || poll_once(write.as_mut()).is_ready();
                // What was woken meanwhile is told when the runtime has its turn.
                tokio::task::yield_now().await;
            }
        }
        let seen = ids(&archive_on(&inner).await.unwrap()).await;
        assert!(seen == [1, 2] || (seen == [1] && !done), "after {polls} polls: {seen:?}");
        if seen == [1] {
            checkpoint(&archive, &claim, 2, &shelf).await.unwrap();
        } else {
            assert_eq!(checkpoint(&archive, &claim, 2, &shelf).await.unwrap_err().kind(), ErrorKind::Conflict);
        }
        archive.verify(id(2)).await.unwrap();
        if done {
            break;
        }
        polls += 1;
    }
    assert!(polls > 10, "the loop has met every await");
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn life_2_whichever_put_is_lost_the_checkpoint_is_absent_and_can_be_tried_again() {
    for lost in 0..2 {
        let inner = objects();
        let first = archive_on(&inner).await.unwrap();
        let claim = first.claim(groups(), "test", None).await.unwrap();
        let puts = AtomicUsize::new(0);
        // Which put is lost: the object, or the record with every repetition.
        let plan = move |_: &_| match puts.fetch_add(1, Ordering::SeqCst) >= lost {
            true => Fate::Lost,
            false => Fate::Done,
        };
        let unruly: Arc<dyn ObjectStore> = Unruly::new(inner, plan);
        let archive = archive_on(&unruly).await.unwrap();
        let error = checkpoint(&archive, &claim, 1, &counts(5)).await.unwrap_err();
        let expected = [ErrorKind::Unavailable, ErrorKind::Indeterminate][lost];
        assert_eq!(error.kind(), expected, "{error}");
        assert!(error.is_retryable() && error.advice().is_some());
        assert_eq!(ids(&archive).await, [0_u64; 0]);
        checkpoint(&first, &claim, 1, &counts(5)).await.unwrap();
        first.verify(id(1)).await.unwrap();
    }
}

#[tokio::test]
async fn life_2_puts_that_were_reported_lost_and_were_not_are_done() {
    let unruly: Arc<dyn ObjectStore> = Unruly::new(objects(), |_| Fate::Unreported);
    let archive = archive_on(&unruly).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    assert_eq!(claim.epoch(), 1);
    let info = checkpoint(&archive, &claim, 1, &counts(5)).await.unwrap();
    assert_eq!(info.summary.record, 2, "each append made one record");
    let shelf = counts(0);
    recover(&archive, Select::Latest, &shelf).await.unwrap();
    assert_eq!(shelf.content(), counts(5).content());
}

#[tokio::test]
async fn life_2_an_object_that_is_stored_wrongly_is_noticed_at_once() {
    let plan = |path: &object_store::path::Path| match path.as_ref().contains("objects/") {
        true => Fate::Garbled,
        false => Fate::Done,
    };
    let unruly: Arc<dyn ObjectStore> = Unruly::new(objects(), plan);
    let archive = archive_on(&unruly).await.unwrap();
    let claim = archive.claim(groups(), "test", None).await.unwrap();
    let error = checkpoint(&archive, &claim, 1, &counts(5)).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, Some("archive")), "{error}");
    assert_eq!(ids(&archive).await, [0_u64; 0]);
}
