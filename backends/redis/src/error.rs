//! What Redis says, as typed errors. Commands never appear in them: they may hold passwords and values.

use redis::{ErrorKind as Kind, RedisError, ServerErrorKind as Server};
use statehold_core::{Error, ErrorKind};

/// What is known of a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server refused it, or never got it; the same request may work soon.
    RefusedForNow,
    /// The server refused it for good.
    Refused,
    /// It may have been carried out.
    Unknown,
}

/// What became of the request that failed with `error`, once it was handed to a connection.
pub(crate) fn fate(error: &RedisError) -> Fate {
    match error.kind() {
        Kind::Server(
            Server::BusyLoading
            | Server::Moved
            | Server::Ask
            | Server::TryAgain
            | Server::ClusterDown
            | Server::MasterDown
            | Server::ReadOnly,
        )
        | Kind::ClusterConnectionNotFound => Fate::RefusedForNow,
        _ if is_moving(error) => Fate::RefusedForNow,
        Kind::Server(_) | Kind::Extension if error.code() == Some("BUSY") => Fate::RefusedForNow,
        _ if is_crowded(error) => Fate::RefusedForNow,
        Kind::Server(_)
        | Kind::Extension
        | Kind::AuthenticationFailed
        | Kind::InvalidClientConfig
        | Kind::Client
        | Kind::RESP3NotSupported => Fate::Refused,
        _ if error.is_connection_refusal() => Fate::RefusedForNow,
        _ => Fate::Unknown,
    }
}

/// A slot is on its way to another node: scripts notice before they read or write.
fn is_moving(error: &RedisError) -> bool {
    matches!(error.kind(), Kind::Server(_)) && text(error).contains("non local key")
}

/// The server takes no more connections.
fn is_crowded(error: &RedisError) -> bool {
    text(error).contains("max number of clients reached")
}

fn text(error: &RedisError) -> String {
    // The server's own words; RedisError never shows the command.
    error.to_string()
}

/// An error of a request that only looked, or was refused.
pub(crate) fn typed(error: &RedisError) -> Error {
    let said = text(error);
    let code = error.code().unwrap_or_default();
    let make = |kind, message: &str, advice: &str| {
        Error::new(kind, message.to_owned()).advise(advice.to_owned()).because(said.clone())
    };
    match code {
        "OOM" => {
            return make(
                ErrorKind::ResourceExhausted,
                "Redis is at its `maxmemory` and refuses writes; nothing was written",
                "raise `maxmemory`, or drop states; never choose an eviction policy",
            );
        }
        "MISCONF" => {
            return make(
                ErrorKind::ResourceExhausted,
                "Redis cannot write its snapshot or log to disk and refuses writes; nothing was written",
                "free the server's disk and see its log",
            );
        }
        "WRONGTYPE" => {
            return make(
                ErrorKind::InvalidInput,
                "a key under `prefix` holds something that statehold did not write",
                "choose another `prefix`, which nobody else uses",
            );
        }
        "NOAUTH" | "WRONGPASS" | "NOPERM" => return refused_user(&said, code),
        "NOREPLICAS" => {
            return make(
                ErrorKind::Unavailable,
                "Redis has fewer good replicas than `min-replicas-to-write`",
                "bring the replicas back",
            );
        }
        "BUSY" => {
            return make(
                ErrorKind::Unavailable,
                "Redis is busy with a script of somebody else",
                "try again; look for long scripts in SLOWLOG",
            );
        }
        _ => {}
    }
    if is_moving(error) {
        return make(
            ErrorKind::Unavailable,
            "a slot of the Redis Cluster is on its way to another node",
            "try again when it has arrived; see `redis-cli --cluster check`",
        );
    }
    if is_crowded(error) {
        return make(
            ErrorKind::ResourceExhausted,
            "the server has no connection left",
            "raise the server's `maxclients`, or end clients that nobody needs",
        );
    }
    match error.kind() {
        Kind::AuthenticationFailed | Kind::Server(Server::NoPerm) => refused_user(&said, code),
        Kind::Server(Server::ReadOnly) => make(
            ErrorKind::Unavailable,
            "this Redis server is a read-only replica",
            "name the master, or wait until the failover is over",
        ),
        Kind::Server(Server::ClusterDown | Server::MasterDown | Server::Moved | Server::Ask | Server::TryAgain)
        | Kind::ClusterConnectionNotFound => make(
            ErrorKind::Unavailable,
            "the Redis Cluster does not serve the slot just now",
            "try again; see `redis-cli --cluster check`",
        ),
        Kind::Server(Server::BusyLoading) => {
            make(ErrorKind::Unavailable, "Redis is loading its data", "try again when it has started")
        }
        Kind::Server(_) | Kind::Extension => {
            make(ErrorKind::Internal, &format!("Redis refused a request: {said}"), "report it; see the server's log")
        }
        Kind::Parse => make(
            ErrorKind::Unavailable,
            "the peer does not speak the Redis protocol",
            "check host and port, and whether the server expects TLS (rediss://)",
        ),
        _ if error.is_timeout() => {
            make(ErrorKind::Timeout, "Redis did not answer in time", "raise `timeout_ms`, or look at the server's load")
        }
        _ => make(
            ErrorKind::Unavailable,
            "the connection to Redis failed",
            "check that the server runs, its host and port, whether it expects TLS (rediss://), and its `maxclients`",
        ),
    }
}

fn refused_user(said: &str, code: &str) -> Error {
    let (message, advice) = if code == "NOPERM" || said.contains("permission") {
        (
            "the Redis user may not do what statehold needs",
            "grant what docs/src/backends/redis.md lists, on the keys of `prefix`",
        )
    } else {
        ("Redis does not accept the user or password", "check `username` and `password`, or those in `url`")
    };
    Error::new(ErrorKind::InvalidInput, message).about("password").advise(advice)
}

/// A commit of which nobody knows whether it was applied.
pub(crate) fn indeterminate(error: &RedisError) -> Error {
    Error::new(ErrorKind::Indeterminate, "the connection failed, or timed out, before Redis answered the commit")
        .advise("send it again with the same marker, which resolves it; without a marker read the records back")
        .because(text(error))
}

/// The unit's keys are gone from the server.
pub(crate) fn lost() -> Error {
    Error::fenced("the server does not hold this store any more: it was flushed, or restarted without persistence")
        .advise("open the store again and recover it from a checkpoint")
}

/// An answer that no script of ours gives.
pub(crate) fn unexpected() -> Error {
    Error::internal("Redis answered something that no script of statehold answers")
        .advise("check that nothing else uses the keys of `prefix`, and that no proxy changes answers")
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed").advise("open it again")
}
