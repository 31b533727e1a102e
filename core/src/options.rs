//! [`Options`]: a backend's settings, free of any file format.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// One value of an option.
#[derive(Clone, PartialEq)]
pub enum OptionValue {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text; sizes and durations too (`"64 MiB"`).
    Text(String),
}

/// Never shows text: it may be a password (contract OWN-4).
impl std::fmt::Debug for OptionValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(b) => b.fmt(f),
            Self::Integer(i) => i.fmt(f),
            Self::Float(x) => x.fmt(f),
            Self::Text(_) => f.write_str("\"…\""),
        }
    }
}

impl OptionValue {
    fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
        }
    }
}

/// The settings of one store, by name.
///
/// ```
/// use statehold_core::{Options, OptionReader};
/// let options = Options::new().with("path", "data").with("block_cache", "64 MiB");
/// let mut reader = OptionReader::new("rocksdb", &options);
/// assert_eq!(reader.text("path")?, Some("data"));
/// assert_eq!(reader.bytes("block_cache")?, Some(64 << 20));
/// reader.done()?; // refuses what was not asked for
/// # Ok::<(), statehold_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options(BTreeMap<String, OptionValue>);

macro_rules! from {
    ($($t:ty => $make:expr),*) => {$(
        impl From<$t> for OptionValue {
            fn from(v: $t) -> Self { $make(v) }
        }
    )*};
}
from!(bool => Self::Bool, i64 => Self::Integer, f64 => Self::Float, String => Self::Text, &str => |v: &str| Self::Text(v.to_owned()));

impl Options {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with `name` set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OptionValue>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Sets `name`.
    pub fn set(&mut self, name: &str, value: impl Into<OptionValue>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

/// Reads options one by one and then refuses what nobody asked for.
#[derive(Debug)]
pub struct OptionReader<'a> {
    kind: &'a str,
    options: &'a Options,
    asked: Vec<&'static str>,
}

impl<'a> OptionReader<'a> {
    /// A reader of the options of a store of `kind`.
    #[must_use]
    pub fn new(kind: &'a str, options: &'a Options) -> Self {
        Self { kind, options, asked: Vec::new() }
    }

    fn take(&mut self, name: &'static str) -> Option<&'a OptionValue> {
        self.asked.push(name);
        self.options.0.get(name)
    }

    fn wrong(&self, name: &str, wanted: &str, got: &OptionValue) -> Error {
        Error::invalid(format!("option `{name}` of kind `{}` is {}", self.kind, got.kind()))
            .about(name)
            .advise(format!("give {wanted}"))
    }

    /// Text, if set.
    ///
    /// # Errors
    /// `InvalidInput` if it is something else.
    pub fn text(&mut self, name: &'static str) -> Result<Option<&'a str>> {
        match self.take(name) {
            None => Ok(None),
            Some(OptionValue::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "text in quotes", other)),
        }
    }

    /// A boolean, if set.
    ///
    /// # Errors
    /// `InvalidInput` if it is something else.
    pub fn boolean(&mut self, name: &'static str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(OptionValue::Bool(b)) => Ok(Some(*b)),
            Some(other) => Err(self.wrong(name, "true or false", other)),
        }
    }

    /// A whole number of at least 0, if set.
    ///
    /// # Errors
    /// `InvalidInput` if it is something else.
    pub fn integer(&mut self, name: &'static str) -> Result<Option<u64>> {
        match self.take(name) {
            None => Ok(None),
            Some(other @ OptionValue::Integer(i)) => {
                u64::try_from(*i).map(Some).map_err(|_| self.wrong(name, "a whole number of at least 0", other))
            }
            Some(other) => Err(self.wrong(name, "a whole number of at least 0", other)),
        }
    }

    /// A number, if set.
    ///
    /// # Errors
    /// `InvalidInput` if it is something else.
    pub fn number(&mut self, name: &'static str) -> Result<Option<f64>> {
        match self.take(name) {
            None => Ok(None),
            Some(OptionValue::Float(x)) => Ok(Some(*x)),
            Some(OptionValue::Integer(i)) => Ok(Some(*i as f64)),
            Some(other) => Err(self.wrong(name, "a number", other)),
        }
    }

    /// A size in bytes, if set: a whole number, or text as [`parse_bytes`] reads it.
    ///
    /// # Errors
    /// `InvalidInput` if it is something else.
    pub fn bytes(&mut self, name: &'static str) -> Result<Option<usize>> {
        match self.take(name) {
            Some(OptionValue::Text(text)) => parse_bytes(text).map(Some).map_err(|e| e.about(name)),
            Some(other @ OptionValue::Integer(i)) => {
                usize::try_from(*i).map(Some).map_err(|_| self.wrong(name, "a size such as \"64 MiB\"", other))
            }
            None => Ok(None),
            Some(other) => Err(self.wrong(name, "a size such as \"64 MiB\"", other)),
        }
    }

    /// Refuses options that nobody asked for.
    ///
    /// # Errors
    /// `InvalidInput` naming the option and those that exist.
    pub fn done(self) -> Result<()> {
        match self.options.0.keys().find(|k| !self.asked.contains(&k.as_str())) {
            None => Ok(()),
            Some(unknown) => {
                let allowed = if self.asked.is_empty() { "none".to_owned() } else { self.asked.join(", ") };
                Err(Error::invalid(format!("unknown option `{unknown}` of kind `{}`", self.kind))
                    .about(unknown)
                    .advise(format!("allowed: {allowed}")))
            }
        }
    }
}

/// Reads a size: a whole number with an optional unit B, KiB, MiB, GiB (powers of
/// 1,024) or kB, MB, GB (powers of 1,000).
///
/// # Errors
/// `InvalidInput` if it is none of these or does not fit.
pub fn parse_bytes(text: &str) -> Result<usize> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => Some(1usize),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "kB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        _ => None,
    };
    let size = factor.and_then(|f| number.parse::<usize>().ok()?.checked_mul(f));
    size.ok_or_else(|| {
        Error::invalid(format!("`{}` is not a size", text.escape_debug()))
            .advise("write e.g. 67108864, \"64 MiB\" or \"64 MB\"")
    })
}
