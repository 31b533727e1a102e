//! What a server must be before a store is opened on it.

use statehold::core::{Durability, ErrorKind, Model, Ownership};

use super::support::{commit, open, open_as, options, put, register, server, server_with, value};

/// What opening at `durability` is refused with.
async fn refused(url: &str, durability: Durability) -> statehold::core::Error {
    open_as(options(url), durability, Ownership::Exclusive).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn own_5_an_evicting_server_is_refused() {
    let server = server_with(|s| s.setting("maxmemory", "100mb").setting("maxmemory-policy", "allkeys-lru"));
    let error = refused(&server.url(), Durability::Visible).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("maxmemory-policy noeviction"), "{error}");
}

#[tokio::test]
async fn life_1_a_server_without_a_log_gives_visible_only() {
    let server = server_with(|s| s.setting("appendonly", "no"));
    for level in [Durability::Process, Durability::Power] {
        let error = refused(&server.url(), level).await;
        assert_eq!((error.kind(), error.subject()), (ErrorKind::Unsupported, Some("durability")));
        for part in ["appendonly yes", "visible"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    open_as(options(&server.url()), Durability::Visible, Ownership::Exclusive).await.unwrap();
}

#[tokio::test]
async fn life_1_a_log_written_every_second_is_not_enough_for_process() {
    let server = server_with(|s| s.setting("appendfsync", "everysec"));
    let error = refused(&server.url(), Durability::Process).await;
    assert!(error.to_string().contains("appendfsync always"), "{error}");
}

#[tokio::test]
async fn life_1_where_settings_are_hidden_the_descriptor_may_promise_them() {
    let rules = "on >secret ~sh:* &* +@all -@dangerous +info";
    let server = server_with(|s| s.user("hidden", rules));
    let url = options(&server.url()).with("username", "hidden").with("password", "secret");
    let error = open(url.clone()).await.map(drop).unwrap_err();
    assert_eq!((error.kind(), error.subject()), (ErrorKind::Unsupported, Some("assert_settings")), "{error}");
    open(url.with("assert_settings", true)).await.unwrap();
}

#[tokio::test]
async fn a_replica_is_read_and_not_written() {
    let server = server();
    let store = open(options(&server.url())).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    commit(&*store, 1, put(state, "key", "value")).await.unwrap();
    let replica = server_with(|s| s.replica_of(server.port()));
    let error = open(options(&replica.url())).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("replica"), "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("read-only")), "{error}");
    // A replica answers before it has everything.
    while !super::info(&replica, "replication").contains("master_link_status:up") {
        tokio::task::yield_now().await;
    }
    let reader = open_as(options(&replica.url()), Durability::Process, Ownership::ReadOnly).await.unwrap();
    assert_eq!(value(&*reader, state, "key").await.as_deref(), Some("value"));
    let error = commit(&*reader, 2, put(state, "key", "other")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[tokio::test]
async fn a_single_server_is_no_cluster() {
    let server = server();
    let error = open(options(&server.url()).with("cluster", true)).await.map(drop).unwrap_err();
    assert!(error.advice().is_some(), "{error}");
}

#[tokio::test]
async fn two_prefixes_are_two_places() {
    let server = server();
    let one = open(options(&server.url()).with("prefix", "one:")).await.unwrap();
    let other = open(options(&server.url()).with("prefix", "other:")).await.unwrap();
    let state = register(&*one, Model::Kv).await;
    commit(&*one, 1, put(state, "key", "value")).await.unwrap();
    assert_eq!(other.states().await.unwrap(), []);
    one.finish().await.unwrap();
}

#[tokio::test]
async fn name_5_a_store_of_a_newer_format_is_left_alone() {
    let server = server();
    open(options(&server.url())).await.unwrap().close().await.unwrap();
    server.command("HSET sh:{1}c format 99").unwrap();
    let error = open(options(&server.url())).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("format 99") && error.advice().is_some(), "{error}");
}

#[tokio::test]
async fn own_3_keys_of_somebody_else_under_the_prefix_are_left_alone() {
    for foreign in ["SET sh:{registry} theirs", "HSET sh:{registry} theirs 1", "RPUSH sh:{registry} theirs"] {
        let server = server();
        server.command(foreign).unwrap();
        let error = open(options(&server.url())).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{foreign}: {error}");
        assert!(error.advice().is_some_and(|advice| advice.contains("prefix")), "{foreign}: {error}");
        assert_eq!(server.command("DBSIZE").unwrap(), ":1");
    }
}
