//! [`Origin`]: where a descriptor was read, so that later errors can name file and line too.

use std::{collections::BTreeMap, fmt, sync::Arc};

use statehold_core::{Error, Result};
use toml::de::{DeTable, DeValue};

use super::{
    descriptor::Descriptor,
    source::{Source, join},
};

struct Lines {
    file: String,
    /// Key path → line.
    keys: BTreeMap<String, usize>,
}

/// The file and lines of a descriptor's keys; none for one made in code.
#[derive(Clone, Default)]
pub(super) struct Origin(Option<Arc<Lines>>);

/// Where a descriptor was read is no part of what it says.
impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("code", |lines| &lines.file))
    }
}

impl Origin {
    pub(super) fn of(source: &Source<'_>, root: &DeTable<'_>) -> Self {
        let mut keys = BTreeMap::new();
        note(source, "", root, &mut keys);
        Self(Some(Arc::new(Lines { file: source.origin.to_owned(), keys })))
    }

    fn line(&self, path: &str) -> Option<usize> {
        self.0.as_ref()?.keys.get(path).copied()
    }
}

fn note(source: &Source<'_>, path: &str, table: &DeTable<'_>, keys: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = join(path, key.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            note(source, &path, inner, keys);
        }
        keys.insert(path, source.line(key.span().start));
    }
}

/// `path` and the paths above it, innermost first.
fn outwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |p| p.rsplit_once('.').map(|(above, _)| above))
}

impl Descriptor {
    /// Puts file, line and key path before the message of an error about this descriptor.
    /// `section` is the key path at fault, e.g. `stores.local.options`; the error's
    /// [`subject`](Error::subject), if there is one, may be a key in it or in a table around it.
    /// Without a file (the descriptor was made in code) only the key path is put.
    ///
    /// ```
    /// use statehold::Descriptor;
    /// use statehold_core::Error;
    /// let text = "namespace = 'a'\n[stores.s]\nkind = 'memory'\noptions = { pth = 'x' }\n";
    /// let descriptor = Descriptor::from_toml(text, "a.toml")?;
    /// let error = descriptor.locate(Error::invalid("unknown option").about("pth"), "stores.s.options");
    /// assert_eq!(error.message(), "a.toml:4: stores.s.options.pth: unknown option");
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn locate(&self, error: Error, section: &str) -> Error {
        let subject = error.subject().and_then(|key| {
            outwards(section).map(|table| join(table, key)).find(|path| self.origin.line(path).is_some())
        });
        let path = subject.as_deref().unwrap_or(section);
        let line = outwards(path).find_map(|p| self.origin.line(p));
        let place = match &self.origin.0 {
            Some(lines) => format!("{}:{}: {path}", lines.file, line.unwrap_or(1)),
            None => path.to_owned(),
        };
        error.found_at(place)
    }

    /// The same for a result.
    ///
    /// # Errors
    /// That of `result`, located.
    pub(crate) fn located<T>(&self, result: Result<T>, section: &str) -> Result<T> {
        result.map_err(|error| self.locate(error, section))
    }
}
