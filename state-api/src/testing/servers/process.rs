//! [`ServerProcess`]: a private server of a test, ended with the test whatever happens.
//!
//! The child runs under `setpriv --pdeathsig KILL`, so it dies even when this process is killed. The signal
//! follows the thread that forked: all servers are started by one thread that lives as long as the process.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use statehold_core::{Error, ErrorKind, Result};

/// How long a server may take to answer, or to end by itself.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(5);

/// Finds `name` on `PATH` or in one of `places`, whose last folders first.
///
/// # Errors
/// `NotFound` naming the Debian `package` that has it.
pub fn find_binary(name: &str, places: &[PathBuf], package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(places.iter().rev().cloned());
    let is_program = |file: &PathBuf| fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 1 == 1);
    folders.iter().map(|folder| folder.join(name)).find(is_program).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("the program `{name}` is not installed"))
            .about(name)
            .advise(format!("`apt-get install {package}`, or put it on PATH"))
    })
}

/// A user whom a server runs as where this process is root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAs {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl RunAs {
    /// The user `name`, if this process is root; `None` if it is not, and servers run as itself.
    ///
    /// # Errors
    /// `NotFound` if this process is root and there is no such user.
    pub fn unless_unprivileged(name: &str) -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").map_err(|e| failed("/etc/passwd cannot be read", e))?;
        let found = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (user, uid, gid) = (fields.next()?, fields.nth(1)?, fields.next()?);
            (user == name).then(|| Some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? }))?
        });
        found.map(Some).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no user `{name}` to run the server as"))
                .advise("install the server's package, or run as an ordinary user")
        })
    }
}

/// Runs a program to its end, as `user`.
///
/// # Errors
/// `Unavailable` with what it printed, if it fails.
pub fn run(program: &Path, arguments: &[&str], user: Option<RunAs>) -> Result<()> {
    let output = as_user(program, user, false)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| failed(&format!("`{}` cannot be started", program.display()), e))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::new(
        ErrorKind::Unavailable,
        format!("`{}` failed: {}", program.display(), String::from_utf8_lossy(&said).trim()),
    )
    .advise("see what it printed"))
}

fn as_user(program: &Path, user: Option<RunAs>, mortal: bool) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(RunAs { uid, gid }) = user {
        command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".into()]);
    }
    if mortal {
        // A step of its own: changing the user forgets the signal.
        command.args(["--", "setpriv", "--pdeathsig=KILL"]);
    }
    command.arg("--").arg(program);
    command
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The server's program.
    pub program: PathBuf,
    /// Its arguments; a password is never among them, for they are seen by all.
    pub arguments: Vec<String>,
    /// Whom it runs as.
    pub user: Option<RunAs>,
    /// Where its output goes, appended.
    pub log: PathBuf,
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct ServerProcess {
    launch: Launch,
    child: Child,
}

impl ServerProcess {
    /// Starts the server; it may not be ready yet.
    ///
    /// # Errors
    /// `Unavailable` if the program cannot be started.
    pub fn start(launch: Launch) -> Result<Self> {
        let child = spawn(&launch)?;
        Ok(Self { launch, child })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines that the server wrote to its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = fs::read(&self.launch.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    /// `Unavailable` with the log's tail if the server ends before, or says nothing for a minute.
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            if ready() {
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(|e| failed("a server cannot be waited for", e))?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                let what = if ended.is_some() { "ended at its start" } else { "does not become ready" };
                let tail = self.log_tail();
                let message = format!("`{}` {what}: {tail}", self.launch.program.display());
                return Err(Error::new(ErrorKind::Unavailable, message).advise("see the log's tail in this message"));
            }
            std::thread::sleep(TICK);
        }
    }

    /// Ends the server as it wishes to be ended (`SIGTERM`, or what it takes for a quick end), by `SIGKILL` if it
    /// does not.
    ///
    /// # Errors
    /// `Internal` if the system refuses to tell.
    pub fn stop(&mut self, signal: Signal) -> Result<()> {
        self.resume();
        if self.is_running()? {
            send(self.child.id(), signal);
            let began = Instant::now();
            while self.is_running()? && began.elapsed() < PATIENCE {
                std::thread::sleep(TICK);
            }
        }
        self.kill().map(drop)
    }

    /// `kill -9` of the server and all processes it started.
    ///
    /// # Errors
    /// `Internal` if the system refuses to tell.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        // Stopped first, it starts no others meanwhile.
        send(self.child.id(), Signal::STOP);
        let children = descendants(self.child.id());
        for id in &children {
            send(*id, Signal::KILL);
        }
        send(self.child.id(), Signal::KILL);
        let status = self.child.wait().map_err(|e| failed("a server cannot be waited for", e))?;
        while children.iter().any(|id| is_alive(*id)) {
            std::thread::sleep(TICK);
        }
        Ok(status)
    }

    /// Stops the server and its processes where they stand: it holds its connections and answers nothing.
    pub fn pause(&self) {
        self.send_all(Signal::STOP);
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.send_all(Signal::CONT);
    }

    /// Starts it again with the same arguments, hence port and data, after [`ServerProcess::stop`] or
    /// [`ServerProcess::kill`].
    ///
    /// # Errors
    /// `Unavailable` if the program cannot be started.
    pub fn start_again(&mut self) -> Result<()> {
        self.child = spawn(&self.launch)?;
        Ok(())
    }

    /// Whether it has not ended.
    ///
    /// # Errors
    /// `Internal` if the system refuses to tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().map_err(|e| failed("a server cannot be waited for", e))?.is_none())
    }

    fn send_all(&self, signal: Signal) {
        send(self.child.id(), signal);
        for id in descendants(self.child.id()) {
            send(id, signal);
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It fails only if it is gone already.
        let _ = self.kill();
    }
}

pub(super) fn failed(what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::ResourceExhausted, what).because(error).advise("see the cause")
}

fn send(id: u32, signal: Signal) {
    // A process that is gone takes no signal, and needs none.
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// State and parent of a process, if there is one.
fn status(id: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

pub(super) fn is_alive(id: u32) -> bool {
    status(id).is_some_and(|(state, _)| state != 'Z')
}

/// All processes below `id`.
fn descendants(id: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    let all: Vec<(u32, u32)> = ids.filter_map(|id| Some((id, status(id)?.1))).collect();
    let mut found = vec![id];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        next += 1;
    }
    found.split_off(1)
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts `launch` from the thread that starts all servers.
fn spawn(launch: &Launch) -> Result<Child> {
    static THREAD: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let what = || format!("`{}` cannot be started", launch.program.display());
    let log = File::options().create(true).append(true).open(&launch.log).map_err(|e| failed("no log file", e))?;
    let errors = log.try_clone().map_err(|e| failed("no log file", e))?;
    let mut command = as_user(&launch.program, launch.user, true);
    command.args(&launch.arguments).current_dir("/").stdin(Stdio::null()).stdout(log).stderr(errors);
    let thread = THREAD.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        let work = move || {
            for (mut command, answer) in inbox {
                // Whoever asked may be gone: then nobody holds the server, and it must not stay.
                if let Err(mpsc::SendError(Ok(mut orphan))) = answer.send(command.spawn()) {
                    let _ = orphan.kill();
                    let _ = orphan.wait();
                }
            }
        };
        // Without the thread every order fails, which is told there.
        let _ = std::thread::Builder::new().name("servers".into()).spawn(work);
        orders
    });
    let gone = || Error::internal(what()).advise("the thread that starts servers has ended");
    let (answer, child) = mpsc::channel();
    thread.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?.map_err(|e| failed(&what(), e))
}
