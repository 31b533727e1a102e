//! Managers whose server is killed: while they write, archive and recover.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::TryStreamExt;
use statehold::{
    Descriptor, Error, KeyValueState, MemoryDescriptor, Model, RecoverFrom, ScanOrder, StateDescriptor, StateManager,
    StoreDescriptor,
    archive::{CheckpointId, Metadata, Select},
};

use crate::server::{Server, on_both};

const KEYS: u64 = 20_000;

fn descriptor(store: StoreDescriptor, folder: &tempfile::TempDir) -> Descriptor {
    let mut descriptor = Descriptor::new("managed")
        .archive(&format!("file://{}", folder.path().join("archive").display()))
        .memory(MemoryDescriptor { write_buffer: 16 << 10, ..MemoryDescriptor::default() })
        .store("store", store)
        .state("kv", StateDescriptor::new(Model::Kv));
    descriptor.key_groups = 8;
    descriptor
}

async fn open(server: &Server, folder: &tempfile::TempDir) -> StateManager {
    let mut store = StoreDescriptor::new(server.kind());
    store.options = server.options().with("timeout_ms", 2_000);
    StateManager::builder(descriptor(store, folder)).open().await.unwrap()
}

async fn state(manager: &StateManager) -> KeyValueState<u64, u64> {
    manager.key_value("kv").await.unwrap()
}

/// Does it again as long as that may help.
async fn surely<T>(what: impl AsyncFn() -> Result<T, Error>) -> T {
    loop {
        match what().await {
            Ok(done) => return done,
            Err(error) => assert!(error.is_retryable() && error.advice().is_some(), "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

/// All values, which are one and the same.
async fn one_value(manager: &StateManager) -> u64 {
    let kv = state(manager).await;
    let all = surely(async || kv.scan(ScanOrder::Key).try_collect::<Vec<_>>().await).await;
    assert_eq!(all.len() as u64, KEYS);
    let (_, value) = all[0];
    assert!(all.iter().zip(0..).all(|((key, other), number)| (*key, *other) == (number, value)), "a torn state");
    value
}

/// Writes all keys with one value and archives them.
async fn fill(manager: &StateManager, value: u64) {
    let kv = state(manager).await;
    surely(async || kv.put_many((0..KEYS).map(|key| (key, value))).await).await;
    surely(async || manager.finish().await).await;
}

/// Whether `work` is under way in the server, as far as it shows.
async fn is_loading(server: &Server, admin: &mut Option<sqlx::PgConnection>, before: u64) -> bool {
    match server {
        Server::Postgres(server) => {
            if admin.is_none() {
                *admin = Some(crate::postgres::admin(server).await);
            }
            let sql = "SELECT coalesce(sum(tuples_processed), 0)::int8 FROM pg_stat_progress_copy";
            sqlx::query_scalar::<_, i64>(sql).fetch_one(admin.as_mut().unwrap()).await.unwrap() > 0
        }
        Server::Redis(server) => keys(server) > before,
    }
}

fn keys(server: &statehold::testing::servers::RedisServer) -> u64 {
    redis::cmd("DBSIZE").query(&mut crate::redis::admin(server)).unwrap()
}

on_both! {
    async fn batch_5_staged_updates_through_kills_of_the_server_are_counted_once(server: Server) {
        const ROUNDS: u64 = 600;
        let (mut server, folder) = (server, tempfile::tempdir().unwrap());
        let manager = open(&server, &folder).await;
        let kv = state(&manager).await;
        let done = Arc::new(AtomicU64::new(0));
        let writing = {
            let (kv, done) = (kv.clone(), done.clone());
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    for key in 0..50 {
                        // Staged or refused, never both.
                        while let Err(error) = kv.update(&key, |n| Ok(n.unwrap_or(0) + 1)).await {
                            assert!(error.is_retryable(), "{error}");
                        }
                    }
                    done.store(round, Ordering::SeqCst);
                }
            })
        };
        for kill in 1..=3 {
            while done.load(Ordering::SeqCst) < kill * ROUNDS / 4 {
                assert!(!writing.is_finished(), "the writer ended early");
                tokio::task::yield_now().await;
            }
            server.kill();
            server.restart();
        }
        writing.await.unwrap();
        surely(async || manager.finish().await).await;
        manager.close().await.unwrap();
        let manager = open(&server, &folder).await;
        let all: Vec<(u64, u64)> = state(&manager).await.scan(ScanOrder::Key).try_collect().await.unwrap();
        assert_eq!(all, (0..50).map(|key| (key, ROUNDS)).collect::<Vec<_>>());
        manager.close().await.unwrap();
    }

    async fn life_2_an_archive_whose_server_is_killed_is_whole_or_invisible(server: Server) {
        let (mut server, folder) = (server, tempfile::tempdir().unwrap());
        let manager = open(&server, &folder).await;
        fill(&manager, 1).await;
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        fill(&manager, 2).await;
        let cut = manager.cut(CheckpointId(2), &Metadata::new()).await.unwrap();
        server.kill();
        server.restart();
        // A cut is a transaction on Postgres, and ends with its server; on Redis it is kept with the data.
        let mut expected = vec![(1, 1)];
        match cut.persist().await {
            Ok(_) => expected.push((2, 2)),
            Err(error) => assert!(error.advice().is_some(), "{error}"),
        }
        let archive = manager.checkpoints().unwrap();
        let listed: Vec<u64> = archive.list().await.unwrap().iter().map(|c| c.id.0).collect();
        assert_eq!(listed, expected.iter().map(|(id, _)| *id).collect::<Vec<u64>>());
        fill(&manager, 3).await;
        let next = if expected.len() == 1 { 2 } else { 3 };
        surely(async || manager.archive(CheckpointId(next), &Metadata::new()).await).await;
        expected.push((next, 3));
        assert_eq!(archive.verify(Select::Latest).await.unwrap().rows, Some(KEYS));
        for (id, value) in expected {
            let elsewhere = descriptor(StoreDescriptor::new("memory"), &folder);
            let from = RecoverFrom::Id(CheckpointId(id));
            let elsewhere = StateManager::builder(elsewhere).recover(from).open().await.unwrap();
            assert_eq!(one_value(&elsewhere).await, value);
            elsewhere.close().await.unwrap();
        }
    }

    async fn life_5_a_recover_whose_server_is_killed_leaves_the_old_content_and_can_be_repeated(server: Server) {
        let (mut server, folder) = (server, tempfile::tempdir().unwrap());
        let manager = open(&server, &folder).await;
        fill(&manager, 1).await;
        manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
        fill(&manager, 2).await;
        let mut held = 2;
        for _ in 0..3 {
            let before = if let Server::Redis(server) = &server { keys(server) } else { 0 };
            let recovering = {
                let manager = manager.clone();
                tokio::spawn(async move { manager.recover(Select::Latest).await })
            };
            let mut admin = None;
            while !recovering.is_finished() && !is_loading(&server, &mut admin, before).await {}
            server.kill();
            server.restart();
            match recovering.await.unwrap() {
                // It was done before it was noticed that it had begun.
                Ok(_) => held = 1,
                Err(error) => assert!(error.advice().is_some(), "{error}"),
            }
            assert_eq!(one_value(&manager).await, held);
        }
        surely(async || manager.recover(Select::Latest).await).await;
        assert_eq!(one_value(&manager).await, 1);
        fill(&manager, 4).await;
        manager.close().await.unwrap();
        let manager = open(&server, &folder).await;
        assert_eq!(one_value(&manager).await, 4);
        manager.close().await.unwrap();
    }
}
