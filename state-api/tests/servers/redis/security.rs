//! Passwords, users, TLS: refused clearly, and never shown.

use statehold::core::{Error, ErrorKind, Model, Options};

use super::support::{commit, open, options, put, register, server_with, value};

const CANARY: &str = "hunter2-the-canary";

fn hides_the_canary(error: &Error) {
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

async fn refusal(options: Options) -> Error {
    let error = open(options).await.map(drop).unwrap_err();
    hides_the_canary(&error);
    assert!(error.advice().is_some(), "{error}");
    error
}

#[tokio::test]
async fn own_4_a_wrong_password_is_refused_and_not_shown() {
    let server = server_with(|s| s.password("the-right-one"));
    let wrong = format!("redis://:{CANARY}@127.0.0.1:{}", server.port());
    assert_eq!(refusal(options(&wrong)).await.kind(), ErrorKind::InvalidInput);
    let none = format!("redis://127.0.0.1:{}", server.port());
    assert_eq!(refusal(options(&none)).await.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn own_4_a_server_that_is_not_there_does_not_show_the_password() {
    let error = refusal(options(&format!("redis://user:{CANARY}@127.0.0.1:1"))).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_user_of_the_least_rights_does_everything() {
    let rules = format!(
        "on >{CANARY} ~sh:* +hget +hmget +hgetall +hlen +hset +hdel +hincrby +hkeys +exists +lindex +llen +lrange +lset \
         +lrem +ltrim +lpop +lpush +rpush +zadd +zrem +zrange +zrangebylex +zscore +copy +sadd +spop +unlink +eval \
         +evalsha +multi +exec +info +config|get +ping +select +hello"
    );
    let server = server_with(|s| s.user("app", &rules).setting("user", "default off"));
    let store = open(options(&format!("redis://app:{CANARY}@127.0.0.1:{}", server.port()))).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    commit(&*store, 1, put(state, "key", "value")).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    commit(&*store, 2, put(state, "key", "later")).await.unwrap();
    assert_eq!(value(&*store, state, "key").await.as_deref(), Some("later"));
    assert!(snapshot.get(&super::support::at(state, "key")).finish().await.unwrap().is_some());
    store.compact().await.unwrap();
    store.drop_state(state).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn own_4_a_user_without_rights_is_told_so() {
    let server = server_with(|s| s.user("app", &format!("on >{CANARY} ~other:* +@all")));
    let error = refusal(options(&format!("redis://app:{CANARY}@127.0.0.1:{}", server.port()))).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn tls_is_verified() {
    let server = server_with(statehold::testing::servers::redis::RedisBuilder::tls);
    let url = server.url();
    assert_eq!(refusal(options(&url)).await.kind(), ErrorKind::Unavailable);
    let plain = url.replace("rediss", "redis");
    refusal(options(&plain)).await;
    let trusted = options(&url).with("ca_certificate", server.ca().display().to_string());
    let store = open(trusted).await.unwrap();
    let state = register(&*store, Model::Kv).await;
    commit(&*store, 1, put(state, "key", "value")).await.unwrap();
    assert_eq!(value(&*store, state, "key").await.as_deref(), Some("value"));
}
