//! [`Folder`]: where a private server's files are, and its port.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use statehold_core::{Error, ErrorKind, Result};
use tempfile::TempDir;

use super::process::{RunAs, failed, run};

/// Where a server's files are: a folder of its own that goes with it, or one that stays.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _removed: Option<TempDir>,
    /// Held as long as the server may run: two servers in one folder would destroy its data.
    _lock: Option<File>,
}

impl Folder {
    /// A temporary folder, removed when it is dropped.
    ///
    /// # Errors
    /// `ResourceExhausted` if it cannot be made.
    pub fn temporary(prefix: &str, user: Option<RunAs>) -> Result<Self> {
        let folder = TempDir::with_prefix(prefix).map_err(|e| failed("no temporary folder", e))?;
        give(folder.path(), user)?;
        Ok(Self { path: folder.path().to_owned(), _removed: Some(folder), _lock: None })
    }

    /// The folder at `path`, which is made if it is not there, and stays.
    ///
    /// # Errors
    /// `Conflict` if another process has it; `InvalidInput` if it cannot be made.
    pub fn kept(path: &Path, user: Option<RunAs>) -> Result<Self> {
        let unusable = |e: io::Error| {
            Error::invalid(format!("the folder `{}` cannot be used", path.display()))
                .advise("choose one that can be written")
                .because(e)
        };
        fs::create_dir_all(path).map_err(unusable)?;
        give(path, user)?;
        if user.is_some() && run(Path::new("test"), &["-x", &path.display().to_string()], user).is_err() {
            let message = format!("the server's user cannot enter `{}`", path.display());
            return Err(Error::invalid(message).advise("go to a folder that all users can enter, or be no root"));
        }
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        lock.try_lock().map_err(|e| {
            Error::new(ErrorKind::Conflict, format!("another process has a server in `{}`", path.display()))
                .advise("wait until it has ended, or choose another folder")
                .because(e)
        })?;
        Ok(Self { path: path.to_owned(), _removed: None, _lock: Some(lock) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The port that the server of this folder had before, or a free one.
    ///
    /// # Errors
    /// `ResourceExhausted` if there is none.
    pub fn port(&self) -> Result<u16> {
        let known = fs::read_to_string(self.path.join("port")).ok().and_then(|text| text.trim().parse().ok());
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        match known.filter(is_free) {
            Some(port) => Ok(port),
            None => free_port(),
        }
    }

    /// Has [`port`](Self::port) answer `port` from now on.
    ///
    /// # Errors
    /// `ResourceExhausted` if it cannot be written.
    pub fn remember(&self, port: u16) -> Result<()> {
        fs::write(self.path.join("port"), port.to_string()).map_err(|e| failed("a port cannot be noted", e))
    }
}

/// Gives a file or folder to `user`.
///
/// # Errors
/// `ResourceExhausted` if the system refuses.
pub fn give(path: &Path, user: Option<RunAs>) -> Result<()> {
    let Some(RunAs { uid, gid }) = user else { return Ok(()) };
    std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|e| failed("a file cannot be given away", e))
}

/// A port of 127.0.0.1 that nobody listens on now.
///
/// # Errors
/// `ResourceExhausted` if there is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| failed("no free port", e))?;
    Ok(listener.local_addr().map_err(|e| failed("no free port", e))?.port())
}
