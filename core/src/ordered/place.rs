//! Where an engine with a disk keeps the store of a range of key groups: `<path>/<namespace>/groups-<start>-<end>`.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::{Error, ErrorKind, KeyGroups, OpenRequest, Result};

fn name_of(groups: KeyGroups) -> String {
    let range = groups.range();
    format!("groups-{}-{}", range.start, range.end)
}

/// The range that a sibling directory's name says.
fn range_of(name: &str) -> Option<(u16, u16)> {
    let (start, end) = name.strip_prefix("groups-")?.split_once('-')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

/// The directory of the store that `request` asks for, below the option `path`. It need not be there yet.
///
/// # Errors
/// `InvalidInput` if its key groups overlap those of another store there; [`error`] if the disk cannot be read.
///
/// ```
/// use statehold_core::{Options, OpenRequest, ordered::place};
/// # fn show(request: &OpenRequest) -> statehold_core::Result<()> {
/// let directory = place::of("/var/lib/app".as_ref(), request)?;
/// assert!(directory.starts_with("/var/lib/app"));
/// # Ok(())
/// # }
/// ```
pub fn of(path: &Path, request: &OpenRequest) -> Result<PathBuf> {
    let namespace = path.join(request.namespace.as_str());
    refuse_siblings(&namespace, request.groups)?;
    Ok(namespace.join(name_of(request.groups)))
}

/// Makes the directory `place` and those above it, so that they survive power loss.
///
/// # Errors
/// [`error`].
pub fn make(place: &Path) -> Result<()> {
    if place.is_dir() {
        return Ok(());
    }
    let made = || {
        fs::create_dir_all(place)?;
        place.ancestors().skip(1).take(2).try_for_each(|parent| File::open(parent)?.sync_all())
    };
    made().map_err(|e: io::Error| error(place, e))
}

/// What `e` means for the directory or file at `path`: `InvalidInput` if it cannot be written or is none,
/// `ResourceExhausted` if the disk is full, else `Unavailable`.
#[must_use]
pub fn error(path: &Path, e: io::Error) -> Error {
    let shown = path.display();
    let error = match e.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Error::invalid(format!("the directory `{shown}` cannot be written"))
                .advise("make it writable for this process, or set the option `path` to one that is")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::new(ErrorKind::ResourceExhausted, format!("the disk of `{shown}` is full")).advise("free space")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::InvalidInput => {
            Error::invalid(format!("`{shown}` is no directory")).advise("set the option `path` to a directory")
        }
        _ => Error::new(ErrorKind::Unavailable, format!("the directory `{shown}` cannot be used: {e}"))
            .advise("look at the disk, or set the option `path` to another place"),
    };
    error.about(shown.to_string()).because(e)
}

/// Refuses a range that overlaps another one on disk.
fn refuse_siblings(namespace: &Path, groups: KeyGroups) -> Result<()> {
    let entries = match fs::read_dir(namespace) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(error(namespace, e)),
    };
    let range = groups.range();
    for entry in entries {
        let name = entry.map_err(|e| error(namespace, e))?.file_name();
        let Some((start, end)) = name.to_str().and_then(range_of) else { continue };
        if start < range.end && range.start < end && (start..end) != range {
            let sibling = namespace.join(&name);
            return Err(Error::invalid(format!(
                "key groups {groups} overlap those of the store in `{}`",
                sibling.display()
            ))
            .about("groups")
            .advise("open the range that is there, with the `key_groups` it was written with; rescale by archive and recover"));
        }
    }
    Ok(())
}
