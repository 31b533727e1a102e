//! [`Config`]: the options of a store.

use std::{str::FromStr, time::Duration};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use statehold_core::{Error, OptionReader, Options, Result};

/// The name in descriptors.
pub(crate) const KIND: &str = "postgres";

/// Checked options. No `Debug`: the connection's holds the password.
pub(crate) struct Config {
    /// Address, user, password, TLS.
    pub(crate) server: PgConnectOptions,
    pub(crate) schema: String,
    /// The most connections for reads and commits.
    pub(crate) pool: usize,
    /// How long one read or commit may take, waiting for a connection included.
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) auto_migrate: bool,
}

const DEFAULT_POOL: u64 = 8;
const DEFAULT_TIMEOUT_MS: u64 = 30_000;
const DEFAULT_CONNECT_TIMEOUT_MS: u64 = 10_000;
/// The server's own limit of identifiers.
const MAX_IDENTIFIER: usize = 63;

impl Config {
    pub(crate) fn read(options: &Options) -> Result<Self> {
        let mut reader = OptionReader::new(KIND, options);
        let url = reader.text("url")?;
        let schema = reader.text("schema")?.unwrap_or("statehold").to_owned();
        let pool = reader.integer("pool")?.unwrap_or(DEFAULT_POOL);
        let timeout = reader.integer("timeout_ms")?.unwrap_or(DEFAULT_TIMEOUT_MS);
        let connect_timeout = reader.integer("connect_timeout_ms")?.unwrap_or(DEFAULT_CONNECT_TIMEOUT_MS);
        let auto_migrate = reader.boolean("auto_migrate")?.unwrap_or(true);
        let tls = reader.text("tls")?.unwrap_or("verify-full");
        let ca = reader.text("tls_ca")?;
        reader.done()?;

        check_schema(&schema)?;
        let url = url.ok_or_else(|| {
            Error::invalid("kind `postgres` needs the option `url`")
                .about("url")
                .advise("give e.g. url = \"postgres://app:${PGPASSWORD}@db.example:5432/orders\"")
        })?;
        let mut server = parse_url(url)?.ssl_mode(ssl_mode(tls)?);
        if let Some(ca) = ca {
            if tls == "disable" {
                return Err(Error::invalid("`tls_ca` is given, and `tls` is \"disable\"")
                    .about("tls_ca")
                    .advise("leave one of them out"));
            }
            server = server.ssl_root_cert(ca);
        }
        let pool = between("pool", pool, 1, 1000)?;
        Ok(Self {
            server,
            schema,
            pool: usize::try_from(pool).unwrap_or(1),
            timeout: Duration::from_millis(between("timeout_ms", timeout, 1, 24 * 3_600_000)?),
            connect_timeout: Duration::from_millis(between("connect_timeout_ms", connect_timeout, 1, 3_600_000)?),
            auto_migrate,
        })
    }
}

fn between(name: &str, value: u64, least: u64, most: u64) -> Result<u64> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(Error::invalid(format!("option `{name}` is {value}")).about(name).advise(format!("give {least} to {most}")))
}

/// The schema is the only name that ever stands in SQL text.
fn check_schema(schema: &str) -> Result<()> {
    let head = schema.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    let tail = schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if head && tail && schema.len() <= MAX_IDENTIFIER && !schema.starts_with("pg_") {
        return Ok(());
    }
    Err(Error::invalid(format!("`{}` is not a schema name", schema.escape_debug()))
        .about("schema")
        .advise("use 1 to 63 of a-z, 0-9 and `_`, beginning with a letter or `_`, and not with `pg_`"))
}

/// What is wrong with the URL is not told in its own words: they may hold the password.
fn parse_url(url: &str) -> Result<PgConnectOptions> {
    let wrong = |what: &str| {
        Error::invalid(format!("option `url` {what}"))
            .about("url")
            .advise("write postgres://USER:PASSWORD@HOST:PORT/DATABASE, special characters as %XX; a socket's folder is the host, its `/` as %2F")
    };
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(wrong("does not begin with postgres://"));
    }
    if url.contains(['?', '#']) {
        return Err(wrong("has parameters; settings are options of the store"));
    }
    PgConnectOptions::from_str(url).map_err(|_| wrong("is not a URL of PostgreSQL"))
}

fn ssl_mode(tls: &str) -> Result<PgSslMode> {
    match tls {
        "verify-full" => Ok(PgSslMode::VerifyFull),
        "require" => Ok(PgSslMode::Require),
        "disable" => Ok(PgSslMode::Disable),
        other => Err(Error::invalid(format!("option `tls` is `{}`", other.escape_debug())).about("tls").advise(
            "\"verify-full\" checks the server's certificate and name, \"require\" only encrypts, \"disable\" sends plain text",
        )),
    }
}

#[cfg(test)]
mod tests {
    use statehold_core::ErrorKind;

    use super::*;

    fn refused(options: &Options) -> Error {
        Config::read(options).err().expect("the options must be refused")
    }

    fn good() -> Options {
        Options::new().with("url", "postgres://u:hunter2@localhost/db")
    }

    #[test]
    fn a_schema_that_could_be_sql_is_refused() {
        for schema in ["", "a b", "a\"b", "A", "1a", "ä", "pg_catalog", "a;drop", &"x".repeat(64)] {
            let error = refused(&good().with("schema", schema));
            assert_eq!((error.kind(), error.subject()), (ErrorKind::InvalidInput, Some("schema")), "{schema}");
        }
        assert!(Config::read(&good().with("schema", "_orders_2")).is_ok());
    }

    #[test]
    fn errors_about_the_url_do_not_show_the_password() {
        for url in ["hunter2", "postgres://u:hunter2@[/", "postgres://u:hunter2@h/d?sslmode=disable", "mysql://hunter2"]
        {
            let error = refused(&Options::new().with("url", url));
            assert_eq!(error.subject(), Some("url"));
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn tls_is_verified_unless_told_otherwise() {
        let mode = |options| Config::read(&options).unwrap().server.get_ssl_mode();
        assert!(matches!(mode(good()), PgSslMode::VerifyFull));
        assert!(matches!(mode(good().with("tls", "disable")), PgSslMode::Disable));
        assert_eq!(refused(&good().with("tls", "prefer")).subject(), Some("tls"));
    }
}
