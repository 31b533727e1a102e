//! A full disk and a folder that cannot be written: on a small file system of its own, which takes root.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::common::{Dice, MADE, expected, fails, held, ok};
use tempfile::TempDir;

/// A mounted tmpfs. Dropping it unmounts it.
struct Disk {
    path: PathBuf,
    _place: TempDir,
}

impl Disk {
    /// A disk of `size`.
    fn mount(size: &str) -> Self {
        let place = TempDir::new().expect("a folder");
        let path = place.path().to_owned();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&path).output();
        let output = mounted.expect("mount runs");
        assert!(output.status.success(), "no tmpfs: {}", String::from_utf8_lossy(&output.stderr));
        Self { path, _place: place }
    }

    fn remount(&self, option: &str) {
        let remounted = Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(&self.path).status();
        assert!(remounted.expect("mount runs").success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

fn input(folder: &Path, text: &[u8]) -> String {
    let path = folder.join("text");
    fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_full_disk_is_told_and_with_room_it_goes_on_where_it_was_needs_root() {
    let disk = Disk::mount("3m");
    let outside = TempDir::new().unwrap();
    let text = Dice::new().text(400_000);
    let input = input(outside.path(), &text);
    let arguments = ["quickstart", "--input", &input, "--checkpoint-every", "20000"];
    let said = fails(&disk.path, &arguments, 6);
    assert!(said.contains("resource exhausted"), "{said}");
    disk.remount("size=512m");
    ok(&disk.path, &arguments);
    assert_eq!(held(&disk.path, MADE), expected(&[&text]));
}

#[test]
fn a_folder_that_cannot_be_written_is_told_needs_root() {
    let disk = Disk::mount("64m");
    let outside = TempDir::new().unwrap();
    let text = Dice::new().text(1000);
    let input = input(outside.path(), &text);
    let arguments = ["quickstart", "--input", &input];
    disk.remount("ro");
    assert!(fails(&disk.path, &arguments, 2).contains("cannot write"));
    disk.remount("rw");
    ok(&disk.path, &arguments);
    disk.remount("ro");
    let output = crate::common::run(&disk.path, &arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("to do:"), "{said}");
    disk.remount("rw");
    assert_eq!(held(&disk.path, MADE), expected(&[&text]));
}
