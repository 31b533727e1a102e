//! [`Kept`]: a native cut copied to a folder, as an archive would keep it, and put back.

use std::{fs, path::PathBuf, sync::Arc};

use statehold_core::{KeyGroups, Millis, NativeArchive, NativeCut, NativeLoader, Result, Store};
use tempfile::TempDir;

use crate::failure::{Failure, ensure, ensure_eq};

/// The files of a cut, copied.
pub(crate) struct Kept {
    pub(crate) groups: KeyGroups,
    pub(crate) names: Vec<String>,
    /// The cut's.
    now: Millis,
    incarnation: u32,
    dir: TempDir,
}

/// The door of a store that declares it.
pub(crate) fn door(store: &dyn Store) -> std::result::Result<&dyn NativeArchive, Failure> {
    store.native().ok_or_else(|| Failure::new("`native_archive` is declared, and `native` answers nothing"))
}

/// Takes a cut and checks what can be said of any.
pub(crate) async fn cut(store: &dyn Store) -> std::result::Result<Box<dyn NativeCut>, Failure> {
    let cut = door(store)?.cut().await?;
    let mut names: Vec<_> = cut.files().iter().map(|file| file.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    ensure_eq!(names.len(), cut.files().len(), "the number of different names in a cut");
    for file in cut.files() {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        ensure!(file.name.chars().all(plain) && file.name.contains(char::is_alphanumeric), "a file called {file:?}");
        ensure_eq!(fs::metadata(&file.path)?.len(), file.bytes, "the size of {file:?}");
    }
    ensure!(!cut.session().is_empty(), "a cut's session has no name");
    Ok(cut)
}

impl Kept {
    /// Takes a cut of `store` and copies its files.
    pub(crate) async fn of(store: &dyn Store) -> std::result::Result<Self, Failure> {
        let cut = cut(store).await?;
        let dir = TempDir::new()?;
        for file in cut.files() {
            fs::copy(&file.path, dir.path().join(&file.name))?;
        }
        let names = cut.files().iter().map(|file| file.name.clone()).collect();
        Ok(Self { groups: store.groups(), names, now: cut.now(), incarnation: cut.incarnation(), dir })
    }

    /// Gives the files to `loader`, but for those that are left out. Answers the folder.
    pub(crate) fn give(
        &self,
        loader: &mut dyn NativeLoader,
        left_out: &[&str],
    ) -> std::result::Result<PathBuf, Failure> {
        let folder = loader.part(self.groups, self.now, self.incarnation)?;
        ensure_eq!(fs::read_dir(&folder)?.count(), 0, "the files in a folder for a part");
        for name in self.names.iter().filter(|name| !left_out.contains(&name.as_str())) {
            fs::copy(self.dir.path().join(name), folder.join(name))?;
        }
        Ok(folder)
    }

    /// The bytes of the file of that name, if it was in the cut.
    pub(crate) fn read(&self, name: &str) -> std::result::Result<Option<Vec<u8>>, Failure> {
        let there = self.names.iter().any(|known| known == name);
        there.then(|| fs::read(self.dir.path().join(name)).map_err(Failure::from)).transpose()
    }

    /// Whether some file holds these bytes as they are.
    pub(crate) fn holds(&self, bytes: &[u8]) -> std::result::Result<bool, Failure> {
        for name in &self.names {
            let file = fs::read(self.dir.path().join(name))?;
            if file.windows(bytes.len()).any(|window| window == bytes) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The size of all files.
    pub(crate) fn bytes(&self) -> std::result::Result<u64, Failure> {
        let sizes = self.names.iter().map(|name| Ok(fs::metadata(self.dir.path().join(name))?.len()));
        sizes.sum::<std::io::Result<u64>>().map_err(Failure::from)
    }
}

/// A loader of `groups` that has all files of `parts`.
pub(crate) async fn loaded(
    store: &dyn Store,
    groups: KeyGroups,
    parts: &[&Kept],
) -> std::result::Result<Box<dyn NativeLoader>, Failure> {
    let mut loader = door(store)?.loader(groups).await?;
    for part in parts {
        part.give(&mut *loader, &[])?;
    }
    Ok(loader)
}

/// Makes the store what was kept.
pub(crate) async fn restore(store: &Arc<dyn Store>, parts: &[&Kept]) -> std::result::Result<(), Failure> {
    loaded(&**store, store.groups(), parts).await?.publish().await?;
    Ok(())
}

/// What came of a publish that may be refused.
pub(crate) async fn published(store: &Arc<dyn Store>, parts: &[&Kept]) -> std::result::Result<Result<()>, Failure> {
    Ok(loaded(&**store, store.groups(), parts).await?.publish().await.map(drop))
}
