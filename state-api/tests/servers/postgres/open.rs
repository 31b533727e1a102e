//! What is refused at open, in which words.

use sqlx::{Connection, Executor, PgConnection, raw_sql};
use statehold::{
    Error, ErrorKind,
    core::{Durability, Options, Ownership},
    testing::servers::PostgresServer,
};
use statehold_postgres::{Migrations, SCHEMA_VERSION};

use super::support::{admin, open, open_with, options};
use crate::support::Log;

/// Checks an error: its kind, that it says what to do, and that it keeps the password to itself.
fn check(error: &Error, kind: ErrorKind, server: &PostgresServer) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.advice().is_some(), "`{error}` does not say what to do");
    for text in [error.to_string(), format!("{error:?}"), format!("{server:?}")] {
        assert!(!text.contains(server.password()) && !text.contains("canary"), "the password is shown: {text}");
    }
}

async fn refused(options: Options) -> Error {
    open(options).await.err().expect("the store must not open")
}

#[tokio::test]
async fn own_3_a_server_that_refuses_is_told_by_its_reason() {
    let server = PostgresServer::start().unwrap();
    let url = server.url();
    let wrong_password = refused(options(&url.replace(server.password(), "canary"))).await;
    check(&wrong_password, ErrorKind::InvalidInput, &server);
    let no_database = format!("{}nowhere", url.strip_suffix("postgres").unwrap());
    check(&refused(options(&no_database)).await, ErrorKind::InvalidInput, &server);
    let free = statehold::testing::servers::folder::free_port().unwrap();
    let nobody = refused(options(&url.replace(&format!(":{}/", server.port()), &format!(":{free}/")))).await;
    check(&nobody, ErrorKind::Unavailable, &server);
    // TLS is wanted unless the descriptor says otherwise.
    let plain = refused(Options::new().with("url", url.as_str())).await;
    check(&plain, ErrorKind::Unavailable, &server);
    let store = Log::of(open(options(&server.socket_url())).await.unwrap()).await.unwrap();
    store.append(1).await.unwrap();
}

#[tokio::test]
async fn own_3_tls_is_verified_against_the_ca_that_is_given() {
    let server = PostgresServer::builder().tls(true).start().unwrap();
    let url = server.url();
    let ca = server.ca().display().to_string();
    let tls = |mode: &str| Options::new().with("url", url.as_str()).with("tls", mode);
    check(&refused(tls("verify-full")).await, ErrorKind::Unavailable, &server);
    for good in [tls("verify-full").with("tls_ca", ca.as_str()), tls("require")] {
        open(good).await.unwrap().close().await.unwrap();
    }
}

#[tokio::test]
async fn life_1_power_needs_a_server_that_syncs() {
    let server = PostgresServer::start().unwrap();
    let power = open_with(options(&server.url()), |r| r.durability = Durability::Power).await.err().unwrap();
    check(&power, ErrorKind::Unsupported, &server);
    assert!(power.to_string().contains("fsync = on") && power.to_string().contains("process"), "{power}");
    let server = PostgresServer::builder().fsync(true).start().unwrap();
    let store = open_with(options(&server.url()), |r| r.durability = Durability::Power).await.unwrap();
    assert_eq!(store.finish().await.unwrap(), Durability::Power);
}

#[tokio::test]
async fn name_5_a_foreign_or_newer_schema_is_left_alone() {
    let server = PostgresServer::start().unwrap();
    let mut admin = admin(&server).await;
    admin.execute("CREATE SCHEMA foreign_one CREATE TABLE orders (id int)").await.unwrap();
    check(&refused(options(&server.url()).with("schema", "foreign_one")).await, ErrorKind::InvalidInput, &server);
    open(options(&server.url())).await.unwrap().close().await.unwrap();
    admin.execute("UPDATE statehold.statehold_version SET version = 99").await.unwrap();
    check(&refused(options(&server.url())).await, ErrorKind::Unsupported, &server);
    let down = Migrations::new(&options(&server.url())).unwrap().down(0).await.unwrap_err();
    check(&down, ErrorKind::Unsupported, &server);
}

#[tokio::test]
async fn own_3_a_role_needs_no_more_than_the_docs_say() {
    let server = PostgresServer::start().unwrap();
    let mut admin = admin(&server).await;
    admin.execute("CREATE ROLE app LOGIN PASSWORD 'canary'").await.unwrap();
    let app = options(&server.url().replace(&format!("postgres:{}", server.password()), "app:canary"));
    check(&refused(app.clone()).await, ErrorKind::InvalidInput, &server);
    let by_hand = app.with("auto_migrate", false);
    Migrations::new(&options(&server.url())).unwrap().up().await.unwrap();
    check(&refused(by_hand.clone()).await, ErrorKind::InvalidInput, &server);
    let grants = "GRANT USAGE ON SCHEMA statehold TO app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA statehold TO app";
    raw_sql(grants).execute(&mut admin).await.unwrap();
    let log = Log::of(open(by_hand).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    log.store.compact().await.unwrap();
    log.store.drop_state(log.id).await.unwrap();
}

#[tokio::test]
async fn own_3_a_server_without_connections_says_so() {
    let server = PostgresServer::builder().setting("max_connections", "4").start().unwrap();
    let mut others = Vec::new();
    while let Ok(other) = PgConnection::connect(&server.url()).await {
        others.push(other);
    }
    check(&refused(options(&server.url())).await, ErrorKind::ResourceExhausted, &server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_1_sixteen_that_open_at_once_make_one_schema() {
    let server = PostgresServer::start().unwrap();
    let url = server.url();
    let open = |_| {
        let options = options(&url);
        tokio::spawn(async move { open_with(options, |r| r.ownership = Ownership::Shared).await })
    };
    let opening: Vec<_> = (0..16).map(open).collect();
    let mut stores = Vec::new();
    for task in opening {
        stores.push(task.await.unwrap().unwrap());
    }
    let migrations = Migrations::new(&options(&url)).unwrap();
    assert_eq!(migrations.version().await.unwrap(), SCHEMA_VERSION);
    for (i, store) in (1..).zip(stores) {
        Log::of(store).await.unwrap().append(i).await.unwrap();
    }
}

#[tokio::test]
async fn migrations_go_down_and_up_again() {
    let server = PostgresServer::start().unwrap();
    let migrations = Migrations::new(&options(&server.url())).unwrap();
    for _ in 0..2 {
        assert_eq!(migrations.version().await.unwrap(), 0);
        assert_eq!(migrations.up().await.unwrap(), 0);
        let log = Log::of(open(options(&server.url())).await.unwrap()).await.unwrap();
        log.append(1).await.unwrap();
        log.store.close().await.unwrap();
        assert_eq!(migrations.down(0).await.unwrap(), SCHEMA_VERSION);
    }
}
