//! A Redis Cluster whose masters die and whose slots move.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use redis::cmd;
use statehold::{
    core::{Options, Result, Store},
    testing::servers::{RedisCluster, RedisServer},
};
use statehold_redis::RedisBackend;

use super::{admin, info};
use crate::support::{GROUPS, Log, open_on};

async fn open(cluster: &RedisCluster) -> Arc<dyn Store> {
    open_for(cluster, 10_000).await
}

async fn open_for(cluster: &RedisCluster, timeout_ms: i64) -> Arc<dyn Store> {
    let options = Options::new().with("urls", cluster.urls()).with("cluster", true).with("timeout_ms", timeout_ms);
    open_on(&RedisBackend::new(), options, |_| {}).await.unwrap()
}

/// A log in each key group, hence in several slots.
async fn logs(store: &Arc<dyn Store>) -> Vec<Log> {
    let mut logs = Vec::new();
    for group in 0..GROUPS {
        logs.push(Log::in_group(store.clone(), group).await.unwrap());
    }
    logs
}

fn keys_in(node: &RedisServer) -> u64 {
    cmd("DBSIZE").query(&mut admin(node)).unwrap()
}

fn is_master(node: &RedisServer) -> bool {
    info(node, "replication").contains("role:master")
}

/// The master that holds most.
fn fullest(cluster: &RedisCluster) -> usize {
    let nodes = cluster.nodes();
    (0..nodes.len()).filter(|i| is_master(&nodes[*i])).max_by_key(|i| keys_in(&nodes[*i])).unwrap()
}

/// Waits until the replica has all that its master acknowledged. No level promises that (LIFE-1): the test sees to
/// it, so that nothing at all may be missing afterwards.
fn replicated(master: &RedisServer) {
    loop {
        let info = info(master, "replication");
        let number = |name: &str| info.split([':', ',', '\r', '\n', '=']).skip_while(|word| *word != name).nth(1);
        let (sent, got) = (number("master_repl_offset"), number("offset"));
        if sent.is_some() && sent == got {
            return;
        }
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_a_handle_goes_on_after_a_failover_and_loses_nothing_replicated() {
    let mut cluster = RedisCluster::start().unwrap();
    let store = open(&cluster).await;
    let logs = logs(&store).await;
    for number in 1..=50 {
        for log in &logs {
            log.append(number).await.unwrap();
        }
    }
    let master = fullest(&cluster);
    replicated(&cluster.nodes()[master]);
    cluster.nodes_mut()[master].kill().unwrap();
    for number in 51..=100 {
        for log in &logs {
            log.append_surely(number).await;
        }
    }
    for log in &logs {
        assert_eq!(log.numbers_surely().await, (1..=100).collect::<Vec<_>>());
    }
    // The former master comes back as a replica, and the store is closed in order.
    cluster.nodes_mut()[master].restart().unwrap();
    for log in &logs {
        log.append_surely(101).await;
    }
    store.close().await.unwrap();
}

fn id(node: &RedisServer) -> String {
    cmd("CLUSTER").arg("MYID").query(&mut admin(node)).unwrap()
}

/// The slots in which a node has keys.
fn slots(node: &RedisServer) -> Vec<u16> {
    let mut admin = admin(node);
    let keys: Vec<String> = cmd("KEYS").arg("*").query(&mut admin).unwrap();
    let mut slots: Vec<u16> =
        keys.iter().map(|key| cmd("CLUSTER").arg("KEYSLOT").arg(key).query(&mut admin).unwrap()).collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// A slot on its way from one node to another.
struct Move<'a> {
    slot: u16,
    from: &'a RedisServer,
    to: &'a RedisServer,
}

impl<'a> Move<'a> {
    fn begin(slot: u16, from: &'a RedisServer, to: &'a RedisServer) -> Self {
        let this = Self { slot, from, to };
        this.set("IMPORTING", from).exec(&mut admin(to)).unwrap();
        this.set("MIGRATING", to).exec(&mut admin(from)).unwrap();
        this
    }

    fn set(&self, state: &str, node: &RedisServer) -> redis::Cmd {
        let mut set = cmd("CLUSTER");
        set.arg("SETSLOT").arg(self.slot).arg(state).arg(id(node));
        set
    }

    /// Moves a key, the unit's meta hash before all others; whether there was one.
    fn step(&self) -> bool {
        let mut source = admin(self.from);
        let mut keys: Vec<Vec<u8>> =
            cmd("CLUSTER").arg("GETKEYSINSLOT").arg(self.slot).arg(1000).query(&mut source).unwrap();
        keys.sort_by_key(|key| !key.ends_with(b"m"));
        let Some(key) = keys.first() else { return false };
        let mut migrate = cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(self.to.port()).arg(key).arg(0).arg(5000);
        migrate.exec(&mut source).unwrap();
        true
    }

    fn end(&self) {
        for node in [self.to, self.from] {
            self.set("NODE", self.to).exec(&mut admin(node)).unwrap();
        }
    }
}

/// Reads every log, in the store and in a snapshot: each shows all that was acknowledged before, and no hole.
/// Answers how many reads succeeded.
async fn look(store: &Arc<dyn Store>, logs: &[Log], acknowledged: u64) -> usize {
    let mut looks = 0;
    let mut check = |read: Result<Vec<u64>>| match read {
        Ok(numbers) => {
            assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
            assert!(numbers.len() as u64 >= acknowledged, "{} of {acknowledged}", numbers.len());
            looks += 1;
        }
        Err(error) => assert!(error.is_retryable(), "{error}"),
    };
    for log in logs {
        check(log.numbers().await);
    }
    match store.snapshot().await {
        Ok(snapshot) => {
            for log in logs {
                check(log.numbers_in(&*snapshot).await);
            }
        }
        Err(error) => assert!(error.is_retryable(), "{error}"),
    }
    looks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_4_slots_that_move_in_mid_load_lose_and_double_nothing() {
    let cluster = RedisCluster::start().unwrap();
    let store = open(&cluster).await;
    let logs = logs(&store).await;
    let (done, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(u64::MAX)));
    let writing = {
        let (logs, done, over) = (logs.clone(), done.clone(), over.clone());
        tokio::spawn(async move {
            let mut number = 0;
            while number < over.load(Ordering::SeqCst) {
                number += 1;
                for log in &logs {
                    log.append_surely(number).await;
                }
                done.store(number, Ordering::SeqCst);
            }
            number
        })
    };
    let reading = {
        let (logs, done, over, store) = (logs.clone(), done.clone(), over.clone(), store.clone());
        tokio::spawn(async move {
            let mut looks = 0;
            while over.load(Ordering::SeqCst) > 0 {
                looks += look(&store, &logs, done.load(Ordering::SeqCst)).await;
            }
            looks
        })
    };
    tokio::task::block_in_place(|| {
        let nodes = cluster.nodes();
        let masters: Vec<&RedisServer> = nodes.iter().filter(|node| is_master(node)).collect();
        // The data of each master goes to the next one, while the writer goes on.
        for (i, from) in masters.iter().enumerate() {
            for slot in slots(from) {
                let moving = Move::begin(slot, from, masters[(i + 1) % masters.len()]);
                while moving.step() {}
                moving.end();
                let now = done.load(Ordering::SeqCst);
                while done.load(Ordering::SeqCst) < now + 2 {
                    std::thread::yield_now();
                }
            }
        }
        over.store(0, Ordering::SeqCst);
    });
    let last = writing.await.unwrap();
    let looks = reading.await.unwrap();
    assert!(last > 10 && looks > 10, "{last} {looks}");
    for log in &logs {
        assert_eq!(log.numbers_surely().await, (1..=last).collect::<Vec<_>>());
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_a_slot_half_moved_gives_no_wrong_answer() {
    let cluster = RedisCluster::start().unwrap();
    let store = open_for(&cluster, 100).await;
    let logs = logs(&store).await;
    for log in &logs {
        log.append_surely(1).await;
    }
    let masters: Vec<&RedisServer> = cluster.nodes().iter().filter(|node| is_master(node)).collect();
    let full = masters.iter().position(|node| keys_in(node) > 0).unwrap();
    for slot in slots(masters[full]) {
        let moving = Move::begin(slot, masters[full], masters[(full + 1) % masters.len()]);
        while moving.step() {
            look(&store, &logs, 1).await;
            for log in &logs {
                // It is in: with half of the unit elsewhere that may not be known, and is then not answered.
                match log.append(1).await {
                    Ok(again) => assert!(again.duplicate, "a marker was forgotten"),
                    Err(error) => assert!(error.is_retryable(), "{error}"),
                }
            }
        }
        moving.end();
    }
    for log in &logs {
        log.append_surely(2).await;
        assert_eq!(log.numbers_surely().await, [1, 2]);
    }
}
