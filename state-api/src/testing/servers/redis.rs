//! [`RedisServer`]: a Redis of one's own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Signal;
use statehold_core::{Error, ErrorKind, Result};

use super::{
    folder::Folder,
    process::{Launch, ServerProcess, find_binary},
};

/// Names a server of the user's own, in place of a private one.
pub const REDIS_URL: &str = "STATEHOLD_TEST_REDIS_URL";

/// The Debian package with the programs.
pub(super) const PACKAGE: &str = "redis-server";
/// So often another port is tried when somebody else took the one that was free.
const ATTEMPTS: usize = 5;
/// How long a server that is starting may take to answer one request.
const ANSWER: Duration = Duration::from_secs(1);

/// How a private server is set up.
///
/// ```no_run
/// use statehold::testing::servers::RedisServer;
/// let server = RedisServer::builder().setting("appendfsync", "everysec").password("secret").start()?;
/// println!("{}", server.port());
/// # Ok::<(), statehold::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct RedisBuilder {
    settings: Vec<(String, String)>,
    users: Vec<String>,
    password: Option<String>,
    tls: bool,
    replica_of: Option<u16>,
    kept: Option<PathBuf>,
}

/// Shows no password.
impl std::fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("tls", &self.tls)
            .field("replica_of", &self.replica_of)
            .finish_non_exhaustive()
    }
}

impl RedisBuilder {
    /// A line of `redis.conf`, in place of the one that a private server has by default: `appendonly yes`,
    /// `appendfsync always`, `maxmemory-policy noeviction`, nothing but the log is written to disk.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The password of the user `default`.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// An ACL user: its name, and its rules as `ACL SETUSER` takes them.
    #[must_use]
    pub fn user(mut self, name: &str, rules: &str) -> Self {
        self.users.push(format!("{name} {rules}"));
        self
    }

    /// TLS in place of plain text, with a certificate for `localhost` and 127.0.0.1 of a
    /// [CA of its own](RedisServer::ca).
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// A replica of the server on this port.
    #[must_use]
    pub fn replica_of(mut self, port: u16) -> Self {
        self.replica_of = Some(port);
        self
    }

    /// Keeps its data in this folder, and finds them again at its next start, instead of removing them.
    #[must_use]
    pub fn keep_in(mut self, folder: &Path) -> Self {
        self.kept = Some(folder.to_owned());
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// `NotFound` naming the Debian package that is missing; `Unavailable` with the log's tail.
    pub fn start(self) -> Result<RedisServer> {
        let program = find_binary("redis-server", &[], PACKAGE)?;
        let folder = match &self.kept {
            Some(path) => Folder::kept(path, None)?,
            None => Folder::temporary("statehold-redis-", None)?,
        };
        if self.tls {
            super::tls::make_certificates(&folder, None)?;
        }
        for attempt in 1.. {
            let port = port(&folder, &self.settings)?;
            let configuration = folder.path().join("redis.conf");
            fs::write(&configuration, self.configuration(&folder, port))
                .map_err(|e| Error::internal("no configuration file").because(e))?;
            let launch = Launch {
                program: program.clone(),
                arguments: vec![configuration.display().to_string()],
                user: None,
                // A log of each attempt's own: what one says of its port is not said of the next.
                log: folder.path().join(format!("log-{attempt}")),
            };
            let mut process = ServerProcess::start(launch)?;
            match wait(&mut process, port, self.tls) {
                Ok(()) => folder.remember(port)?,
                Err(e) if attempt < ATTEMPTS && e.message().contains("Address already in use") => continue,
                Err(e) => return Err(e),
            }
            return Ok(RedisServer { process, port, password: self.password, tls: self.tls, folder });
        }
        Err(Error::internal("no attempt was made to start a server"))
    }

    fn configuration(&self, folder: &Folder, port: u16) -> String {
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", folder.path().display()),
            "save \"\"".into(),
            "appendonly yes".into(),
            "appendfsync always".into(),
            "maxmemory-policy noeviction".into(),
            "databases 1".into(),
            "repl-diskless-sync-delay 0".into(),
        ];
        if self.tls {
            lines.push(format!("port 0\ntls-port {port}\ntls-auth-clients no"));
            lines.push(format!("tls-cert-file {}\ntls-key-file {}", at("server.crt"), at("server.key")));
            lines.push(format!("tls-ca-cert-file {}", at("ca.crt")));
        } else {
            lines.push(format!("port {port}"));
        }
        lines.extend(self.password.iter().map(|password| format!("requirepass \"{password}\"")));
        lines.extend(self.users.iter().map(|user| format!("user {user}")));
        lines.extend(self.replica_of.iter().map(|port| format!("replicaof 127.0.0.1 {port}")));
        // The last of several lines counts.
        lines.extend(self.settings.iter().map(|(name, value)| format!("{name} {value}")));
        lines.join("\n") + "\n"
    }
}

/// A running Redis on 127.0.0.1. Dropping it ends it and removes its data.
pub struct RedisServer {
    process: ServerProcess,
    port: u16,
    password: Option<String>,
    tls: bool,
    folder: Folder,
}

impl std::fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisServer").field("port", &self.port).field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl RedisServer {
    /// A server to be set up.
    #[must_use]
    pub fn builder() -> RedisBuilder {
        RedisBuilder::default()
    }

    /// A server that keeps every write through `kill -9`.
    ///
    /// # Errors
    /// As [`RedisBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// Where to connect, with the password in it if it has one.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let user = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        let host = if self.tls { "localhost" } else { "127.0.0.1" };
        format!("{scheme}://{user}{host}:{}", self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the CA that signed the server's, where TLS is on.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// `Internal` if the system refuses to tell.
    pub fn stop(&mut self) -> Result<()> {
        self.process.stop(Signal::TERM)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// `Internal` if the system refuses to tell.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// Starts it again on the same port and data, after [`stop`](Self::stop) or [`kill`](Self::kill), and waits
    /// until it answers.
    ///
    /// # Errors
    /// `Unavailable` with the log's tail.
    pub fn restart(&mut self) -> Result<()> {
        self.process.start_again()?;
        wait(&mut self.process, self.port, self.tls)
    }

    /// It holds its connections and answers nothing, until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.process.pause();
    }

    /// It goes on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Sends a command in plain text and answers the first line of the reply.
    ///
    /// # Errors
    /// `Unsupported` over TLS; `Unavailable` if the server does not answer.
    pub fn command(&self, line: &str) -> Result<String> {
        if self.tls {
            return Err(Error::unsupported("a command in plain text to a server with TLS").advise("use a client"));
        }
        let auth = self.password.as_ref().map(|password| format!("AUTH \"{password}\"\r\n")).unwrap_or_default();
        say(self.port, &format!("{auth}{line}\r\n"), if auth.is_empty() { 1 } else { 2 })
            .map_err(|e| Error::new(ErrorKind::Unavailable, "the server does not answer").because(e))
    }
}

/// A free port; of a cluster's node one whose bus, 10,000 above it, has a port too.
fn port(folder: &Folder, settings: &[(String, String)]) -> Result<u16> {
    let clustered = settings.iter().any(|(name, _)| name == "cluster-enabled");
    loop {
        let port = folder.port()?;
        if !clustered || port < u16::MAX - 10_000 {
            return Ok(port);
        }
    }
}

/// One that loads its data answers already, with an error.
fn wait(process: &mut ServerProcess, port: u16, tls: bool) -> Result<()> {
    process.wait_until(|| {
        if tls {
            return TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        }
        say(port, "PING\r\n", 1).is_ok_and(|answer| answer.starts_with("+PONG") || answer.starts_with("-NOAUTH"))
    })
}

/// The last of `lines` lines of the answer to an inline command.
fn say(port: u16, command: &str, lines: usize) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(command.as_bytes())?;
    let mut answers = BufReader::new(stream).lines();
    let mut last = String::new();
    for _ in 0..lines {
        last = answers.next().unwrap_or_else(|| Err(std::io::ErrorKind::UnexpectedEof.into()))?;
    }
    Ok(last)
}

/// The server that [`REDIS_URL`] names, or none.
///
/// # Errors
/// `InvalidInput` if it is not text.
pub fn given_url() -> Result<Option<String>> {
    match std::env::var(REDIS_URL) {
        Ok(url) => Ok(Some(url)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(e) => Err(Error::new(ErrorKind::InvalidInput, format!("{REDIS_URL} is not text")).because(e)),
    }
}
