//! [`Part`]: the files of one archived store, open, and what they say of themselves.

use std::path::PathBuf;

use super::folder;
use crate::{
    Error, KeyGroups, Result,
    ordered::{
        Access, FileEngine,
        catalog::{Catalog, State},
        layout::Table,
        meta::Head,
        open,
    },
};

/// Files that somebody put into a folder.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) groups: KeyGroups,
    pub(super) path: PathBuf,
    /// Those of its groups that are wanted, as up to two ranges.
    pub(super) keep: Vec<KeyGroups>,
}

impl Given {
    /// Bytes that could be kept as they are, if rows are spread evenly.
    pub(super) fn weight(&self) -> Result<u64> {
        let kept: usize = self.keep.iter().map(KeyGroups::count).sum();
        let share = u128::from(folder::size_of(&self.path)?) * kept as u128 / self.groups.count() as u128;
        Ok(u64::try_from(share).unwrap_or(u64::MAX))
    }

    /// Whether all its rows are wanted.
    pub(super) fn is_whole(&self) -> bool {
        self.keep == [self.groups]
    }
}

/// A part that is open.
pub(super) struct Part<E> {
    pub(super) given: Given,
    pub(super) engine: E,
    pub(super) head: Head,
    pub(super) catalog: Catalog,
}

impl<E: FileEngine> Part<E> {
    /// Opens the part and checks that it is what it was said to be.
    pub(super) fn open(live: &E, given: Given, access: Access) -> Result<Self> {
        let engine = live.open_files(&given.path, access)?;
        let head = open::head(&engine)?;
        head.check(given.groups).map_err(|e| {
            Error::invalid(format!("the files of an archived part are not of the key groups {}", given.groups))
                .about("groups")
                .advise("give each part's own key groups, as they were archived")
                .because(e)
        })?;
        let catalog = Catalog::new(open::states(&engine)?);
        Ok(Self { given, engine, head, catalog })
    }

    /// The first number that no state and no table of the part has, leftovers of a load left out.
    pub(super) fn next(&self) -> u32 {
        let taken = |state: &State| state.form.table.max(Table::of(state.form.id)).0 + 1;
        self.catalog.iter().map(taken).fold(self.head.next_state, u32::max)
    }
}
