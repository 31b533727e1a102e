//! Many owners.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use sqlx::query_scalar;
use statehold::{
    ErrorKind, Result,
    core::{
        Address, Batch, Cell, Durability, Envelope, KeyGroup, KeyGroups, Model, Mutation, Ownership, StateId,
        StateSpec, Store, Unclean,
    },
    testing::servers::PostgresServer,
};

use super::support::{admin, open, open_with, options};
use crate::support::{Counter, GROUPS, Log};

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

/// One record of each of `states`, under the same key.
async fn put(store: &dyn Store, states: &[StateId], key: &str) -> Result<()> {
    let one = |state: &StateId| {
        let key = Bytes::copy_from_slice(key.as_bytes());
        let value = Envelope::of_state("state").seal(0, &key, b"", None, b"value");
        let at = Address { group: KeyGroup::of(&key, GROUPS), state: *state, key, sub: Bytes::new() };
        Mutation::Put(at, Cell::new(value))
    };
    let batch = Batch { mutations: states.iter().map(one).collect(), ..Batch::default() };
    store.commit(batch).finish().await.map(drop)
}

/// Plain puts look at no state: the rows that they lock say that one is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_10_puts_beside_a_drop_by_another_owner_leave_nothing_in_the_dropped_state() {
    let server = PostgresServer::start().unwrap();
    let open = || open_with(options(&server.url()), |r| r.ownership = Ownership::Shared);
    let (one, two) = (open().await.unwrap(), open().await.unwrap());
    let kept = one.register(&StateSpec::bytes("kept", Model::Kv).unwrap()).await.unwrap();
    for round in 0..10 {
        let name = format!("dropped{round}");
        let dropped = one.register(&StateSpec::bytes(&name, Model::Kv).unwrap()).await.unwrap();
        assert_eq!(two.register(&StateSpec::bytes(&name, Model::Kv).unwrap()).await.unwrap(), dropped);
        let gone = Arc::new(AtomicBool::new(false));
        let putting = {
            let (two, gone) = (two.clone(), gone.clone());
            tokio::spawn(async move {
                // One at a time, and two states at once.
                for n in 0.. {
                    let states = [kept, dropped];
                    let states = if n % 2 == 0 { &states[1..] } else { &states[..] };
                    let begun_after = gone.load(Ordering::SeqCst);
                    if let Err(error) = put(&*two, states, &format!("key{}", n % 50)).await {
                        return (n, error);
                    }
                    assert!(!begun_after, "a put that began after the drop went in");
                }
                unreachable!("puts go on without an end")
            })
        };
        while two.get(&at(dropped, "key20")).finish().await.unwrap().is_none() {
            assert!(!putting.is_finished(), "puts ended before the drop");
            tokio::task::yield_now().await;
        }
        one.drop_state(dropped).await.unwrap();
        gone.store(true, Ordering::SeqCst);
        let (count, error) = putting.await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Fenced, "after {count} puts: {error}");
        put(&*two, &[kept], "key").await.unwrap();
        let rows = "SELECT count(*) FROM statehold.entries WHERE key >= int4send($1) AND key < int4send($1 + 1)";
        let id = i32::try_from(dropped.0).unwrap();
        let left: i64 = query_scalar(rows).bind(id).fetch_one(&mut admin(&server).await).await.unwrap();
        assert_eq!(left, 0, "rows of a state that is gone, which nobody erases");
    }
}

fn at(state: StateId, key: &'static str) -> Address {
    let key = Bytes::from_static(key.as_bytes());
    Address { group: KeyGroup::of(&key, GROUPS), state, key, sub: Bytes::new() }
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
