//! [`Failure`]: why a case did not pass, and the checks that say so.

use std::fmt;

use statehold_core::{Error, ErrorKind, Result};

/// Why a case did not pass.
#[derive(Debug, Clone)]
pub struct Failure {
    message: String,
    /// The seed that repeats it, where that is not the case's.
    seed: Option<u64>,
}

/// What a case ends with.
pub(crate) type Verdict = std::result::Result<(), Failure>;

impl Failure {
    /// A failure that says what was expected and what was found.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), seed: None }
    }

    /// The same, repeated by a seed of its own.
    pub(crate) fn by_seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The seed that repeats it, where that is not the case's.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The same with more words behind it.
    pub(crate) fn and(self, more: &str) -> Self {
        Self { message: format!("{}\n{more}", self.message), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(format!("an operation failed that must succeed: {error}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(format!("the suite itself failed: {error}"))
    }
}

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::failure::Failure::new(format!($($message)+)));
        }
    };
}

/// Fails the case unless what was found is what was expected.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($message:tt)+) => {{
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            return Err($crate::failure::Failure::new(format!(
                "{}: expected {expected:?}, found {found:?}",
                format_args!($($message)+)
            )));
        }
    }};
}

pub(crate) use {ensure, ensure_eq};

/// The error of a call that had to be refused with `kind`.
pub(crate) fn refused<T>(result: Result<T>, kind: ErrorKind, what: &str) -> std::result::Result<Error, Failure> {
    refused_as(result, &[kind], what)
}

/// The error of a call that had to be refused with one of `kinds`.
pub(crate) fn refused_as<T>(result: Result<T>, kinds: &[ErrorKind], what: &str) -> std::result::Result<Error, Failure> {
    match result {
        Ok(_) => Err(Failure::new(format!("{what} must be refused with {kinds:?}, but it succeeded"))),
        Err(error) if kinds.contains(&error.kind()) => Ok(error),
        Err(error) => Err(Failure::new(format!("{what} must be refused with {kinds:?}, but the answer was: {error}"))),
    }
}
