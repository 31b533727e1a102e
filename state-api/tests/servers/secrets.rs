//! A canary password, and everything that is printed while it is in use.

use std::process::{Command, Stdio};

use statehold::{
    Descriptor, Error, Model, Registry, StateDescriptor, StateManager, StoreDescriptor,
    archive::{CheckpointId, Metadata},
    core::Options,
    testing::servers::{PostgresServer, RedisCluster, RedisServer},
};
use statehold_postgres::{Migrations, PostgresBackend};
use statehold_redis::RedisBackend;

use crate::{
    frames::Protocol,
    support::{Log, open_on, request},
};

const CANARY: &str = "hunter2-the-canary";
const WRONG: &str = "hunter3-the-canary";

/// Prints an error in all the ways there are.
fn print(error: &Error) {
    eprintln!("{error}\n{error:?}\n{error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        eprintln!("{error} {error:?}");
        cause = error.source();
    }
}

/// Everything that can go wrong with a password in hand, and something that does not.
async fn use_it(protocol: Protocol, url: &str, mut kill: impl FnMut(), mut restart: impl FnMut()) {
    let backend = protocol.backend();
    let options = |url: &str| protocol.options(url).with("timeout_ms", 1_000);
    eprintln!("{:?} {:?}", options(url), request(options(url)));
    let log = Log::of(open_on(&*backend, options(url), |_| {}).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    log.store.snapshot().await.unwrap();
    log.store.compact().await.unwrap();
    kill();
    print(&log.append(2).await.unwrap_err());
    print(&log.numbers().await.unwrap_err());
    print(&open_on(&*backend, options(url), |_| {}).await.err().unwrap());
    restart();
    log.append_surely_after_unknown(2).await;
    let wrong = [
        url.replace(CANARY, WRONG),
        url.replace("127.0.0.1", "no-such-host.invalid"),
        url.replace("://", ":/"),
        format!("{url}?password={CANARY}"),
        url.replace("redis://", "rediss://").replace("/postgres", "/no-such-database"),
        url.replace("127.0.0.1:", "127.0.0.1:9"),
        url.replace('@', "%zz@"),
    ];
    for wrong in wrong {
        let error = open_on(&*backend, options(&wrong), |_| {}).await.err().expect("it must be refused");
        assert!(error.advice().is_some(), "{error}");
        print(&error);
    }
    print(&open_on(&*backend, options(url).with("no_such_option", CANARY), |_| {}).await.err().unwrap());
    print(&open_on(&*backend, options(url).with("timeout_ms", CANARY), |_| {}).await.err().unwrap());
}

/// The same through a manager, with a descriptor and a checkpoint.
async fn manage(kind: &str, options: Options, url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreDescriptor::new(kind);
    store.options = options;
    let descriptor = Descriptor::new("secrets")
        .archive(&format!("file://{}", folder.path().display()))
        .store("server", store)
        .state("kv", StateDescriptor::new(Model::Kv));
    eprintln!("{descriptor:?} {descriptor:#?}");
    let builder = StateManager::builder(descriptor.clone());
    eprintln!("{builder:?}");
    let manager = builder.open().await.unwrap();
    let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
    kv.put(&1, 1).await.unwrap();
    let info = manager.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
    eprintln!("{manager:?} {kv:?} {info:?} {:?}", manager.checkpoints().unwrap());
    eprintln!("{:?} {:?}", manager.memory().await, manager.resources());
    manager.close().await.unwrap();
    drop(manager);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        everything_in(&file.unwrap().path());
    }
    let file = folder.path().join("statehold.toml");
    let text = format!("namespace = \"s\"\n[stores.a]\nkind = \"{kind}\"\noptions = {{ url = \"{url}\", x = 1 }}\n");
    std::fs::write(&file, text).unwrap();
    print(&StateManager::open(&file).await.err().unwrap());
}

/// Prints what was archived.
fn everything_in(path: &std::path::Path) {
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|file| everything_in(&file.unwrap().path()));
    } else {
        eprintln!("{}: {}", path.display(), String::from_utf8_lossy(&std::fs::read(path).unwrap()));
    }
}

#[ignore = "the test below starts it, in a process whose output it reads"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speak_of_everything() {
    tracing_subscriber::fmt().with_env_filter("trace").with_writer(std::io::stderr).init();
    let postgres = std::cell::RefCell::new(PostgresServer::builder().password(CANARY).start().unwrap());
    let url = postgres.borrow().url();
    assert!(url.contains(CANARY));
    let (kill, restart) = (|| postgres.borrow_mut().kill().unwrap(), || postgres.borrow_mut().restart().unwrap());
    use_it(Protocol::Postgres, &url, kill, restart).await;
    manage("postgres", Protocol::Postgres.options(&url), &url).await;
    eprintln!("{postgres:?} {:?}", Migrations::new(&Protocol::Postgres.options(&url)).unwrap());
    let builder = RedisServer::builder().password(CANARY).user("app", &format!("on >{CANARY} ~* &* +@all"));
    eprintln!("{builder:?} {:?}", PostgresServer::builder().password(CANARY));
    let redis = std::cell::RefCell::new(builder.clone().start().unwrap());
    let url = redis.borrow().url();
    assert!(url.contains(CANARY));
    let (kill, restart) = (|| redis.borrow_mut().kill().unwrap(), || redis.borrow_mut().restart().unwrap());
    use_it(Protocol::Resp, &url, kill, restart).await;
    let apart = Protocol::Resp.options(&format!("redis://127.0.0.1:{}", redis.borrow().port()));
    manage("redis", apart.with("username", "app").with("password", CANARY), &url).await;
    eprintln!("{redis:?} {:?} {:?} {:?}", Registry::default(), PostgresBackend::new(), RedisBackend::new());
    let cluster = RedisCluster::start_with(&RedisServer::builder()).unwrap();
    eprintln!("{cluster:?}");
    eprintln!("all was said");
}

#[test]
fn own_4_a_password_is_in_nothing_that_is_printed() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "secrets::speak_of_everything", "--ignored", "--nocapture"]);
    command.env("RUST_LOG", "trace").env("STATEHOLD_LOG", "trace").stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let tail: String = said.chars().rev().take(3000).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(output.status.success() && said.contains("all was said"), "{tail}");
    // It did log: what is not said cannot betray.
    assert!(said.contains("TRACE") && said.contains("DEBUG"), "{tail}");
    for secret in [CANARY, WRONG] {
        let shown: Vec<&str> = said.lines().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{} lines show a password, first: {}", shown.len(), shown[0]);
    }
}
