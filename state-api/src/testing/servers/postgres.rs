//! [`PostgresServer`]: a PostgreSQL of one's own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use statehold_core::{Error, ErrorKind, Result};

use super::{
    folder::{Folder, give},
    process::{Launch, RunAs, ServerProcess, find_binary, is_alive, run},
};

/// Names a server of the user's own, in place of a private one.
pub const POSTGRES_URL: &str = "STATEHOLD_TEST_POSTGRES_URL";

const PACKAGE: &str = "postgresql";
/// So often another port is tried when somebody else took the one that was free.
const ATTEMPTS: usize = 5;
/// So often it is tried whether the former server of a folder is gone.
const GONE_ATTEMPTS: usize = 200;

/// How a private server is set up.
///
/// ```no_run
/// use statehold::testing::servers::PostgresServer;
/// let server = PostgresServer::builder().fsync(true).tls(true).start()?;
/// println!("{}", server.url().len());
/// # Ok::<(), statehold::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct PostgresBuilder {
    fsync: bool,
    tls: bool,
    password: Option<String>,
    /// Port and password of a primary.
    standby_of: Option<(u16, String)>,
    settings: Vec<(String, String)>,
    kept: Option<PathBuf>,
}

/// Shows no password.
impl std::fmt::Debug for PostgresBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresBuilder")
            .field("fsync", &self.fsync)
            .field("tls", &self.tls)
            .field("standby_of", &self.standby_of.as_ref().map(|(port, _)| port))
            .finish_non_exhaustive()
    }
}

impl PostgresBuilder {
    /// Whether the server waits for the disk; `false` by default, which survives `kill -9` but no power loss.
    #[must_use]
    pub fn fsync(mut self, on: bool) -> Self {
        self.fsync = on;
        self
    }

    /// Whether it offers TLS, with a certificate for `localhost` and 127.0.0.1 of a
    /// [CA of its own](PostgresServer::ca).
    #[must_use]
    pub fn tls(mut self, on: bool) -> Self {
        self.tls = on;
        self
    }

    /// The superuser's password, in place of a random one; of letters, digits and `-`, so that a URL can hold it.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// A hot standby, which begins as a copy of `primary` and takes on what is written there, as long as that runs.
    #[must_use]
    pub fn standby_of(mut self, primary: &PostgresServer) -> Self {
        self.standby_of = Some((primary.port, primary.password.clone()));
        self
    }

    /// Another setting of `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Keeps its data in this folder, and finds them again at its next start, instead of removing them. As root the
    /// folder must be one that the user `postgres` can enter.
    #[must_use]
    pub fn keep_in(mut self, folder: &Path) -> Self {
        self.kept = Some(folder.to_owned());
        self
    }

    /// Starts the server and waits until it takes connections.
    ///
    /// # Errors
    /// `NotFound` naming the Debian package that is missing; `Unavailable` with the log's tail.
    pub fn start(self) -> Result<PostgresServer> {
        let user = RunAs::unless_unprivileged("postgres")?;
        let folder = match &self.kept {
            Some(path) => Folder::kept(path, user)?,
            None => Folder::temporary("statehold-postgres-", user)?,
        };
        let password = match &self.standby_of {
            Some((port, password)) => copy(*port, password, &folder, user)?,
            None => initialise(&folder, self.password.as_deref(), user)?,
        };
        if self.tls {
            super::tls::make_certificates(&folder, user)?;
        }
        for attempt in 1.. {
            let port = folder.port()?;
            let launch = self.launch(&folder, port, user)?;
            // What is told of this attempt must not be said of a former one.
            if let Err(e) = fs::remove_file(&launch.log)
                && e.kind() != std::io::ErrorKind::NotFound
            {
                return Err(Error::internal("a former log stays").because(e));
            }
            disown(&folder)?;
            let mut process = ServerProcess::start(launch)?;
            match wait(&mut process, &folder) {
                Ok(()) => folder.remember(port)?,
                Err(e) if attempt < ATTEMPTS && e.message().contains("Address already in use") => continue,
                // A server that was killed: its processes notice one after the other.
                Err(e) if attempt < GONE_ATTEMPTS && is_going(&e) => {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                    continue;
                }
                Err(e) => return Err(e),
            }
            return Ok(PostgresServer { process, password, port, folder });
        }
        Err(Error::internal("no attempt was made to start a server"))
    }

    fn launch(&self, folder: &Folder, port: u16, user: Option<RunAs>) -> Result<Launch> {
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut arguments = vec!["-D".to_owned(), at("data")];
        let mut set = |name: &str, value: &str| arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        set("listen_addresses", "127.0.0.1");
        set("port", &port.to_string());
        set("unix_socket_directories", &folder.path().display().to_string());
        set("fsync", if self.fsync { "on" } else { "off" });
        set("max_connections", "200");
        set("shared_buffers", "64MB");
        if self.tls {
            set("ssl", "on");
            set("ssl_cert_file", &at("server.crt"));
            set("ssl_key_file", &at("server.key"));
        }
        for (name, value) in &self.settings {
            set(name, value);
        }
        Ok(Launch { program: program("postgres")?, arguments, user, log: folder.path().join("log") })
    }
}

/// A running PostgreSQL with a database and superuser `postgres` and a password of its own.
/// Dropping it ends it and removes its data.
pub struct PostgresServer {
    process: ServerProcess,
    password: String,
    port: u16,
    folder: Folder,
}

impl std::fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresServer").field("port", &self.port).finish_non_exhaustive()
    }
}

impl PostgresServer {
    /// A server to be set up.
    #[must_use]
    pub fn builder() -> PostgresBuilder {
        PostgresBuilder::default()
    }

    /// A server without TLS that does not wait for the disk.
    ///
    /// # Errors
    /// As [`PostgresBuilder::start`].
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// Where to connect over TCP, with the password in it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// Where to connect over the Unix socket, with the password in it.
    #[must_use]
    pub fn socket_url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres:{}@{folder}:{}/postgres", self.password, self.port)
    }

    /// The superuser's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
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

    /// Ends it in order: sessions are cut, everything is written.
    ///
    /// # Errors
    /// `Internal` if the system refuses to tell.
    pub fn stop(&mut self) -> Result<()> {
        self.process.stop(Signal::INT)
    }

    /// `kill -9` of the server and all its processes.
    ///
    /// # Errors
    /// `Internal` if the system refuses to tell.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// Starts it again on the same port and data, after [`stop`](Self::stop) or [`kill`](Self::kill), and waits
    /// until it takes connections.
    ///
    /// # Errors
    /// `Unavailable` with the log's tail.
    pub fn restart(&mut self) -> Result<()> {
        self.process.start_again()?;
        wait(&mut self.process, &self.folder)
    }

    /// It holds its connections and answers nothing, until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.process.pause();
    }

    /// It goes on.
    pub fn resume(&self) {
        self.process.resume();
    }
}

/// Whether a former server of the folder was still there.
fn is_going(error: &Error) -> bool {
    ["is still in use", "already exists"].iter().any(|words| error.message().contains(words))
}

fn program(name: &str) -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    places.sort();
    find_binary(name, &places, PACKAGE)
}

/// 122 random bits: nobody else on this machine gets in.
fn password() -> String {
    let bits = |seed: u8| std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), seed);
    format!("{:016x}{:016x}", bits(0), bits(1))
}

/// Makes the data folder unless it is there; answers the superuser's password.
fn initialise(folder: &Folder, wanted: Option<&str>, user: Option<RunAs>) -> Result<String> {
    let (data, file) = (folder.path().join("data"), folder.path().join("password"));
    if data.join("PG_VERSION").exists() {
        return fs::read_to_string(&file).map_err(|e| Error::internal("the password file is gone").because(e));
    }
    let password = wanted.map_or_else(password, str::to_owned);
    secret(&file, &password, user)?;
    // Made beside its place: what a killed start left half made is made anew.
    let new = folder.path().join("data.new");
    if let Err(e) = fs::remove_dir_all(&new)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(Error::internal("a half made data folder stays").because(e));
    }
    let (place, pwfile) = (new.display().to_string(), file.display().to_string());
    let mut arguments = vec!["-D", &place, "-U", "postgres", "--pwfile", &pwfile, "--auth=scram-sha-256"];
    arguments.extend(["--no-sync", "--wal-segsize=16", "--encoding=UTF8", "--locale=C"]);
    run(&program("initdb")?, &arguments, user)?;
    fs::rename(&new, &data).map_err(|e| Error::internal("the data folder cannot be put in place").because(e))?;
    Ok(password)
}

/// Copies a primary's data, set up to follow it.
fn copy(port: u16, password: &str, folder: &Folder, user: Option<RunAs>) -> Result<String> {
    let file = folder.path().join("password");
    secret(&file, &format!("127.0.0.1:{port}:*:postgres:{password}"), user)?;
    let primary = format!("host=127.0.0.1 port={port} user=postgres passfile={}", file.display());
    let data = folder.path().join("data").display().to_string();
    let arguments = ["-D", &data, "-d", &primary, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
    run(&program("pg_basebackup")?, &arguments, user)?;
    Ok(password.to_owned())
}

/// A file that nobody else reads.
fn secret(file: &Path, text: &str, user: Option<RunAs>) -> Result<()> {
    let write = || {
        fs::write(file, text)?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))
    };
    write().map_err(|e| Error::internal("no password file").because(e))?;
    give(file, user)
}

/// Lets a server start where a former one was killed, and nobody has asked the system yet how that ended: PostgreSQL
/// takes its number for one in use, unless it is that of the new server's parent. The status file's other lines stay,
/// by which it finds out whether parts of the former server still run.
fn disown(folder: &Folder) -> Result<()> {
    let stays = |e| Error::internal("what a former server left stays").because(e);
    let status = folder.path().join("data/postmaster.pid");
    if let Ok(text) = fs::read_to_string(&status)
        && let Some((id, rest)) = text.split_once('\n')
    {
        if id.trim().parse().is_ok_and(is_alive) {
            return Ok(());
        }
        fs::write(&status, format!("{}\n{rest}", std::process::id())).map_err(stays)?;
    }
    for entry in fs::read_dir(folder.path()).map_err(stays)? {
        let entry = entry.map_err(stays)?;
        if entry.file_name().to_string_lossy().starts_with(".s.PGSQL.") {
            fs::remove_file(entry.path()).map_err(stays)?;
        }
    }
    Ok(())
}

/// Waits until the lines of `postmaster.pid` say that it is this process that is ready.
fn wait(process: &mut ServerProcess, folder: &Folder) -> Result<()> {
    let (status, id) = (folder.path().join("data/postmaster.pid"), process.id().to_string());
    let is_ready = || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(id.as_str()) && lines.nth(6) == Some("ready")
    };
    process.wait_until(is_ready)
}

/// The server that [`POSTGRES_URL`] names, or none.
///
/// # Errors
/// `InvalidInput` if it is not text.
pub fn given_url() -> Result<Option<String>> {
    match std::env::var(POSTGRES_URL) {
        Ok(url) => Ok(Some(url)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(e) => Err(Error::new(ErrorKind::InvalidInput, format!("{POSTGRES_URL} is not text")).because(e)),
    }
}
