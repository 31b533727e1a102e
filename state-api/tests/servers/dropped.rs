//! Futures that are dropped.

use std::task::Context;

use crate::{
    server::{Server, on_both},
    support::Log,
};

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

on_both! {
    async fn own_2_a_thousand_dropped_futures_leave_no_open_transaction_and_no_broken_connection(server: Server) {
        let log = Log::of(server.open_with(server.options(), |_| {}).await.unwrap()).await.unwrap();
        log.append(1).await.unwrap();
        let before = connections_made(&server);
        for i in 2..=1000u64 {
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
        nothing_is_left(&server, before).await;
        log.store.close().await.unwrap();
    }
}

fn info(server: &Server, section: &str, field: &str) -> Option<u64> {
    let Server::Redis(server) = server else { return None };
    let info = crate::redis::info(server, section);
    let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Some(value.unwrap().trim().parse().unwrap())
}

/// How many connections the server has taken so far, where it tells; this one's included.
fn connections_made(server: &Server) -> Option<u64> {
    info(server, "stats", "total_connections_received")
}

async fn nothing_is_left(server: &Server, before: Option<u64>) {
    if let Server::Postgres(server) = server {
        let mut admin = crate::postgres::admin(server).await;
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
        assert_eq!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut admin).await.unwrap(), 0);
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'statehold'";
        assert!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut admin).await.unwrap() <= 9, "connections pile up");
    }
    // The one that asks is new; all others have held.
    assert_eq!(connections_made(server), before.map(|n| n + 1), "a dropped future broke a connection");
}
