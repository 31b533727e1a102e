//! [`RedisCluster`]: a Redis Cluster of one's own: three masters, a replica of each.

use std::path::Path;

use statehold_core::{Error, Result};

use super::{
    RedisServer,
    process::{find_binary, run},
    redis::{PACKAGE, RedisBuilder},
};

const NODES: usize = 6;

/// Six small servers on loopback. Dropping it ends them.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// A cluster whose nodes keep every write through `kill -9`.
    ///
    /// # Errors
    /// As [`RedisCluster::start_with`].
    pub fn start() -> Result<Self> {
        Self::start_with(&RedisServer::builder())
    }

    /// A cluster of nodes that are set up as `node` says; ready for requests.
    ///
    /// # Errors
    /// `NotFound` naming the Debian package that is missing; `Unavailable` with what the programs said.
    pub fn start_with(node: &RedisBuilder) -> Result<Self> {
        let cli = find_binary("redis-cli", &[], PACKAGE)?;
        let node = of_cluster(node);
        let nodes: Vec<RedisServer> = (0..NODES).map(|_| node.clone().start()).collect::<Result<_>>()?;
        let cluster = Self { nodes };
        cluster.join(&cli)?;
        Ok(cluster)
    }

    /// As [`RedisCluster::start_with`], with the nodes' data kept in `folder` and found again at the next start.
    ///
    /// # Errors
    /// As [`RedisCluster::start_with`]; `Conflict` if another process has the folder.
    pub fn start_in(folder: &Path, node: &RedisBuilder) -> Result<Self> {
        let cli = find_binary("redis-cli", &[], PACKAGE)?;
        let joined = folder.join("joined");
        if !joined.exists() {
            // A start that was killed may have joined some of them.
            match std::fs::remove_dir_all(folder) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::internal("half joined nodes stay").because(e));
                }
                _ => {}
            }
        }
        let nodes = (0..NODES).map(|n| of_cluster(node).keep_in(&folder.join(n.to_string())).start());
        let cluster = Self { nodes: nodes.collect::<Result<_>>()? };
        if joined.exists() {
            cluster.nodes.iter().try_for_each(await_ok)?;
        } else {
            cluster.join(&cli)?;
            std::fs::write(&joined, "").map_err(|e| Error::internal("a cluster cannot be noted").because(e))?;
        }
        Ok(cluster)
    }

    fn join(&self, cli: &Path) -> Result<()> {
        let addresses: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let mut arguments = vec!["--cluster", "create"];
        arguments.extend(addresses.iter().map(String::as_str));
        arguments.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        run(cli, &arguments, None)?;
        for node in &self.nodes {
            await_ok(node)?;
        }
        Ok(())
    }

    /// Where to connect: all nodes, with commas between them.
    #[must_use]
    pub fn urls(&self) -> String {
        self.nodes.iter().map(RedisServer::url).collect::<Vec<_>>().join(",")
    }

    /// The nodes; which of them are masters changes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The nodes, to be killed and restarted.
    #[must_use]
    pub fn nodes_mut(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }
}

fn of_cluster(node: &RedisBuilder) -> RedisBuilder {
    let node = node.clone().setting("cluster-enabled", "yes").setting("cluster-config-file", "nodes.conf");
    node.setting("cluster-node-timeout", "2000")
}

/// Nodes learn of each other by gossip.
fn await_ok(node: &RedisServer) -> Result<()> {
    const ATTEMPTS: usize = 3000;
    for _ in 0..ATTEMPTS {
        // The reply's first line is its length; writing shows that the slots are served.
        let answer = node.command("GET ready")?;
        if answer.starts_with('$') || answer.starts_with("-MOVED") {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(Error::new(statehold_core::ErrorKind::Unavailable, "the cluster does not become ready")
        .advise("see the logs of its nodes"))
}
