//! A host that is gone without a word: no answer, and nothing that says there will be none. It lives in a network
//! namespace of its own, behind a cable that can be pulled.

use std::{path::PathBuf, process::Command};

use statehold::{
    ErrorKind,
    testing::servers::{
        folder::Folder,
        process::{Launch, ServerProcess, find_binary},
    },
};

use super::super::support::{open, options};
use crate::support::Log;

/// A Redis of its own host. Dropping it takes the host away.
struct Host {
    name: String,
    address: String,
    server: Option<ServerProcess>,
    folder: Folder,
}

fn ip(arguments: &str) -> bool {
    Command::new("ip").args(arguments.split(' ')).status().is_ok_and(|status| status.success())
}

impl Host {
    fn start() -> Self {
        let id = std::process::id();
        let name = format!("sh{id}");
        // Four addresses for each process, of the range that is reserved for tests (RFC 2544).
        let net = |host: u32| format!("198.18.{}.{}", id / 64 % 256, id % 64 * 4 + host);
        let (near, address) = (net(1), net(2));
        assert!(ip(&format!("netns add {name}")), "root makes a network namespace");
        let folder = Folder::temporary("statehold-redis-", None).unwrap();
        let mut host = Self { name: name.clone(), address: address.clone(), server: None, folder };
        assert!(ip(&format!("link add {name}a type veth peer name {name}b netns {name}")));
        assert!(ip(&format!("addr add {near}/30 dev {name}a")) && ip(&format!("link set {name}a up")));
        assert!(ip(&format!("-n {name} addr add {address}/30 dev {name}b")));
        host.connect_cable(true);
        let path = host.folder.path();
        let arguments = format!(
            "netns exec {name} redis-server --bind {address} --port 6379 --protected-mode no --save  --appendonly yes \
             --appendfsync always --maxmemory-policy noeviction --dir {}",
            path.display()
        );
        let launch = Launch {
            program: find_binary("ip", &[PathBuf::from("/usr/sbin")], "iproute2").unwrap(),
            arguments: arguments.split(' ').map(str::to_owned).collect(),
            user: None,
            log: path.join("log"),
        };
        let mut server = ServerProcess::start(launch).unwrap();
        server.wait_until(|| std::net::TcpStream::connect((&*address, 6379)).is_ok()).unwrap();
        host.server = Some(server);
        host
    }

    fn connect_cable(&self, on: bool) {
        let name = &self.name;
        assert!(ip(&format!("-n {name} link set {name}b {}", if on { "up" } else { "down" })));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.server.take());
        // The namespace takes its end of the cable with it, but a moment later.
        ip(&format!("link del {}a", self.name));
        ip(&format!("netns del {}", self.name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_5_a_host_that_vanished_is_given_up_and_found_again() {
    let host = Host::start();
    let quick =
        options(&format!("redis://{}:6379", host.address)).with("timeout_ms", 500).with("connect_timeout_ms", 500);
    let log = Log::of(open(quick).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    host.connect_cable(false);
    let error = log.append(2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    // What is sent into a dead connection is not known to be lost. Once the system has given it up, nothing is sent.
    let mut unknown = 1;
    let error = loop {
        match log.append(2).await.unwrap_err() {
            error if error.kind() == ErrorKind::Indeterminate => unknown += 1,
            error => break error,
        }
        assert!(unknown < 20, "the connection is still taken for a live one");
    };
    assert!([ErrorKind::Timeout, ErrorKind::Unavailable].contains(&error.kind()), "{error}");
    assert!(error.advice().is_some(), "{error}");
    host.connect_cable(true);
    log.append_surely_after_unknown(2).await;
    log.append_surely(3).await;
    assert_eq!(log.numbers_surely().await, [1, 2, 3]);
}
