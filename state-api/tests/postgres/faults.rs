//! Servers that are killed, paused, restarted; connections that are cut.

use statehold::{ErrorKind, testing::servers::PostgresServer};

use crate::{
    proxy::{Loss, Proxy},
    support::{Log, open, options},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_4_a_commit_whose_answer_is_lost_is_applied_once() {
    let server = PostgresServer::start().unwrap();
    let proxy = Proxy::to(server.port()).await;
    let url = server.url().replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.address.port()));
    let log = Log::of(open(options(&url)).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    for (number, loss, applied) in [(2, Loss::Answers, true), (3, Loss::Requests, false), (4, Loss::Answers, true)] {
        proxy.lose(loss);
        let error = log.append(number).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
        proxy.lose(Loss::Nothing);
        let again = log.append(number).await.unwrap();
        assert_eq!(again.duplicate, applied, "commit {number} with {loss:?} lost");
    }
    assert_eq!(log.numbers().await.unwrap(), [1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_1_a_killed_server_loses_nothing_acknowledged() {
    let mut server = PostgresServer::start().unwrap();
    let log = Log::of(open(options(&server.url())).await.unwrap()).await.unwrap();
    let mut last = 0;
    for round in 0..3 {
        let writing = {
            let log = Log { store: log.store.clone(), id: log.id };
            tokio::spawn(async move {
                for number in last + 1.. {
                    if let Err(e) = log.append(number).await {
                        return (number, e);
                    }
                }
                unreachable!("there are numbers enough")
            })
        };
        while log.numbers().await.unwrap_or_default().len() < (round + 1) * 40 {
            tokio::task::yield_now().await;
        }
        server.kill().unwrap();
        let (failed, error) = writing.await.unwrap();
        let kinds = [ErrorKind::Indeterminate, ErrorKind::Unavailable];
        assert!(kinds.contains(&error.kind()), "{error}");
        server.restart().unwrap();
        let before = log.numbers().await.unwrap();
        let acknowledged: Vec<u64> = (1..failed).collect();
        assert!(before.starts_with(&acknowledged), "{} of {} acknowledged", before.len(), acknowledged.len());
        // What was unknown is resolved by sending it again.
        log.append(failed).await.unwrap();
        last = failed;
        assert_eq!(log.numbers().await.unwrap(), (1..=last).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_a_paused_server_gives_unknown_commits_and_late_reads() {
    let server = PostgresServer::start().unwrap();
    let log = Log::of(open(options(&server.url()).with("timeout_ms", 400)).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    server.pause();
    assert_eq!(log.append(2).await.unwrap_err().kind(), ErrorKind::Indeterminate);
    assert_eq!(log.numbers().await.unwrap_err().kind(), ErrorKind::Timeout);
    server.resume();
    drop(log.append(2).await.unwrap());
    assert_eq!(log.numbers().await.unwrap(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_reads_wait_for_a_server_that_restarts() {
    let mut server = PostgresServer::start().unwrap();
    let log = Log::of(open(options(&server.url())).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    server.stop().unwrap();
    let reading = {
        let log = Log { store: log.store.clone(), id: log.id };
        tokio::spawn(async move { log.numbers().await })
    };
    server.restart().unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), [1]);
    // After the read has seen the break, no other connection is stale.
    log.append(2).await.unwrap();
    assert_eq!(log.numbers().await.unwrap(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_a_closed_store_leaves_no_connection() {
    let server = PostgresServer::start().unwrap();
    let mut admin = crate::support::admin(&server).await;
    let log = Log::of(open(options(&server.url())).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    let snapshot = log.store.snapshot().await.unwrap();
    log.store.close().await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'statehold'";
    // The server notices the end of a session a moment after it was told.
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut admin).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(snapshot.states().await.unwrap_err().kind(), ErrorKind::Unavailable);
}
