//! The one error type of statehold.

use std::fmt;

/// A result of any statehold operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, as far as a caller has to tell cases apart (contract OWN-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller passed something that can never work: a malformed name, an empty key, a wrong option.
    InvalidInput,
    /// A key, value or batch is over its limit; nothing was written.
    LimitExceeded,
    /// The named state, checkpoint or file does not exist.
    NotFound,
    /// A condition did not hold, an older marker was sent, or somebody else holds what was asked for.
    Conflict,
    /// This handle belongs to a former owner, or to content that was recovered or dropped since.
    Fenced,
    /// The engine does not declare the capability that the call needs.
    Unsupported,
    /// Stored bytes fail their check; the message names the record or object.
    Corrupt,
    /// The engine cannot be reached or is closed.
    Unavailable,
    /// The deadline passed before the operation began to have an effect.
    Timeout,
    /// A commit whose outcome is unknown: sending it again with the same marker resolves it.
    Indeterminate,
    /// Disk, memory or connections are used up.
    ResourceExhausted,
    /// A defect of statehold or of a backend.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed later without the caller changing anything.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout | Self::Indeterminate | Self::ResourceExhausted)
    }
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    operation: Option<&'static str>,
    store: Option<String>,
    state: Option<String>,
    subject: Option<String>,
    advice: Option<String>,
    source: Option<Source>,
}

/// What failed, where, and what to do about it.
///
/// Never holds a password or a key of a user's data in clear beyond what the
/// message needs to name the record (contract OWN-4, OWN-6).
///
/// ```
/// use statehold_core::{Error, ErrorKind};
/// let e = Error::invalid("the key is empty").advise("pass at least one byte").in_state("counts");
/// assert_eq!(e.kind(), ErrorKind::InvalidInput);
/// assert_eq!(e.to_string(), "invalid input: the key is empty (state `counts`); pass at least one byte");
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

impl Error {
    /// An error of `kind` with a message that says what was found.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            store: None,
            state: None,
            subject: None,
            advice: None,
            source: None,
        }))
    }

    /// The caller passed something that can never work.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Stored bytes failed a check.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// The engine does not declare `what`.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, what)
    }

    /// A handle of a former owner or of replaced content.
    pub fn fenced(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Fenced, message)
    }

    /// A defect of statehold or of a backend.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Names the operation, e.g. `put`.
    #[must_use]
    pub fn during(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Names the store, unless a deeper layer already did.
    #[must_use]
    pub fn in_store(mut self, store: impl Into<String>) -> Self {
        self.0.store.get_or_insert_with(|| store.into());
        self
    }

    /// Names the state, unless a deeper layer already did.
    #[must_use]
    pub fn in_state(mut self, state: impl Into<String>) -> Self {
        self.0.state.get_or_insert_with(|| state.into());
        self
    }

    /// Names the option, object or record at fault, so that a caller can point at it.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.0.subject.get_or_insert_with(|| subject.into());
        self
    }

    /// Says where the fault stands, e.g. `orders.toml:7`, in front of the message.
    #[must_use]
    pub fn found_at(mut self, place: impl fmt::Display) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong, in kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was found, without place and advice.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The state at fault, where known.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.0.state.as_deref()
    }

    /// The store at fault, where known.
    #[must_use]
    pub fn store(&self) -> Option<&str> {
        self.0.store.as_deref()
    }

    /// The operation that failed, where known.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The option, object or record at fault, where known.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// What to do, where known.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// Whether the same call may succeed later without the caller changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidInput => "invalid input",
            Self::LimitExceeded => "limit exceeded",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Unsupported => "unsupported",
            Self::Corrupt => "corrupt",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timed out",
            Self::Indeterminate => "outcome unknown",
            Self::ResourceExhausted => "resource exhausted",
            Self::Internal => "internal error",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &self.0;
        write!(f, "{}: {}", e.kind, e.message)?;
        let mut places = Vec::new();
        if let Some(operation) = e.operation {
            places.push(format!("during {operation}"));
        }
        if let Some(store) = &e.store {
            places.push(format!("store `{store}`"));
        }
        if let Some(state) = &e.state {
            places.push(format!("state `{state}`"));
        }
        if !places.is_empty() {
            write!(f, " ({})", places.join(", "))?;
        }
        if let Some(advice) = &e.advice {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| &**s as _)
    }
}
