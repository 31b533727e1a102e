//! What a Redis refuses for a while: without clients to spare, busy, without replicas.

use statehold::ErrorKind;

use super::{
    admin,
    support::{open, options, server},
};
use crate::support::Log;

async fn log(url: &str) -> Log {
    Log::of(open(options(url).with("timeout_ms", 1_000)).await.unwrap()).await.unwrap()
}

/// The commit is refused as `kind`, advice and all, and is not in.
async fn refused(log: &Log, number: u64, kind: ErrorKind) {
    let error = log.append(number).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.advice().is_some(), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_3_a_server_without_a_client_to_spare_says_so_and_the_handle_goes_on() {
    let server = server();
    let log = log(&server.url()).await;
    log.append(1).await.unwrap();
    let mut admin = admin(&server);
    redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(1).exec(&mut admin).unwrap();
    redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut admin).unwrap();
    // The first finds its connection broken; from then on there is none to be had.
    while log.append(2).await.unwrap_err().kind() == ErrorKind::Indeterminate {}
    // The server ends the connection at once: what it says of the reason may not arrive.
    for error in [log.append(2).await.unwrap_err(), open(options(&server.url())).await.map(drop).unwrap_err()] {
        assert!([ErrorKind::ResourceExhausted, ErrorKind::Unavailable].contains(&error.kind()), "{error}");
        assert!(error.advice().is_some_and(|advice| advice.contains("maxclients")), "{error}");
    }
    redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(100).exec(&mut admin).unwrap();
    log.append_surely_after_unknown(2).await;
    assert_eq!(log.numbers().await.unwrap(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_a_server_busy_with_somebody_elses_script_is_waited_for() {
    let server = server();
    let log = log(&server.url()).await;
    log.append(1).await.unwrap();
    let mut admin = admin(&server);
    redis::cmd("CONFIG").arg("SET").arg("busy-reply-threshold").arg(1).exec(&mut admin).unwrap();
    let mut busy = super::admin(&server);
    let script = std::thread::spawn(move || {
        redis::cmd("EVAL").arg("while true do end").arg(0).exec(&mut busy).unwrap_err();
    });
    let is_busy = |admin: &mut redis::Connection| redis::cmd("PING").query::<String>(admin).is_err();
    while !is_busy(&mut admin) {}
    refused(&log, 2, ErrorKind::Unavailable).await;
    redis::cmd("SCRIPT").arg("KILL").exec(&mut admin).unwrap();
    assert!(!log.append(2).await.unwrap().duplicate);
    assert_eq!(log.numbers().await.unwrap(), [1, 2]);
    script.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_a_server_without_the_replicas_it_wants_refuses_and_writes_nothing() {
    let server = server();
    let log = log(&server.url()).await;
    log.append(1).await.unwrap();
    server.command("CONFIG SET min-replicas-to-write 1").unwrap();
    refused(&log, 2, ErrorKind::Unavailable).await;
    assert_eq!(log.numbers().await.unwrap(), [1]);
    server.command("CONFIG SET min-replicas-to-write 0").unwrap();
    assert!(!log.append(2).await.unwrap().duplicate);
    assert_eq!(log.store.last_marker(Log::WRITER).await.unwrap(), Some((2, None)));
}
