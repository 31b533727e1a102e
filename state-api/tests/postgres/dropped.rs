//! Futures that are dropped.

use std::task::Context;

use statehold::testing::servers::PostgresServer;

use crate::support::{Log, admin, open, options};

/// Polls `future` so often, then drops it.
fn poll_then_drop<T>(future: impl Future<Output = T>, polls: usize) {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(std::task::Waker::noop());
    for _ in 0..polls {
        if future.as_mut().poll(&mut context).is_ready() {
            return;
        }
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_2_a_thousand_dropped_futures_leave_no_open_transaction() {
    let server = PostgresServer::start().unwrap();
    let log = Log::of(open(options(&server.url()).with("pool", 3)).await.unwrap()).await.unwrap();
    for i in 0..1000u64 {
        match i % 4 {
            0 => poll_then_drop(log.append(i), 1 + i as usize % 5),
            1 => poll_then_drop(log.numbers(), 1 + i as usize % 5),
            2 => poll_then_drop(log.store.compact(), 1 + i as usize % 5),
            _ => poll_then_drop(log.store.states(), 1 + i as usize % 5),
        }
        tokio::task::yield_now().await;
    }
    // Behind everything that is still on its way.
    log.append(1_000_000).await.unwrap();
    let numbers = log.numbers().await.unwrap();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "a commit was applied twice, or out of order");
    let mut admin = admin(&server).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    assert_eq!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut admin).await.unwrap(), 0);
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'statehold'";
    assert!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut admin).await.unwrap() <= 4, "connections pile up");
    log.store.close().await.unwrap();
}
