//! [`Name`]: what namespaces and states are called (contract NAME-1).

use std::fmt;

use crate::{Error, Result};

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// A namespace's or a state's name: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
///
/// ```
/// use statehold_core::Name;
/// assert!(Name::new("orders.v2").is_ok());
/// assert!(Name::new("../etc").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(std::sync::Arc<str>);

impl Name {
    /// Checks and keeps a name.
    ///
    /// # Errors
    /// `InvalidInput` if `name` does not match the pattern.
    pub fn new(name: &str) -> Result<Self> {
        let mut bytes = name.bytes();
        let head = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let tail = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if head && tail && name.len() <= MAX_NAME_BYTES {
            return Ok(Self(name.into()));
        }
        let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
        Err(Error::invalid(format!("`{}` is not a name", shown.escape_debug()))
            .advise("use 1 to 128 letters, digits, `_`, `.` or `-`, beginning with a letter, a digit or `_`"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        Self::new(s)
    }
}
