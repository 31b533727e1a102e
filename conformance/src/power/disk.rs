//! [`Disk`]: an ext4 file system in a file, which can lose its power.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

use crate::failure::Failure;

/// Room for any case; the file is sparse.
const BYTES: u64 = 512 << 20;

/// `FS_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: from here on nothing reaches the disk, neither data nor journal
/// (Linux, fs/ext4/ioctl.c). Perl makes the call, as it is part of every Debian and the call is no safe Rust.
const SHUTDOWN: &str =
    r#"open(F, "<", $ARGV[0]) or die; my $flag = pack("L", 2); defined(ioctl(F, 0x8004587d, $flag)) or die "$!""#;

/// A file system of its own. Dropping it unmounts it.
pub(super) struct Disk {
    folder: TempDir,
    mounted: bool,
}

impl Disk {
    /// Whether this machine lets us.
    pub(super) fn can_be_made() -> bool {
        static CAN: OnceLock<bool> = OnceLock::new();
        *CAN.get_or_init(|| Self::make().and_then(|mut disk| disk.lose_power()).is_ok())
    }

    pub(super) fn make() -> Result<Self, Failure> {
        let folder = TempDir::with_prefix("statehold-power-")?;
        let mut disk = Self { folder, mounted: false };
        File::create(disk.image())?.set_len(BYTES)?;
        std::fs::create_dir(disk.path())?;
        succeed(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image()))?;
        disk.mount()?;
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Where it is mounted.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn mount(&mut self) -> Result<(), Failure> {
        succeed(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.path()))?;
        self.mounted = true;
        Ok(())
    }

    /// Cuts the power: whoever writes from here on is refused.
    pub(super) fn lose_power(&mut self) -> Result<(), Failure> {
        succeed(Command::new("perl").args(["-e", SHUTDOWN]).arg(self.path()))
    }

    /// Mounts again what was on the disk when the power went. Nobody may have it open.
    pub(super) fn power_up(&mut self) -> Result<(), Failure> {
        self.unmount(&[])?;
        self.mount()
    }

    fn unmount(&mut self, options: &[&str]) -> Result<(), Failure> {
        succeed(Command::new("umount").args(options).arg(self.path()))?;
        self.mounted = false;
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // Where something is open still, it goes when that is closed.
            let _ = self.unmount(&["-l"]);
        }
    }
}

fn succeed(command: &mut Command) -> Result<(), Failure> {
    let out = command.output().map_err(|e| Failure::new(format!("{:?} cannot be run: {e}", command.get_program())))?;
    if out.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&out.stderr);
    Err(Failure::new(format!("{:?} failed: {}", command.get_program(), words.trim())))
}

/// A folder on the disk for one site.
pub(super) fn folder(disk: &Disk) -> Result<PathBuf, Failure> {
    let folder = disk.path().join("site");
    std::fs::create_dir_all(&folder)?;
    // The suite's own folder is not what is tested.
    for made in [Path::new(&folder), &disk.path()] {
        File::open(made)?.sync_all()?;
    }
    Ok(folder)
}
