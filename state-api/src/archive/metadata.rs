//! [`Metadata`]: what an application keeps with a checkpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use statehold_core::{Error, ErrorKind, Result};

/// Named JSON values kept with a checkpoint: source offsets, a job's version.
/// They become part of the checkpoint in the same step, and come back with it.
/// At most [`Metadata::MAX_BYTES`] as JSON. Readable by everybody who can read the
/// archive: no secrets.
///
/// ```
/// use statehold::archive::Metadata;
/// let metadata = Metadata::new().with("offsets", vec![17_u64, 4]).with("topic", "orders");
/// assert_eq!(metadata.get("offsets").and_then(|v| v[0].as_u64()), Some(17));
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, Value>);

impl Metadata {
    /// The greatest size as JSON: 1 MiB.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with `name` set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets `name`.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The value of `name`, if set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Refuses what is too large, or nested too deep to be read again.
    pub(super) fn check(&self) -> Result<()> {
        let json = serde_json::to_string(self)
            .map_err(|cause| Error::invalid("the metadata cannot be written as JSON").because(cause))?;
        if json.len() > Self::MAX_BYTES {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("metadata of {} bytes is over the limit of {}", json.len(), Self::MAX_BYTES),
            )
            .advise("keep large things in a state, and their key in the metadata"));
        }
        // The record nests the metadata five levels deeper.
        if self.0.values().any(|value| depth(value, 0) > Self::MAX_DEPTH) {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("metadata nested deeper than {}", Self::MAX_DEPTH),
            )
            .advise("flatten it"));
        }
        Ok(())
    }

    const MAX_DEPTH: usize = 64;
}

/// How deep `value` is nested; stops counting just above the limit.
fn depth(value: &Value, above: usize) -> usize {
    if above > Metadata::MAX_DEPTH {
        return above;
    }
    match value {
        Value::Array(items) => items.iter().map(|v| depth(v, above + 1)).max().unwrap_or(above + 1),
        Value::Object(items) => items.values().map(|v| depth(v, above + 1)).max().unwrap_or(above + 1),
        _ => above,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_limit_it_passes_and_one_byte_over_it_does_not() {
        let around = r#"{"a":""}"#.len();
        let text = "x".repeat(Metadata::MAX_BYTES - around);
        Metadata::new().with("a", text.clone()).check().unwrap();
        let over = Metadata::new().with("a", text + "x").check().unwrap_err();
        assert_eq!(over.kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_before_it_is_written() {
        let nest = |levels| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        Metadata::new().with("a", nest(Metadata::MAX_DEPTH)).check().unwrap();
        let over = Metadata::new().with("a", nest(Metadata::MAX_DEPTH + 1)).check().unwrap_err();
        assert_eq!(over.kind(), ErrorKind::LimitExceeded);
    }
}
