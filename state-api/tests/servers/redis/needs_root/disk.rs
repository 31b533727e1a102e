//! A disk that is full under the append-only file.

use statehold::{
    ErrorKind,
    core::{Durability, Model, Ownership},
    testing::servers::{RedisServer, SmallDisk},
};

use super::super::support::{commit, open, open_as, options, put, register, server_with, value};

/// A server whose data lie on a disk of their own.
fn on_small_disk(sync: &str) -> (SmallDisk, RedisServer) {
    let disk = SmallDisk::mount(8).expect("root mounts a tmpfs");
    let dir = disk.path().display().to_string();
    let server = server_with(|s| s.setting("dir", &dir).setting("appendfsync", sync));
    (disk, server)
}

/// Puts values of 64 KiB until one is refused; how many were taken, and the refusal.
async fn put_until_full(
    store: &dyn statehold::core::Store,
    state: statehold::core::StateId,
) -> (u64, statehold::Error) {
    let large = "x".repeat(64 << 10);
    for number in 0.. {
        if let Err(error) = commit(store, number + 1, put(state, &format!("key{number}"), &large)).await {
            return (number, error);
        }
    }
    unreachable!("the disk is never full")
}

/// With `everysec` the server stays and refuses; what it had acknowledged it still writes once there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_3_a_full_disk_refuses_writes_and_takes_them_when_there_is_room() {
    let (disk, mut server) = on_small_disk("everysec");
    let store = open_as(options(&server.url()), Durability::Visible, Ownership::Exclusive).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    let ballast = disk.fill(1 << 20).unwrap();
    let (taken, error) = put_until_full(&*store, state).await;
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("disk")), "{error}");
    assert!(taken > 0, "nothing was taken before the disk was full");
    assert_eq!(value(&*store, state, &format!("key{taken}")).await, None, "what was refused is there");
    assert!(value(&*store, state, "key0").await.is_some(), "reads go on");
    drop(ballast);
    // The server looks once a second whether it can write again.
    while let Err(error) = commit(&*store, taken + 1, put(state, &format!("key{taken}"), "late")).await {
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    }
    store.close().await.unwrap();
    server.stop().unwrap();
    server.restart().unwrap();
    let store = open_as(options(&server.url()), Durability::Visible, Ownership::Exclusive).await.unwrap();
    assert_eq!(value(&*store, state, &format!("key{taken}")).await.as_deref(), Some("late"));
    for number in 0..taken {
        assert!(value(&*store, state, &format!("key{number}")).await.is_some(), "key{number} was acknowledged");
    }
}

/// With `always` the server ends rather than acknowledge what it could not write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_3_a_server_that_a_full_disk_ended_has_all_that_it_acknowledged() {
    let (disk, mut server) = on_small_disk("always");
    let store = open(options(&server.url())).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    let ballast = disk.fill(1 << 20).unwrap();
    let (taken, error) = put_until_full(&*store, state).await;
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    let again = async || commit(&*store, taken + 1, put(state, &format!("key{taken}"), "again")).await;
    let error = again().await.unwrap_err();
    assert!(error.is_retryable() && error.advice().is_some(), "{error}");
    drop(ballast);
    server.kill().unwrap();
    server.restart().unwrap();
    // Whether it was in or not, under its marker it is in once.
    while let Err(error) = again().await {
        assert!(error.is_retryable(), "{error}");
    }
    for number in 0..=taken {
        assert!(value(&*store, state, &format!("key{number}")).await.is_some(), "key{number} was acknowledged");
    }
}
