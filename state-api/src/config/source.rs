//! The text of a descriptor file: which line an offset is on, and how a mistake in it is told.

use std::fmt::Write as _;

use statehold_core::Error;

/// A file's text and the name that errors give it.
pub(super) struct Source<'a> {
    pub(super) origin: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The line of a byte offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|b| **b == b'\n').count()
    }

    /// What is wrong with the key path at `offset`; an empty path is the file itself.
    pub(super) fn mistake(&self, offset: usize, path: &str, what: impl Into<String>) -> Error {
        let error = Error::invalid(what);
        let error = if path.is_empty() { error } else { error.found_at(path) };
        error.found_at(format_args!("{}:{}", self.origin, self.line(offset)))
    }
}

/// `path.key`, with quotes around a key that TOML would not take without.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let mut joined = String::with_capacity(path.len() + key.len() + 1);
    joined.push_str(path);
    if !path.is_empty() {
        joined.push('.');
    }
    if bare {
        joined.push_str(key);
    } else {
        // Writing to a string cannot fail.
        let _ = write!(joined, "\"{}\"", key.escape_debug());
    }
    joined
}
