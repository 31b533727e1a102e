//! What a Redis refuses while it is full, cannot save, is a replica, or was flushed.

use statehold::{ErrorKind, core::Model};

use super::support::{admin, commit, open, options, put, register, server, server_with, value};
use crate::support::Log;

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
    // With more memory the same commit goes through, as a new one.
    server.command("CONFIG SET maxmemory 100mb").unwrap();
    let again = commit(&*store, stored + 1, put(state, &format!("key{stored}"), &"x".repeat(100_000))).await.unwrap();
    assert!(!again.duplicate);
    assert!(value(&*store, state, &format!("key{stored}")).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_save_refuses_and_goes_on_when_it_can() {
    let server = server_with(|s| s.setting("save", "3600 1").setting("stop-writes-on-bgsave-error", "yes"));
    let log = Log::of(open(options(&server.url())).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    // Nobody, not even root, can put a file in place of a folder that holds something.
    let in_the_way = server.folder().join("dump.rdb");
    std::fs::create_dir_all(in_the_way.join("something")).unwrap();
    save(&server, "err");
    let error = log.append(2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("disk")), "{error}");
    assert_eq!(log.numbers().await.unwrap(), [1]);
    std::fs::remove_dir_all(&in_the_way).unwrap();
    save(&server, "ok");
    assert!(!log.append(2).await.unwrap().duplicate);
    assert_eq!(log.numbers().await.unwrap(), [1, 2]);
}

/// Lets the server save its data, which ends as expected.
fn save(server: &statehold::testing::servers::RedisServer, outcome: &str) {
    redis::cmd("BGSAVE").exec(&mut admin(server)).unwrap();
    let ended = format!("rdb_last_bgsave_status:{outcome}");
    while !super::info(server, "persistence").contains(&ended) {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_server_that_became_a_replica_refuses_and_nothing_is_written() {
    let server = server();
    let store = open(options(&server.url()).with("timeout_ms", 1_000)).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    server.command("REPLICAOF 127.0.0.1 1").unwrap();
    let error = commit(&*store, 1, put(state, "key", "value")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("replica"), "{error}");
    server.command("REPLICAOF NO ONE").unwrap();
    assert!(!commit(&*store, 1, put(state, "key", "value")).await.unwrap().duplicate);
    assert_eq!(value(&*store, state, "key").await.as_deref(), Some("value"));
}

#[tokio::test]
async fn a_server_that_was_flushed_is_fenced() {
    let server = server();
    let store = open(options(&server.url())).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    server.command("FLUSHALL").unwrap();
    let error = commit(&*store, 1, put(state, "key", "value")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    let error = store.get(&super::support::at(state, "key")).finish().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
}
