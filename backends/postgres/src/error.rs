//! What the server says, as errors that say what to do.

use std::{borrow::Cow, time::Duration};

use sqlx::error::{DatabaseError, Error as SqlError};
use statehold_core::{Error, ErrorKind};

/// What an error means for the statement that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Undone, and doing it again may succeed.
    Again,
    /// Undone.
    Undone,
    /// The connection is gone: nobody knows.
    Unknown,
}

fn code(e: &dyn DatabaseError) -> Cow<'_, str> {
    e.code().unwrap_or_default()
}

/// What became of a statement.
pub(crate) fn fate(e: &SqlError) -> Fate {
    match e {
        SqlError::Database(e) => match &*code(&**e) {
            // Serialization failure, deadlock.
            "40001" | "40P01" => Fate::Again,
            // The session was ended: perhaps behind the commit.
            "57P01" | "57P02" | "57P03" | "57P05" => Fate::Unknown,
            _ => Fate::Undone,
        },
        SqlError::Io(_) | SqlError::Tls(_) | SqlError::Protocol(_) | SqlError::WorkerCrashed => Fate::Unknown,
        _ => Fate::Undone,
    }
}

/// An error of a statement.
#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn of(e: SqlError) -> Error {
    let SqlError::Database(database) = &e else { return of_connection(&e) };
    let (kind, what, advice) = known(&code(&**database));
    let message = format!("{what}: {} (SQLSTATE {})", database.message(), code(&**database));
    // The detail may hold rows, so the source stays out.
    Error::new(kind, message).advise(advice)
}

type Known = (ErrorKind, &'static str, &'static str);

fn known(code: &str) -> Known {
    use ErrorKind::{
        Corrupt, Internal, InvalidInput, LimitExceeded, ResourceExhausted, Timeout, Unavailable, Unsupported,
    };
    match code {
        "28P01" | "28000" => {
            (InvalidInput, "the server refuses the user", "check user and password of `url`, and pg_hba.conf")
        }
        "3D000" => (InvalidInput, "the database is not there", "create it, or check the end of `url`"),
        "42501" => (
            InvalidInput,
            "the role may not do that",
            "grant it, or let an administrator migrate and set `auto_migrate = false`: see the page of the backend",
        ),
        "3F000" | "42P01" | "42883" | "42703" => {
            (InvalidInput, "the schema is not as statehold made it", "choose another `schema`, or migrate this one")
        }
        "25006" => (
            Unsupported,
            "the server takes no writes",
            "connect to the primary, or open the store with ownership `read-only`",
        ),
        "53300" => (
            ResourceExhausted,
            "the server has no connection left",
            "lower `pool` of all stores, or raise the server's `max_connections`",
        ),
        "53100" => (ResourceExhausted, "the server's disk is full", "free space; nothing of the operation is in"),
        "53200" => (ResourceExhausted, "the server is out of memory", "send smaller batches, or give it more"),
        "SH001" => {
            (ResourceExhausted, "revisions are used up", "archive the store and recover it: that begins them anew")
        }
        "57014" => (Timeout, "the server gave the statement up", "raise `timeout_ms`, or look at what holds it up"),
        "55P03" => (Timeout, "a lock was not to be had", "look at what holds it"),
        "57P01" | "57P02" | "57P03" | "57P05" => {
            (Unavailable, "the server ended the session", "try again when it is back")
        }
        "58030" => (Unavailable, "the server cannot read or write its files", "look at its disk and its log"),
        "XX001" | "XX002" => {
            (Corrupt, "the server found its files damaged", "recover from a checkpoint into a new schema")
        }
        _ if code.starts_with("53") => (ResourceExhausted, "the server has used something up", "look at its log"),
        _ if code.starts_with("54") => {
            (LimitExceeded, "the server's own limit is exceeded", "lower the store's limits")
        }
        _ if code.starts_with("08") => (Unavailable, "the connection failed", "try again"),
        _ => (Internal, "the server refuses a statement", "report it, with the server's version"),
    }
}

/// The connection failed in the middle of something that is not a commit.
fn of_connection(e: &SqlError) -> Error {
    let kind = match e {
        SqlError::Io(_) | SqlError::Tls(_) | SqlError::WorkerCrashed | SqlError::Protocol(_) => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    let what = if kind == ErrorKind::Unavailable {
        "the connection to the server failed"
    } else {
        "an answer of the server makes no sense"
    };
    Error::new(kind, format!("{what}: {e}")).advise("look whether the server is there; then try again")
}

/// An error of connecting: nothing was sent.
pub(crate) fn of_connect(e: SqlError) -> Error {
    match &e {
        SqlError::Database(_) => of(e),
        SqlError::Tls(_) => Error::new(ErrorKind::Unavailable, format!("no TLS with the server: {e}")).about("tls").advise(
            "give the CA that signed its certificate as `tls_ca`, and the name in it as the host; or choose another `tls`",
        ),
        SqlError::Configuration(_) => {
            Error::invalid(format!("the server's address or TLS files cannot be used: {e}")).about("url").advise("check `url` and `tls_ca`")
        }
        _ => Error::new(ErrorKind::Unavailable, format!("the server cannot be reached: {e}"))
            .about("url")
            .advise("check host and port of `url`, and whether it runs"),
    }
}

pub(crate) fn connect_timeout(after: Duration) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the server did not answer within {} ms", after.as_millis()))
        .about("url")
        .advise("check host and port of `url`, and whether it runs; or raise `connect_timeout_ms`")
}

pub(crate) fn timeout(after: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("no answer within {} ms", after.as_millis()))
        .advise("look whether the server is overloaded, or raise `timeout_ms`; nothing has changed")
}

/// A commit was sent and not answered.
pub(crate) fn indeterminate(why: &str) -> Error {
    Error::new(ErrorKind::Indeterminate, format!("the commit was sent and not answered: {why}"))
        .advise("send it again with the same marker: it is applied once")
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed").advise("open it again")
}

pub(crate) fn fenced() -> Error {
    Error::fenced("another owner opened the store since").advise("open it again, if this process shall be the owner")
}

pub(crate) fn gone() -> Error {
    Error::fenced("a state was dropped or replaced by recover").advise("open the state again by its name")
}

pub(crate) fn no_revisions() -> Error {
    Error::unsupported("a condition on a revision, in a state without them")
        .advise("register the state with `revisions = true`, or use `ValueIs`")
}

pub(crate) fn numbered() -> Error {
    Error::unsupported("an element put at a place of its own into a list")
        .advise("append it: the server numbers elements")
}

/// An answer that our own functions never give.
pub(crate) fn answer(what: &str) -> Error {
    Error::internal(format!("the server's answer is not as expected: {what}"))
        .advise("check that nobody changed the functions of the schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_state_has_advice_and_a_kind_of_its_own() {
        for (state, kind) in [
            ("28P01", ErrorKind::InvalidInput),
            ("25006", ErrorKind::Unsupported),
            ("53300", ErrorKind::ResourceExhausted),
            ("53100", ErrorKind::ResourceExhausted),
            ("57014", ErrorKind::Timeout),
            ("57P03", ErrorKind::Unavailable),
            ("XX001", ErrorKind::Corrupt),
            ("54000", ErrorKind::LimitExceeded),
            ("99999", ErrorKind::Internal),
        ] {
            let (found, what, advice) = known(state);
            assert_eq!(found, kind, "{state}");
            assert!(!what.is_empty() && !advice.is_empty());
        }
    }

    #[test]
    fn a_lost_connection_leaves_the_outcome_unknown() {
        let lost = SqlError::Io(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        assert_eq!(fate(&lost), Fate::Unknown);
        assert_eq!(of(lost).kind(), ErrorKind::Unavailable);
    }
}
