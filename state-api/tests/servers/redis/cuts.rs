//! What a cut kept is gone when nobody reads it any more, whatever happened meanwhile.

use statehold::testing::servers::RedisServer;

use super::{
    admin,
    support::{open, options, server},
};
use crate::{
    proxy::{Cut, Proxy},
    server::Server,
    support::Log,
};

/// What the server keeps for cuts.
fn kept(server: &RedisServer) -> Vec<String> {
    redis::cmd("KEYS").arg("sh:{1}[uvwyz]*").query(&mut admin(server)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_9_a_cut_that_was_dropped_while_the_server_was_away_is_closed_later() {
    let mut server = server();
    let log = Log::of(open(options(&server.url()).with("timeout_ms", 1_000)).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    let snapshot = log.store.snapshot().await.unwrap();
    log.append(2).await.unwrap();
    assert!(!kept(&server).is_empty());
    server.stop().unwrap();
    drop(snapshot);
    // As long as a request is tried again; the cut's closing was given up as well.
    for _ in 0..2 {
        log.numbers().await.unwrap_err();
    }
    server.restart().unwrap();
    log.store.compact().await.unwrap();
    assert_eq!(kept(&server), [""; 0]);
    log.append(3).await.unwrap();
    assert_eq!(kept(&server), [""; 0], "a commit keeps what it replaces for a cut that nobody reads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_9_a_cut_whose_closing_was_cut_off_leaves_nothing() {
    let server = Server::redis();
    let proxy = Proxy::to(&server).await;
    let log = Log::of(open(server.options_at(proxy.address.port())).await.unwrap()).await.unwrap();
    let Server::Redis(server) = &server else { unreachable!() };
    log.append(1).await.unwrap();
    for (number, cut) in (2..).zip([Cut::BeforeReply, Cut::MidReply, Cut::AfterRequest, Cut::MidRequest]) {
        let snapshot = log.store.snapshot().await.unwrap();
        log.append(number).await.unwrap();
        assert!(!kept(server).is_empty());
        proxy.cut(cut);
        drop(snapshot);
        while !proxy.has_cut() {
            tokio::task::yield_now().await;
        }
        log.store.compact().await.unwrap();
        assert_eq!(kept(server), [""; 0], "{cut:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_2_a_cut_stays_what_it_was_when_a_later_one_is_closed_before_it() {
    let server = server();
    let log = Log::of(open(options(&server.url())).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    let older = log.store.snapshot().await.unwrap();
    let later = log.store.snapshot().await.unwrap();
    log.append(2).await.unwrap();
    drop(later);
    // Behind it the later cut is closed.
    log.store.compact().await.unwrap();
    log.append(3).await.unwrap();
    assert_eq!(log.numbers_in(&*older).await.unwrap(), [1]);
    drop(older);
    log.store.compact().await.unwrap();
    assert_eq!(kept(&server), [""; 0]);
}
