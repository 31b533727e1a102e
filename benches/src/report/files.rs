//! A report as files: `report.json` for machines, `report.html` for people.

use std::{fs, io, path::Path};

use serde::Deserialize;
use statehold_core::{Error, ErrorKind, Result};

use super::{Report, SCHEMA, numbers::shown};

/// The report's name in its folder.
const JSON: &str = "report.json";
const ADVICE: &str = "name a folder that `statehold bench` wrote, or the report.json in it";

/// What every version of the layout has.
#[derive(Deserialize)]
struct Head {
    schema: u32,
    version: Option<String>,
}

impl Report {
    /// Writes `report.json` and `report.html` into `dir`, which it makes.
    ///
    /// # Errors
    /// `InvalidInput` if `dir` is no folder or cannot be written, `ResourceExhausted` if the disk is full, otherwise
    /// `Unavailable`.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::internal("no report is made").because(e))?;
        let write = || {
            fs::create_dir_all(dir)?;
            fs::write(dir.join(JSON), json)?;
            fs::write(dir.join("report.html"), self.html())
        };
        write().map_err(|e| unwritten(dir, e))
    }

    /// The report in a folder, or in the file itself.
    ///
    /// ```no_run
    /// use statehold_benches::report::{Report, compare};
    ///
    /// let (old, new) = (Report::read("before".as_ref())?, Report::read("after/report.json".as_ref())?);
    /// let changes = compare(&old, &new, 5.0);
    /// assert_eq!(changes.slower(), 0, "{}", changes.text());
    /// # Ok::<(), statehold_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `NotFound` if there is none, `InvalidInput` if the file is something else, `Unsupported` if a newer statehold
    /// wrote it, `Unavailable` if it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join(JSON) } else { path.to_owned() };
        let place = file.display().to_string();
        let bytes = fs::read(&file).map_err(|e| unread(&place, e))?;
        let foreign = |e| {
            Error::invalid(format!("`{place}` is no report of a bench: {e}")).advise(ADVICE).about(&*place).because(e)
        };
        let head: Head = serde_json::from_slice(&bytes).map_err(foreign)?;
        if head.schema > SCHEMA {
            let wrote = head.version.map_or_else(String::new, |version| format!(", by statehold {}", shown(&version)));
            let what = format!("`{place}` was written in layout {}{wrote}; this one reads {SCHEMA}", head.schema);
            return Err(Error::unsupported(what).advise("use that version of statehold, or a newer one").about(place));
        }
        serde_json::from_slice(&bytes).map_err(foreign)
    }
}

fn unread(place: &str, e: io::Error) -> Error {
    let error = match e.kind() {
        io::ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, format!("there is no report `{place}`")).advise(ADVICE)
        }
        io::ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::Unavailable, format!("`{place}` cannot be read")).advise("make it readable")
        }
        _ => Error::new(ErrorKind::Unavailable, format!("`{place}` cannot be read: {e}")).advise("look at the disk"),
    };
    error.about(place).because(e)
}

fn unwritten(dir: &Path, e: io::Error) -> Error {
    let shown = dir.display();
    let error = match e.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::invalid(format!("`{shown}` cannot be written")).advise("name a folder that can be written")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Error::invalid(format!("`{shown}` is no folder")).advise("name another place for the report")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::new(ErrorKind::ResourceExhausted, format!("the disk of `{shown}` is full")).advise("free space")
        }
        _ => Error::new(ErrorKind::Unavailable, format!("no report can be written to `{shown}`: {e}"))
            .advise("look at the disk, or name another folder"),
    };
    error.about(shown.to_string()).because(e)
}
