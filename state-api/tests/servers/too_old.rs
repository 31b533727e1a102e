//! Servers of versions that the backends do not know.

use statehold::ErrorKind;

use crate::{proxy::Proxy, server::Server};

async fn refused(server: &Server, said: &'static str, by: &'static str) -> String {
    let proxy = Proxy::instead(server, said, by).await;
    let error = server.open_with(server.options_at(proxy.address.port()), |_| {}).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.advice().is_some(), "{error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_3_a_postgres_that_is_too_old_is_refused() {
    let text = refused(&Server::postgres(), "server_version\x001", "server_version\x000").await;
    assert!(text.contains("PostgreSQL 13"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_3_a_redis_that_is_too_old_is_refused() {
    let text = refused(&Server::redis(), "redis_version:7", "redis_version:6").await;
    assert!(text.contains("Redis 7.0"), "{text}");
}
