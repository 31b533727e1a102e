//! Servers that are killed, paused, full: what was acknowledged stays, what is unknown is told as such.

use statehold_core::{ErrorKind, Model, Store};

use crate::support::{WRITER, append, commit, numbers, open, options, put, register, server, server_with, value};

/// Sends a numbered append until it is known to be in, as BATCH-4 says.
async fn append_surely(store: &dyn Store, state: statehold_core::StateId, number: u64) {
    loop {
        match commit(store, number, append(state, number)).await {
            Ok(_) => return,
            Err(error) if error.is_retryable() => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_4_through_kills_of_the_server_every_append_is_in_exactly_once() {
    let mut server = server();
    let store = open(options(&server.url())).await.unwrap();
    let state = register(&*store, Model::List).await;
    let (sender, mut progress) = tokio::sync::mpsc::unbounded_channel();
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 1..=600 {
                append_surely(&*store, state, number).await;
                let _ = sender.send(number);
            }
        })
    };
    for kill in 1..=4 {
        // In the middle of the load, wherever that is.
        while progress.recv().await.is_some_and(|number| number < kill * 100) {}
        server.kill().unwrap();
        server.restart().unwrap();
    }
    writing.await.unwrap();
    assert_eq!(numbers(&*store, state).await, (1..=600).collect::<Vec<_>>());
    assert_eq!(store.last_marker(WRITER).await.unwrap(), Some((600, None)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_4_a_commit_that_timed_out_is_indeterminate_and_resolved_by_its_marker() {
    let server = server();
    let store = open(options(&server.url()).with("timeout_ms", 200)).await.unwrap();
    let state = register(&*store, Model::List).await;
    commit(&*store, 1, append(state, 1)).await.unwrap();
    server.pause();
    let error = commit(&*store, 2, append(state, 2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("marker")), "{error}");
    server.resume();
    append_surely(&*store, state, 2).await;
    assert_eq!(numbers(&*store, state).await, [1, 2]);
}

#[tokio::test]
async fn own_5_a_server_that_restarts_is_reconnected_to() {
    let mut server = server();
    let store = open(options(&server.url())).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    commit(&*store, 1, put(state, "key", "value")).await.unwrap();
    server.stop().unwrap();
    let error = store.get(&crate::support::at(state, "key")).finish().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    server.restart().unwrap();
    assert_eq!(value(&*store, state, "key").await.as_deref(), Some("value"));
}

#[tokio::test]
async fn a_full_server_refuses_and_keeps_what_it_has() {
    let server = server_with(|s| s.setting("maxmemory", "8mb"));
    let store = open(options(&server.url())).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    let large = "x".repeat(100_000);
    let mut stored = 0;
    let error = loop {
        match commit(&*store, stored + 1, put(state, &format!("key{stored}"), &large)).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(stored > 10, "{stored}");
    assert_eq!(value(&*store, state, "key0").await, Some(large));
    assert_eq!(value(&*store, state, &format!("key{stored}")).await, None);
}

#[tokio::test]
async fn a_server_that_became_a_replica_refuses_and_nothing_is_written() {
    let server = server();
    let store = open(options(&server.url()).with("timeout_ms", 300)).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    server.command("REPLICAOF 127.0.0.1 1").unwrap();
    let error = commit(&*store, 1, put(state, "key", "value")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("replica"), "{error}");
}

#[tokio::test]
async fn a_server_that_was_flushed_is_fenced() {
    let server = server();
    let store = open(options(&server.url())).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    server.command("FLUSHALL").unwrap();
    let error = commit(&*store, 1, put(state, "key", "value")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    let error = store.get(&crate::support::at(state, "key")).finish().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
}
