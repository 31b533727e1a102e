//! [`Config`]: the options of a store.

use std::{fmt, path::PathBuf, time::Duration};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use statehold_core::{
    AtomicScope, Capabilities, Claims, Durability, Error, Limits, OptionReader, Options, Ownership, Result, Support,
};

use crate::RedisBackend;

/// What a descriptor says.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) nodes: Vec<ConnectionInfo>,
    pub(crate) cluster: bool,
    pub(crate) prefix: String,
    pub(crate) ca_certificate: Option<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) assert_settings: bool,
}

/// Shows no address: its user part may hold a password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("cluster", &self.cluster).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

const MAX_PREFIX: usize = 64;

impl Config {
    /// Reads and checks the options; connects to nothing.
    pub(crate) fn read(options: &Options) -> Result<Self> {
        let mut reader = OptionReader::new(RedisBackend::KIND, options);
        let url = reader.text("url")?;
        let urls = reader.text("urls")?;
        let cluster = reader.boolean("cluster")?.unwrap_or(false);
        let username = reader.text("username")?;
        let password = reader.text("password")?;
        let prefix = reader.text("prefix")?.unwrap_or("sh:").to_owned();
        let ca_certificate = reader.text("ca_certificate")?.map(PathBuf::from);
        let timeout = milliseconds(&mut reader, "timeout_ms", 5_000)?;
        let connect_timeout = milliseconds(&mut reader, "connect_timeout_ms", 2_000)?;
        let assert_settings = reader.boolean("assert_settings")?.unwrap_or(false);
        reader.done()?;

        let listed: Vec<&str> = match (url, urls) {
            (Some(url), None) => vec![url],
            (None, Some(urls)) => urls.split(',').map(str::trim).filter(|u| !u.is_empty()).collect(),
            (Some(_), Some(_)) => return Err(wrong("urls", "set together with `url`", "give one of them")),
            (None, None) => Vec::new(),
        };
        if listed.is_empty() {
            return Err(wrong("url", "missing", "name the server, e.g. url = \"redis://localhost:6379\""));
        }
        if listed.len() > 1 && !cluster {
            return Err(wrong("urls", "a list", "name one server, or set `cluster = true`"));
        }
        if prefix.is_empty()
            || prefix.len() > MAX_PREFIX
            || !prefix.bytes().all(|b| b.is_ascii_graphic() && b != b'{' && b != b'}')
        {
            return Err(wrong(
                "prefix",
                "not a prefix of keys",
                "give 1 to 64 visible ASCII characters without braces",
            ));
        }
        let nodes: Result<Vec<_>> = listed.into_iter().map(|url| node(url, cluster, username, password)).collect();
        Ok(Self { nodes: nodes?, cluster, prefix, ca_certificate, timeout, connect_timeout, assert_settings })
    }

    /// What a store with these options can do.
    pub(crate) fn capabilities(&self) -> Capabilities {
        Capabilities {
            scope: if self.cluster { AtomicScope::KeyGroup } else { AtomicScope::Store },
            durability: Durability::ALL.to_vec(),
            ownership: vec![Ownership::Exclusive, Ownership::Shared, Ownership::ReadOnly],
            claims: Claims::Fencing,
            persistent: true,
            revisions: true,
            ttl: true,
            markers: true,
            snapshots: true,
            loading: true,
            lists: Support::Native,
            maps: Support::Native,
            ordered: true,
            native_archive: false,
            max_limits: Limits { key: 16 << 10, sub: 16 << 10, label: 255, value: 128 << 20, batch: 256 << 20 },
        }
    }
}

/// Never shows the value: an address may hold a password.
fn wrong(option: &str, found: &str, allowed: &str) -> Error {
    Error::invalid(format!("option `{option}` of kind `{}` is {found}", RedisBackend::KIND))
        .about(option)
        .advise(allowed)
}

fn milliseconds(reader: &mut OptionReader<'_>, name: &'static str, default: u64) -> Result<Duration> {
    match reader.integer(name)?.unwrap_or(default) {
        0 => Err(wrong(name, "0", "give at least 1 millisecond")),
        ms => Ok(Duration::from_millis(ms)),
    }
}

fn node(url: &str, cluster: bool, username: Option<&str>, password: Option<&str>) -> Result<ConnectionInfo> {
    let malformed =
        || wrong("url", "not an address of Redis", "write redis://host:port, or rediss://host:port for TLS");
    if !["redis://", "rediss://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(malformed());
    }
    if url.contains('?') {
        // The client reads few of them and says nothing about the others.
        return Err(wrong("url", "one with parameters", "leave them out; settings are options of the store"));
    }
    let info = url.into_connection_info().map_err(|_| malformed())?;
    if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
        return Err(wrong("url", "one with `#insecure`", "name the server's authority in `ca_certificate`"));
    }
    if cluster && info.redis_settings().db() != 0 {
        return Err(wrong("url", "one with a database number", "a Cluster has only database 0: leave the number out"));
    }
    let mut settings: RedisConnectionInfo = info.redis_settings().clone();
    if let Some(username) = username {
        settings = settings.set_username(username);
    }
    if let Some(password) = password {
        settings = settings.set_password(password);
    }
    Ok(info.set_redis_settings(settings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use statehold_core::ErrorKind;

    fn refused(options: &Options, option: &str) {
        let e = Config::read(options).unwrap_err();
        assert_eq!((e.kind(), e.subject()), (ErrorKind::InvalidInput, Some(option)), "{e}");
        assert!(e.advice().is_some() && !format!("{e:?}").contains("hunter2"), "{e:?}");
    }

    #[test]
    fn defaults_need_nothing_but_an_address() {
        let config = Config::read(&Options::new().with("url", "redis://localhost")).unwrap();
        assert_eq!((config.prefix.as_str(), config.cluster, config.timeout.as_secs()), ("sh:", false, 5));
        assert_eq!(config.capabilities().scope, AtomicScope::Store);
    }

    #[test]
    fn a_cluster_is_atomic_within_a_key_group() {
        let options = Options::new().with("urls", "redis://a:1, redis://b:2").with("cluster", true);
        let config = Config::read(&options).unwrap();
        assert_eq!((config.nodes.len(), config.capabilities().scope), (2, AtomicScope::KeyGroup));
    }

    #[test]
    fn own_4_wrong_values_are_refused_by_name_and_never_shown() {
        let options = || Options::new().with("url", "redis://user:hunter2@localhost");
        refused(&Options::new(), "url");
        refused(&Options::new().with("url", "http://user:hunter2@host"), "url");
        refused(&Options::new().with("url", "rediss://user:hunter2@host/#insecure"), "url");
        refused(&Options::new().with("url", "redis://user:hunter2@host/?password=hunter2"), "url");
        refused(&options().with("urls", "redis://b:2"), "urls");
        refused(&Options::new().with("urls", "redis://:hunter2@a:1,redis://b:2"), "urls");
        refused(&options().with("prefix", "{x}"), "prefix");
        refused(&options().with("timeout_ms", 0), "timeout_ms");
        refused(&options().with("no_such", "hunter2"), "no_such");
        assert!(!format!("{:?}", Config::read(&options()).unwrap()).contains("hunter2"));
    }
}
