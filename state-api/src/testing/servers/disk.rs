//! [`SmallDisk`]: a file system that can be filled without harm.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A mounted tmpfs of a few megabytes. Dropping it unmounts it, with whatever is in it.
#[derive(Debug)]
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// A disk of this size, or nothing where none can be mounted: that takes root.
    #[must_use]
    pub fn mount(megabytes: u32) -> Option<Self> {
        let folder = TempDir::new().ok()?;
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mounted.ok()?.status.success().then_some(Self(folder))
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all room but so many bytes, until the answer is dropped.
    ///
    /// # Errors
    /// What the system says, other than that there is no room.
    pub fn fill(&self, free: u64) -> std::io::Result<Ballast> {
        let path = self.path().join("ballast");
        let mut file = File::create(&path)?;
        while file.write_all(&[7; 4096]).is_ok() {}
        let size = file.metadata()?.len();
        file.set_len(size.saturating_sub(free))?;
        Ok(Ballast(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A file that is still open keeps the room until it is closed, and hinders nobody.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A file that takes room until it is dropped.
#[derive(Debug)]
pub struct Ballast(PathBuf);

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
