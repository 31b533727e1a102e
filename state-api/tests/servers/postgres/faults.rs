//! What a Postgres does under pressure: locks, deadlocks, no connection left.

use sqlx::{Connection, Executor, PgConnection, query_scalar};
use statehold::{ErrorKind, testing::servers::PostgresServer};

use super::support::{admin, open, options};
use crate::support::Log;

/// Every commit locks one of these.
const LOCK: &str = "SELECT 1 FROM statehold.stripes FOR UPDATE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_3_a_commit_that_the_server_gives_up_is_late_and_not_in() {
    let server = PostgresServer::start().unwrap();
    let log = Log::of(open(options(&server.url()).with("timeout_ms", 1_000)).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    let mut admin = admin(&server).await;
    admin.execute("BEGIN").await.unwrap();
    sqlx::raw_sql(LOCK).execute(&mut admin).await.unwrap();
    let error = log.append(2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.advice().is_some(), "{error}");
    // Readers wait for nobody.
    assert_eq!(log.numbers().await.unwrap(), [1]);
    admin.execute("ROLLBACK").await.unwrap();
    assert!(!log.append(2).await.unwrap().duplicate, "a statement that timed out was applied");
    assert_eq!(log.numbers().await.unwrap(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_a_deadlock_is_tried_again_and_the_commit_is_in_once() {
    let server = PostgresServer::start().unwrap();
    // One session, so that the second commit is not its first: that one reads what the markers' table is like before
    // it locks anything, and waits there.
    let store = open(options(&server.url()).with("pool", 1)).await.unwrap();
    let log = Log::in_group(store, 0).await.unwrap();
    log.append(1).await.unwrap();
    let (mut one, mut watcher) = (admin(&server).await, admin(&server).await);
    // Whoever finds the deadlock first is its victim: most likely the commit.
    one.execute("SET deadlock_timeout = '20s'").await.unwrap();
    one.execute("BEGIN").await.unwrap();
    // A commit locks its group first and its writer's marker afterwards; this goes the other way round.
    one.execute("LOCK TABLE statehold.markers IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let committing = {
        let log = log.clone();
        tokio::spawn(async move { log.append(2).await })
    };
    let waits =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'statehold' AND wait_event_type = 'Lock'";
    while query_scalar::<_, i64>(waits).fetch_one(&mut watcher).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    let locked = sqlx::raw_sql(LOCK).execute(&mut one).await;
    let victim = if locked.is_ok() { "the commit" } else { "the other" };
    one.execute("ROLLBACK").await.unwrap();
    assert!(!committing.await.unwrap().unwrap().duplicate);
    assert_eq!(log.numbers().await.unwrap(), [1, 2], "{victim} was the victim");
    one.close().await.unwrap();
    let deadlocks = "SELECT sum(deadlocks)::int8 FROM pg_stat_database";
    while query_scalar::<_, i64>(deadlocks).fetch_one(&mut watcher).await.unwrap() == 0 {
        // The server counts a moment later.
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_3_a_store_without_a_connection_says_so_and_goes_on_when_there_is_one() {
    let server = PostgresServer::builder().setting("max_connections", "8").start().unwrap();
    let short = options(&server.url()).with("timeout_ms", 1000);
    let log = Log::of(open(short).await.unwrap()).await.unwrap();
    let mut mine = admin(&server).await;
    log.append(1).await.unwrap();
    // The store's own connections end too, and others take their places.
    let others = take_all(&server, &mut mine).await;
    // The first finds its connection broken; from then on there is none to be had.
    let error = loop {
        match log.append(2).await.unwrap_err() {
            error if error.kind() == ErrorKind::Indeterminate => {}
            error => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(error.advice().is_some_and(|advice| advice.contains("max_connections")), "{error}");
    drop(others);
    log.append_surely_after_unknown(2).await;
    assert_eq!(log.numbers().await.unwrap(), [1, 2]);
}

/// Ends the store's sessions and holds every connection that the server gives.
async fn take_all(server: &PostgresServer, mine: &mut PgConnection) -> Vec<PgConnection> {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'statehold'";
    mine.execute(end).await.unwrap();
    let mut others = Vec::new();
    loop {
        while let Ok(other) = PgConnection::connect(&server.url()).await {
            others.push(other);
        }
        let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'statehold'";
        if query_scalar::<_, i64>(left).fetch_one(&mut *mine).await.unwrap() == 0 && others.len() >= 7 {
            return others;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_a_closed_store_leaves_no_connection() {
    let server = PostgresServer::start().unwrap();
    let mut admin = admin(&server).await;
    let log = Log::of(open(options(&server.url())).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    let snapshot = log.store.snapshot().await.unwrap();
    log.store.close().await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'statehold'";
    // The server notices the end of a session a moment after it was told.
    while query_scalar::<_, i64>(sql).fetch_one(&mut admin).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(snapshot.states().await.unwrap_err().kind(), ErrorKind::Unavailable);
}
