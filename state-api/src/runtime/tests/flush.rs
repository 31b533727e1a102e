use std::sync::Arc;

use futures::{FutureExt as _, poll};
use statehold_core::{
    Address, Batch, Cell, Envelope, ErrorKind, Marker, Mutation, Reads as _, WriterId, staged::Layers as _,
};
use tokio::pin;

use super::{at, cached_state, cell, runtime, runtime_on, state};
use crate::testing::{Fault, FaultBackend};

#[tokio::test]
async fn own_7_the_cache_follows_a_write_before_the_records_stripe_moves() {
    // Otherwise an update that saw the stripe moved, but the old value in the cache, would undo the write.
    const WRITES: u64 = 200_000;
    let (runtime, _) = runtime(1 << 20).await;
    let state = Arc::new(cached_state(&runtime, "a", 1 << 20).await);
    let here = at(state.id, "k");
    let before = runtime.stripe(&here).1;
    let (looking, key) = (state.clone(), here.clone());
    let look = std::thread::spawn(move || {
        let mut moved = 0;
        while moved < WRITES {
            moved = looking.runtime.stripe(&key).1 - before;
            let held = looking.cached("k").map_or(0, |hit| {
                let payload = hit.unwrap().payload;
                u64::from_le_bytes(payload[..].try_into().unwrap())
            });
            assert!(held >= moved, "write {moved} has moved the stripe, and the cache has {held}");
        }
    });
    for n in 1..=WRITES {
        let value = [&[0; Envelope::BYTES][..], &n.to_le_bytes()].concat();
        state.set(here.clone(), Some(Cell::new(value))).finish().await.unwrap();
    }
    look.join().unwrap();
}

#[tokio::test]
async fn own_7_a_cache_that_is_emptied_gives_its_memory_back_and_goes_on() {
    let (runtime, _) = runtime(1 << 20).await;
    let state = cached_state(&runtime, "a", 1 << 20).await;
    for round in 0..2 {
        state.set(at(state.id, "k"), Some(cell("12345value"))).finish().await.unwrap();
        let held = state.cached("k").map(|hit| hit.unwrap().payload);
        assert_eq!(held.as_deref(), Some(&b"value"[..]), "round {round}");
        assert!(state.cache_bytes() > 0);
        state.empty_cache();
        assert_eq!(state.cache_bytes(), 0);
        assert!(state.cached("k").is_none());
    }
}

#[tokio::test]
async fn own_7_a_commit_past_the_buffer_is_uncached_before_its_stripe_moves_and_before_it_happens() {
    // Otherwise somebody could read the new value, and the old one after it.
    let (runtime, _) = runtime(4096).await;
    let state = state(&runtime, "a").await;
    let here = at(state.id, "k");
    let before = runtime.stripe(&here).1;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (other, place, saw) = (runtime.clone(), here.clone(), seen.clone());
    let uncache = move |at: &Address| {
        let found = other.store.get(at).finish().now_or_never().unwrap().unwrap();
        saw.lock().unwrap().push((at == &place, other.stripe(at).1, found));
    };
    let batch = Batch { mutations: vec![Mutation::Put(here.clone(), cell("v"))], ..Batch::default() };
    runtime.commit_in_order(batch, || Ok(()), uncache).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [(true, before, None)]);
    assert_ne!(runtime.stripe(&here).1, before);
}

#[tokio::test]
async fn batch_1_a_commit_past_the_buffer_is_noticed_by_those_who_read_staged_and_committed_rows() {
    // Else a reader could take one record from before it, staged still, and another from after it.
    let (runtime, _) = runtime(4096).await;
    let state = state(&runtime, "a").await;
    let seals = || runtime.buffer.as_ref().unwrap().seals();
    let before = seals();
    let batch = Batch { mutations: vec![Mutation::Put(at(state.id, "k"), cell("v"))], ..Batch::default() };
    runtime.commit_in_order(batch, || Ok(()), |_| ()).await.unwrap();
    assert_ne!(seals(), before);
}

#[tokio::test]
async fn life_5_a_writer_who_waited_at_the_gate_stages_nothing_for_content_that_is_gone() {
    // What was staged for a state that is gone could never be flushed, nor anything behind it.
    let (runtime, _) = runtime(4096).await;
    let (old, other) = (state(&runtime, "old").await, state(&runtime, "other").await);
    let closed = runtime.close_gate().await;
    let writing = old.set(at(old.id, "k"), Some(cell("v"))).finish();
    pin!(writing);
    assert!(poll!(&mut writing).is_pending());
    old.mark_dropped();
    runtime.store.drop_state(old.id).await.unwrap();
    drop(closed);
    assert_eq!(writing.await.unwrap_err().kind(), ErrorKind::Fenced);
    other.set(at(other.id, "k"), Some(cell("v"))).finish().await.unwrap();
    runtime.flush().await.unwrap();
}

#[tokio::test]
async fn life_5_a_marker_that_waited_at_the_gate_is_not_committed_into_content_that_replaced_its_own() {
    // It names no state: the new content would take it, and its reader would skip what the old one had read.
    let (runtime, _) = runtime(4096).await;
    let closed = runtime.close_gate().await;
    let (other, epoch) = (runtime.clone(), runtime.epoch());
    let check =
        move || if other.epoch() == epoch { Ok(()) } else { Err(statehold_core::Error::fenced("another content")) };
    let marker = Marker { writer: WriterId(7), sequence: 1, position: None };
    let batch = Batch { marker: Some(marker), ..Batch::default() };
    let committing = runtime.commit_in_order(batch, check, |_| ());
    pin!(committing);
    assert!(poll!(&mut committing).is_pending());
    runtime.replaced();
    drop(closed);
    assert_eq!(committing.await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(runtime.store.last_marker(WriterId(7)).await.unwrap(), None);
}

#[tokio::test]
async fn own_7_nobody_caches_what_a_recovery_may_replace() {
    let (runtime, _) = runtime(1 << 20).await;
    let state = cached_state(&runtime, "a", 1 << 20).await;
    let here = at(state.id, "k");
    let sealed = Envelope::of_state("a").seal(0, b"k", b"", None, b"value");
    state.set(here.clone(), Some(Cell::new(sealed))).finish().await.unwrap();
    runtime.flush().await.unwrap();
    let is_cached_when_read = async || {
        state.empty_cache();
        state.load(&here).finish().await.unwrap().unwrap();
        state.cached("k").is_some()
    };
    let unsettled = runtime.unsettle_all().unwrap();
    assert!(!is_cached_when_read().await);
    unsettled.settle();
    assert!(is_cached_when_read().await);
    // A handle of before has no use for it, and nobody counts what it keeps.
    let _unsettled = runtime.unsettle_all();
    runtime.replaced();
    assert!(!is_cached_when_read().await);
    let state = cached_state(&runtime, "a", 1 << 20).await;
    state.load(&here).finish().await.unwrap().unwrap();
    assert!(state.cached("k").is_some());
}

#[tokio::test]
async fn life_5_nobody_waits_for_a_flush_of_what_recover_has_thrown_away() {
    let (runtime, _) = runtime(1 << 20).await;
    let state = state(&runtime, "a").await;
    state.set(at(state.id, "k"), Some(cell("v"))).finish().await.unwrap();
    let flushing = runtime.flush();
    pin!(flushing);
    assert!(poll!(&mut flushing).is_pending());
    runtime.replaced();
    flushing.await.unwrap();
    assert_eq!(runtime.reader().get(&at(state.id, "k")).finish().await.unwrap(), None);
}

#[tokio::test]
async fn life_5_a_flush_that_recover_overtook_fails_nobody_who_writes_the_new_content() {
    let (runtime, switch) = runtime(1 << 20).await;
    let old = state(&runtime, "old").await;
    old.set(at(old.id, "k"), Some(cell("v"))).finish().await.unwrap();
    let late = switch.delay().await;
    let overtaken = runtime.flush();
    pin!(overtaken);
    assert!(poll!(&mut overtaken).is_pending());
    // Until the flusher is at the commit, which is late.
    while runtime.buffer.as_ref().unwrap().committing().now_or_never().is_some() {
        tokio::task::yield_now().await;
    }
    runtime.store.drop_state(old.id).await.unwrap();
    runtime.replaced();
    let new = state(&runtime, "new").await;
    new.set(at(new.id, "k"), Some(cell("v"))).finish().await.unwrap();
    let flushing = runtime.flush();
    pin!(flushing);
    assert!(poll!(&mut flushing).is_pending());
    drop(late);
    overtaken.await.unwrap();
    flushing.await.unwrap();
}

#[tokio::test]
async fn batch_4_a_flush_whose_answer_was_lost_is_resolved_under_its_marker() {
    let (runtime, switch) = runtime(4096).await;
    let state = state(&runtime, "a").await;
    state.set(at(state.id, "k"), Some(cell("v"))).finish().await.unwrap();
    switch.fail_commit(0, Fault::AnswerLost);
    runtime.flush().await.unwrap();
    let marker = runtime.store.last_marker(runtime.writer).await.unwrap();
    assert_eq!(marker, Some((1, None)));
}

#[tokio::test]
async fn own_3_a_failed_flush_fails_those_who_wait_for_it_and_only_them() {
    let (runtime, switch) = runtime(4096).await;
    let state = state(&runtime, "a").await;
    let put = |n: u32| state.set(at(state.id, &n.to_string()), Some(cell("value")));
    put(0).finish().await.unwrap();
    switch.fail_commit(0, Fault::Lost(ErrorKind::ResourceExhausted));
    assert_eq!(runtime.flush().await.unwrap_err().kind(), ErrorKind::ResourceExhausted);
    assert_eq!(runtime.staged().1, 1);
    // The engine is well again: no writer hears of a failure that is over.
    for n in 0..1_000 {
        put(n).finish().await.unwrap();
    }
    runtime.flush().await.unwrap();
    assert_eq!(runtime.staged(), (0, 0));
}

#[tokio::test]
async fn own_3_a_writer_without_room_gets_the_reason_instead_of_waiting_for_ever() {
    let (runtime, switch) = runtime(4096).await;
    let state = state(&runtime, "a").await;
    for _ in 0..10_000 {
        switch.fail_commit(0, Fault::Lost(ErrorKind::ResourceExhausted));
    }
    let mut staged = 0;
    let error = loop {
        match state.set(at(state.id, &staged.to_string()), Some(cell("value"))).finish().await {
            Ok(()) => staged += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(error.advice().unwrap().contains("nothing is lost"), "{error}");
    assert_eq!(runtime.staged().1, staged);
    switch.mend();
    runtime.flush().await.unwrap();
    let read = runtime.store.get(&at(state.id, "0")).finish().await.unwrap();
    assert_eq!(read.map(|c| c.value), Some("value".into()));
}

#[tokio::test]
async fn name_2_a_change_that_no_batch_could_hold_is_refused_and_the_buffer_goes_on() {
    let (runtime, _) = runtime(4096).await;
    let state = state(&runtime, "a").await;
    let limit = runtime.store.limits().batch;
    let refused = state.stage(&[], limit + 1, |_| panic!("not to be staged")).finish().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    assert!(state.stage(&[], limit, |stage| stage.set(at(state.id, "k"), Some(cell("v")))).finish().await.unwrap());
    runtime.flush().await.unwrap();
}

#[tokio::test]
async fn own_3_a_backend_that_panics_is_an_internal_error_to_those_who_wait() {
    let (runtime, switch) = runtime(4096).await;
    let state = state(&runtime, "a").await;
    state.set(at(state.id, "k"), Some(cell("v"))).finish().await.unwrap();
    switch.fail_commit(0, Fault::Panic);
    assert_eq!(runtime.flush().await.unwrap_err().kind(), ErrorKind::Internal);
    runtime.flush().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_10_what_a_close_calls_lost_is_never_committed_after_all() {
    for _ in 0..100 {
        // Its own: the markers of another round's writer would make this one's commit a repetition.
        let (backend, switch) = FaultBackend::new(std::sync::Arc::new(statehold_memory::MemoryBackend::new()));
        let runtime = runtime_on(&backend, 1 << 20).await;
        let kv = state(&runtime, "a").await;
        kv.set(at(kv.id, "k"), Some(cell("v"))).finish().await.unwrap();
        switch.fail_commit(0, Fault::Lost(ErrorKind::ResourceExhausted));
        let held = runtime.buffer.as_ref().unwrap().committing().await;
        let closing = tokio::spawn({
            let runtime = runtime.clone();
            async move { runtime.close().await }
        });
        // The flusher is at its commit by then, and will try again at once.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        runtime.wake.notify_one();
        drop(held);
        let closed = closing.await.unwrap();
        // Its second try has ended, if it makes one.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let again = runtime_on(&backend, 0).await;
        let kv = state(&again, "a").await;
        let found = again.store.get(&at(kv.id, "k")).finish().await.unwrap();
        assert_eq!(found.is_some(), closed.is_ok(), "{closed:?}");
        again.close().await.unwrap();
    }
}
