//! Contract LIFE-7 as users see it: what a manager on one engine archived, a manager on any other recovers.
//!
//! At the level of managers and a `file://` archive, because there everything takes part that could lose something:
//! codecs, the write buffer, Parquet, the log, and the switch.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::TryStreamExt;
use statehold::{
    Descriptor, Model, RecoverFrom, Revision, ScanOrder, StateDescriptor, StateManager, StoreDescriptor,
    archive::{CheckpointId, Metadata},
    core::Millis,
    testing::{
        ManualClock,
        servers::{PostgresServer, RedisCluster, RedisServer},
    },
};

const START: Millis = Millis(1_000_000);
const TTL: u64 = 1000;
const KEYS: u64 = 60;

struct Servers {
    postgres: PostgresServer,
    redis: RedisServer,
    cluster: RedisCluster,
    folder: tempfile::TempDir,
    places: AtomicUsize,
}

const ENGINES: [&str; 5] = ["memory", "rocksdb", "postgres", "redis", "cluster"];

impl Servers {
    fn start() -> Self {
        Self {
            postgres: PostgresServer::start().unwrap(),
            redis: RedisServer::start().unwrap(),
            cluster: RedisCluster::start().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            places: AtomicUsize::new(0),
        }
    }

    /// A place where nothing is.
    fn store(&self, engine: &str) -> StoreDescriptor {
        let place = format!("place{}", self.places.fetch_add(1, Ordering::Relaxed));
        let prefix = format!("{place}:");
        match engine {
            "rocksdb" => StoreDescriptor::new(engine).option("path", self.folder.path().join(place).to_str().unwrap()),
            "postgres" => StoreDescriptor::new(engine)
                .option("url", self.postgres.url())
                .option("tls", "disable")
                .option("schema", place),
            "redis" => StoreDescriptor::new(engine).option("url", self.redis.url()).option("prefix", prefix),
            "cluster" => StoreDescriptor::new("redis")
                .option("urls", self.cluster.urls())
                .option("cluster", true)
                .option("prefix", prefix),
            _ => StoreDescriptor::new(engine),
        }
    }

    /// A manager on a fresh place, with the archive of `source`.
    async fn open(&self, engine: &str, source: &str, from: RecoverFrom) -> (StateManager, Arc<ManualClock>) {
        let state = |model| StateDescriptor::new(model);
        let mut descriptor = Descriptor::new("orders")
            .archive(&format!("file://{}", self.folder.path().join(format!("of-{source}")).display()))
            .store("store", self.store(engine))
            .state("kv", state(Model::Kv).revisions())
            .state("kv_ttl", state(Model::Kv).ttl(TTL))
            .state("list", state(Model::List))
            .state("list_ttl", state(Model::List).ttl(TTL))
            .state("map", state(Model::Map).revisions())
            .state("map_ttl", state(Model::Map).ttl(TTL));
        descriptor.key_groups = 8;
        let clock = Arc::new(ManualClock::new(START));
        let builder = StateManager::builder(descriptor).clock(clock.clone()).recover(from);
        (builder.open().await.unwrap(), clock)
    }
}

/// Everything that a user sees of a manager's states.
#[derive(Debug, PartialEq, Default)]
struct Contents {
    kv: Vec<(String, Vec<u8>, Revision)>,
    kv_ttl: Vec<(u64, u64)>,
    lists: Vec<(u64, Vec<String>)>,
    maps: Vec<(u64, String, u64)>,
}

/// Half of it expires half a lifetime later than the rest.
async fn fill(manager: &StateManager, clock: &ManualClock) {
    let kv = manager.key_value::<String, Vec<u8>>("kv").await.unwrap();
    let kv_ttl = manager.key_value::<u64, u64>("kv_ttl").await.unwrap();
    for round in 0..2 {
        clock.set(Millis(START.0 + round * TTL / 2));
        for key in (round * KEYS / 2)..KEYS {
            kv.put(&format!("k\0{key}\u{ff}"), vec![round as u8; key as usize]).await.unwrap();
            kv_ttl.put(&key, key * round).await.unwrap();
            for name in ["list", "list_ttl"] {
                let list = manager.key_list::<u64, String>(name).await.unwrap();
                list.append_all(&key, (0..key % 5).map(|n| format!("{round}-{n}"))).await.unwrap();
            }
            for name in ["map", "map_ttl"] {
                let map = manager.key_map::<u64, String, u64>(name).await.unwrap();
                let entries = (0..key % 4).map(|sub| (key, "s".repeat(sub as usize), round));
                map.put_many(entries).await.unwrap();
            }
        }
        manager.finish().await.unwrap();
    }
    kv.delete(&format!("k\0{}\u{ff}", KEYS - 1)).await.unwrap();
}

fn clock_now(clock: &ManualClock) -> Millis {
    statehold::Clock::now(clock)
}

async fn contents(manager: &StateManager) -> Contents {
    let mut found = Contents::default();
    let kv = manager.key_value::<String, Vec<u8>>("kv").await.unwrap();
    for (key, value) in kv.scan(ScanOrder::Key).try_collect::<Vec<_>>().await.unwrap() {
        let versioned = kv.get_versioned(&key).await.unwrap().unwrap();
        assert_eq!(versioned.value, value);
        found.kv.push((key, value, versioned.revision));
    }
    let kv_ttl = manager.key_value::<u64, u64>("kv_ttl").await.unwrap();
    found.kv_ttl = kv_ttl.scan(ScanOrder::Key).try_collect().await.unwrap();
    for name in ["list", "list_ttl"] {
        let list = manager.key_list::<u64, String>(name).await.unwrap();
        for key in 0..KEYS {
            found.lists.push((key, list.get(&key).await.unwrap()));
        }
    }
    for name in ["map", "map_ttl"] {
        let map = manager.key_map::<u64, String, u64>(name).await.unwrap();
        found.maps.extend(map.scan(ScanOrder::Key).try_collect::<Vec<_>>().await.unwrap());
    }
    found
}

/// What is there now, and what is left when the first half has expired.
async fn now_and_later(manager: &StateManager, clock: &ManualClock) -> [Contents; 2] {
    let now = contents(manager).await;
    clock.set(Millis(clock_now(clock).0 + TTL / 4));
    [now, contents(manager).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn life_7_every_engine_recovers_what_every_engine_archived() {
    let servers = Servers::start();
    for source in ENGINES {
        let (manager, clock) = servers.open(source, source, RecoverFrom::AsLeft).await;
        fill(&manager, &clock).await;
        // Shortly before the first half goes.
        clock.set(Millis(START.0 + TTL * 7 / 8));
        manager.archive(CheckpointId(1), &Metadata::new().with("from", source)).await.unwrap();
        let archived_at = clock_now(&clock);
        let expected = now_and_later(&manager, &clock).await;
        assert!(expected[0].kv_ttl.len() > expected[1].kv_ttl.len() && !expected[1].kv_ttl.is_empty());
        assert!(expected[0].lists.len() > 1 && expected[0].maps.len() > expected[1].maps.len());
        manager.close().await.unwrap();
        for target in ENGINES {
            let (manager, clock) = servers.open(target, source, RecoverFrom::Latest).await;
            clock.set(archived_at);
            assert!(now_and_later(&manager, &clock).await == expected, "from {source} to {target}");
            // Revisions go on above those that were archived.
            let kv = manager.key_value::<String, Vec<u8>>("kv").await.unwrap();
            let (key, _, revision) = &expected[0].kv[0];
            let next = kv.put_if(key, *revision, vec![1]).await.unwrap();
            assert!(next.is_some_and(|next| expected[0].kv.iter().all(|(_, _, old)| *old < next)), "{source} {target}");
            manager.close().await.unwrap();
        }
    }
}
