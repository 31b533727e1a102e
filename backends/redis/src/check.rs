//! What a server must be before a store is opened on it: new enough, a master, and set up for the level.

use std::collections::BTreeSet;

use redis::Value;
use statehold_core::{Durability, Error, ErrorKind, OpenRequest, Ownership, Result};

use crate::{config::Config, link::Link, reply};

/// The oldest server that the scripts run on.
const OLDEST: (u32, u32) = (7, 0);

/// Refuses a server that cannot keep what the request asks for.
pub(crate) async fn server(link: &Link, config: &Config, request: &OpenRequest) -> Result<()> {
    let mut masters = 0;
    for answer in link.everywhere(redis::cmd("INFO").arg("everything")).await? {
        let info = text(answer)?;
        let field = |name: &str| field(&info, name).unwrap_or_default();
        check_version(field("redis_version"))?;
        let is_cluster = field("cluster_enabled") == "1";
        if is_cluster != config.cluster {
            let (is, set) = if is_cluster { ("a node of a Cluster", "true") } else { ("no Cluster", "false") };
            return Err(Error::invalid(format!("the server is {is}"))
                .about("cluster")
                .advise(format!("set `cluster = {set}` in the store's options")));
        }
        masters += usize::from(field("role") == "master");
    }
    let writes = request.ownership != Ownership::ReadOnly;
    if writes && masters == 0 {
        return Err(Error::new(ErrorKind::Unavailable, "this Redis server is a read-only replica")
            .about("url")
            .advise("name the master, or open the store read-only"));
    }
    if writes { settings(link, config, request.durability).await } else { Ok(()) }
}

/// Which server it is. The nodes of a Cluster may differ, while it is being upgraded.
pub(crate) async fn version(link: &Link) -> Result<Option<String>> {
    let answers = link.everywhere(redis::cmd("INFO").arg("server")).await?;
    let infos = answers.into_iter().map(text).collect::<Result<Vec<_>>>()?;
    let versions: BTreeSet<String> = infos.iter().filter_map(|info| server_of(info)).collect();
    Ok((!versions.is_empty()).then(|| Vec::from_iter(versions).join(", ")))
}

/// Valkey tells the version of Redis that it can stand in for, and its own.
fn server_of(info: &str) -> Option<String> {
    let own = field(info, "valkey_version").map(|version| format!("Valkey {version}"));
    own.or_else(|| field(info, "redis_version").map(|version| format!("Redis {version}")))
}

/// A field of the answer to `INFO`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn text(answer: Value) -> Result<String> {
    match answer {
        Value::VerbatimString { text, .. } => Ok(text),
        other => reply::text(other),
    }
}

fn check_version(version: &str) -> Result<()> {
    let mut numbers = version.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= OLDEST {
        return Ok(());
    }
    Err(Error::unsupported(format!("Redis {version} is too old")).about("url").advise("run Redis 7.0 or newer"))
}

async fn settings(link: &Link, config: &Config, level: Durability) -> Result<()> {
    if config.assert_settings {
        return Ok(());
    }
    let mut get = redis::cmd("CONFIG");
    get.arg("GET").arg("maxmemory-policy").arg("appendonly").arg("appendfsync");
    let answers = link.everywhere(&get).await.map_err(|e| {
        if e.kind() == ErrorKind::InvalidInput || e.kind() == ErrorKind::Internal {
            Error::unsupported("the server does not let its settings be looked at")
                .about("assert_settings")
                .advise(
                    "grant `+config|get`, or set `assert_settings = true` if it has `maxmemory-policy noeviction` and, \
                     for `process` and `power`, `appendonly yes` and `appendfsync always`",
                )
                .because(e)
        } else {
            e
        }
    })?;
    for answer in answers {
        let found = pairs(answer)?;
        let value = |name: &str| found.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        for (setting, wanted) in needed(level) {
            if value(setting) != *wanted {
                return Err(refused(setting, value(setting), wanted, level));
            }
        }
    }
    Ok(())
}

fn needed(level: Durability) -> &'static [(&'static str, &'static str)] {
    match level {
        Durability::Visible => &[("maxmemory-policy", "noeviction")],
        _ => &[("maxmemory-policy", "noeviction"), ("appendonly", "yes"), ("appendfsync", "always")],
    }
}

fn refused(setting: &str, found: &str, wanted: &str, level: Durability) -> Error {
    if setting == "maxmemory-policy" {
        return Error::unsupported(format!("Redis evicts what is stored: `{setting} {found}`"))
            .about(setting.to_owned())
            .advise(format!("set `{setting} {wanted}` in the server's configuration"));
    }
    Error::unsupported(format!("durability `{}` cannot be given: the server has `{setting} {found}`", level.as_str()))
        .about("durability")
        .advise(format!("set `{setting} {wanted}` in the server's configuration, or choose durability `visible`"))
}

fn pairs(answer: Value) -> Result<Vec<(String, String)>> {
    let flat = match answer {
        Value::Map(pairs) => pairs.into_iter().flat_map(|(k, v)| [k, v]).collect(),
        other => reply::array(other)?,
    };
    let words: Vec<String> = flat.into_iter().map(reply::text).collect::<Result<_>>()?;
    Ok(words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_refused() {
        for version in ["6.2.14", "5.0", "", "nonsense"] {
            assert_eq!(check_version(version).unwrap_err().kind(), ErrorKind::Unsupported, "{version}");
        }
        check_version("7.0.0").unwrap();
        check_version("8.2.1").unwrap();
    }

    #[test]
    fn a_server_is_told_by_its_own_name() {
        let redis = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n";
        assert_eq!(server_of(redis).unwrap(), "Redis 7.0.15");
        let valkey = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n";
        assert_eq!(server_of(valkey).unwrap(), "Valkey 8.0.1");
        assert_eq!(server_of("# Server\r\n"), None);
    }

    #[test]
    fn life_1_a_refusal_names_the_setting_and_the_weaker_level() {
        let text = refused("appendfsync", "everysec", "always", Durability::Process).to_string();
        for part in ["appendfsync everysec", "appendfsync always", "process", "visible"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
