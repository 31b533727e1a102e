//! [`Part`]: the files of one archived store, open, and what they say of themselves.

use std::path::PathBuf;

use crate::{
    Error, KeyGroups, Result,
    ordered::{
        Access, FileEngine, RowRange,
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
    /// Whether all its rows are wanted.
    pub(super) fn is_whole(&self) -> bool {
        self.keep == [self.groups]
    }

    /// The wanted rows.
    pub(super) fn rows(&self) -> Vec<RowRange> {
        let rows = self.keep.iter().map(|groups| {
            let range = groups.range();
            (range.start.to_be_bytes().to_vec(), range.end.to_be_bytes().to_vec())
        });
        rows.collect()
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

    /// How many bytes of its files could be kept as they are; none if more would have to be rewritten for it.
    pub(super) fn worth(&self) -> Result<u64> {
        let share = self.engine.share(&self.given.rows())?;
        Ok(match share {
            _ if self.given.is_whole() => share.whole + share.mixed,
            _ if share.whole < share.mixed => 0,
            _ => share.whole,
        })
    }

    /// The first number that no state and no table of the part has, leftovers of a load left out.
    pub(super) fn next(&self) -> u32 {
        let taken = |state: &State| state.form.table.max(Table::of(state.form.id)).0 + 1;
        self.catalog.iter().map(taken).fold(self.head.next_state, u32::max)
    }
}
