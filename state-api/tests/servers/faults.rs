//! Servers that are killed, paused, restarted: what was acknowledged stays, what is unknown is told as such.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use statehold::ErrorKind;

use crate::{server::on_both, support::Log};

on_both! {
    async fn life_1_kills_in_mid_load_lose_nothing_acknowledged_and_the_handle_goes_on(server: Server) {
        const NUMBERS: u64 = 500;
        let mut server = server;
        let log = Log::of(server.open().await.unwrap()).await.unwrap();
        let acknowledged = Arc::new(AtomicU64::new(0));
        let writing = {
            let (log, acknowledged) = (log.clone(), acknowledged.clone());
            tokio::spawn(async move {
                for number in 1..=NUMBERS {
                    log.append_surely(number).await;
                    acknowledged.store(number, Ordering::SeqCst);
                }
            })
        };
        for kill in 1..=4 {
            // In the middle of the load, wherever that is.
            while acknowledged.load(Ordering::SeqCst) < kill * 100 {
                assert!(!writing.is_finished(), "the writer ended early");
                tokio::task::yield_now().await;
            }
            server.kill();
            let before = acknowledged.load(Ordering::SeqCst);
            server.restart();
            let found = log.numbers_surely().await;
            assert!(found.len() as u64 >= before, "{} of {before} acknowledged", found.len());
            assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>());
        }
        writing.await.unwrap();
        assert_eq!(log.numbers().await.unwrap(), (1..=NUMBERS).collect::<Vec<_>>());
        assert_eq!(log.store.last_marker(Log::WRITER).await.unwrap(), Some((NUMBERS, None)));
    }

    async fn own_5_a_server_paused_beyond_the_time_out_gives_unknown_commits_and_late_reads(server: Server) {
        let options = server.options().with("timeout_ms", 1_000).with("connect_timeout_ms", 1_000);
        let log = Log::of(server.open_with(options, |_| {}).await.unwrap()).await.unwrap();
        log.append(1).await.unwrap();
        server.pause();
        let error = log.append(2).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
        assert!(error.advice().is_some_and(|advice| advice.contains("marker")), "{error}");
        let error = log.numbers().await.unwrap_err();
        assert!([ErrorKind::Timeout, ErrorKind::Unavailable].contains(&error.kind()), "{error}");
        assert!(error.advice().is_some(), "{error}");
        server.resume();
        // Whether the first or the second of them was in, it is in once.
        while let Err(error) = log.append(2).await {
            assert!(error.is_retryable(), "{error}");
        }
        log.append_surely(3).await;
        assert_eq!(log.numbers_surely().await, [1, 2, 3]);
    }

    async fn own_5_reads_wait_for_a_server_that_restarts(server: Server) {
        let mut server = server;
        let log = Log::of(server.open().await.unwrap()).await.unwrap();
        log.append(1).await.unwrap();
        server.stop();
        let reading = {
            let log = log.clone();
            tokio::spawn(async move { log.numbers().await })
        };
        server.restart();
        assert_eq!(reading.await.unwrap().unwrap(), [1]);
        // After the read has seen the break, no other connection is stale.
        log.append(2).await.unwrap();
        assert_eq!(log.numbers().await.unwrap(), [1, 2]);
    }

    async fn own_3_a_server_that_is_gone_is_unavailable_and_says_what_to_do(server: Server) {
        let mut server = server;
        let options = server.options().with("timeout_ms", 1_000);
        let log = Log::of(server.open_with(options.clone(), |_| {}).await.unwrap()).await.unwrap();
        log.append(1).await.unwrap();
        server.stop();
        for error in [log.numbers().await.unwrap_err(), server.open_with(options, |_| {}).await.err().unwrap()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.advice().is_some(), "{error}");
        }
        server.restart();
        log.append_surely(2).await;
        assert_eq!(log.numbers_surely().await, [1, 2]);
    }
}
