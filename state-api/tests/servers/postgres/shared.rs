//! Many owners.

use statehold::{
    ErrorKind,
    core::{Durability, KeyGroups, Ownership, Unclean},
    testing::servers::PostgresServer,
};

use super::support::{open, open_with, options};
use crate::support::{Counter, Log};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_3_writers_of_a_shared_store_lose_no_increment() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 50;
    let server = PostgresServer::start().unwrap();
    let mut writing = Vec::new();
    for _ in 0..WRITERS {
        let store = open_with(options(&server.url()), |r| r.ownership = Ownership::Shared).await.unwrap();
        let counter = Counter::of(store).await.unwrap();
        writing.push(tokio::spawn(async move {
            let mut done = 0;
            while done < EACH {
                match counter.increment().await {
                    Ok(()) => done += 1,
                    Err(e) => assert_eq!(e.kind(), ErrorKind::Conflict, "{e}"),
                }
            }
        }));
    }
    for task in writing {
        task.await.unwrap();
    }
    let reader = open_with(options(&server.url()), |r| r.ownership = Ownership::ReadOnly).await.unwrap();
    assert_eq!(Counter::of(reader).await.unwrap().value().await.unwrap(), Some(WRITERS * EACH));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_1_an_exclusive_owner_fences_shared_ones_and_is_fenced_by_them() {
    let server = PostgresServer::start().unwrap();
    let shared = |r: &mut statehold::core::OpenRequest| r.ownership = Ownership::Shared;
    let one = Log::of(open_with(options(&server.url()), shared).await.unwrap()).await.unwrap();
    let two = Log::of(open_with(options(&server.url()), shared).await.unwrap()).await.unwrap();
    one.append(1).await.unwrap();
    two.append(2).await.unwrap();
    let owner = Log::of(open(options(&server.url())).await.unwrap()).await.unwrap();
    for former in [&one, &two] {
        assert_eq!(former.append(3).await.unwrap_err().kind(), ErrorKind::Fenced);
    }
    owner.append(4).await.unwrap();
    let three = Log::of(open_with(options(&server.url()), shared).await.unwrap()).await.unwrap();
    assert_eq!(owner.append(5).await.unwrap_err().kind(), ErrorKind::Fenced);
    three.append(6).await.unwrap();
    assert_eq!(three.numbers().await.unwrap(), [1, 2, 4, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_6_another_range_is_opened_by_discard_alone() {
    let server = PostgresServer::start().unwrap();
    let all = Log::of(open(options(&server.url())).await.unwrap()).await.unwrap();
    all.append(1).await.unwrap();
    let half = |unclean| {
        open_with(options(&server.url()), move |r| {
            r.groups = KeyGroups::new(0..2, 4).unwrap();
            r.unclean = unclean;
        })
    };
    assert_eq!(half(Unclean::Refuse).await.err().unwrap().kind(), ErrorKind::InvalidInput);
    all.append(2).await.unwrap();
    let half = half(Unclean::Discard).await.unwrap();
    assert!(half.states().await.unwrap().is_empty());
    assert_eq!(all.append(3).await.unwrap_err().kind(), ErrorKind::Fenced);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_1_shared_visible_handles_do_not_take_each_other_for_crashed() {
    let server = PostgresServer::start().unwrap();
    let shared = |r: &mut statehold::core::OpenRequest| {
        r.ownership = Ownership::Shared;
        r.durability = Durability::Visible;
    };
    let one = open_with(options(&server.url()), shared).await.unwrap();
    let two = open_with(options(&server.url()), shared).await.unwrap();
    let refused = open(options(&server.url())).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "one that may have lost writes is told apart: {refused}");
    one.close().await.unwrap();
    two.close().await.unwrap();
    open(options(&server.url())).await.unwrap();
}
