//! [`Part`]: one store's content in a checkpoint, as log records describe it.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use statehold_core::{Error, ErrorKind, KeyGroup, KeyGroups, Limits, Millis, Name, Result, StateSpec};

use super::checkpoint::CheckpointId;

/// How a part's content is kept. Another form is another format of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// Rows in Parquet files, which any engine takes.
    Portable,
    /// An engine's own files, of this format.
    Native(String),
}

/// One store's content at a cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) checkpoint: CheckpointId,
    pub(super) store: String,
    pub(super) form: Form,
    pub(super) groups: Groups,
    /// Epoch of the claim under which it was written.
    pub(super) claim: u64,
    pub(super) floor: Floor,
    /// Of native parts, whose rows nobody looks at one by one; not known of those of early versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sizes: Option<Sizes>,
    /// Which of its claim's cuts it is: a later cut has a greater number.
    #[serde(default)]
    pub(super) cut: u64,
    /// Bytes that were stored for it; the other objects are those of earlier parts.
    #[serde(default)]
    pub(super) new_bytes: u64,
    /// From the cut to the last object.
    #[serde(default)]
    pub(super) duration_ms: u64,
    pub(super) states: Vec<PartState>,
    /// In the order of their rows.
    pub(super) objects: Vec<Object>,
}

/// What a store that takes the content must go on above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Floor {
    /// The cut's instant, by which expiry was judged.
    now: u64,
    pub(super) incarnation: u32,
}

impl Floor {
    pub(super) fn new(now: Millis, incarnation: u32) -> Self {
        Self { now: now.0, incarnation }
    }

    pub(super) fn now(self) -> Millis {
        Millis(self.now)
    }
}

/// The greatest sizes that the store accepted, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sizes {
    key: u64,
    sub: u64,
    label: u64,
    value: u64,
}

impl From<Limits> for Sizes {
    fn from(limits: Limits) -> Self {
        let Limits { key, sub, label, value, .. } = limits;
        let [key, sub, label, value] = [key, sub, label, value].map(|size| size as u64);
        Self { key, sub, label, value }
    }
}

impl Sizes {
    /// Refuses what a store with `limits` would not have accepted (contract NAME-2).
    pub(super) fn check(self, limits: Limits) -> Result<()> {
        let own = Self::from(limits);
        let of_each = [
            ("key", self.key, own.key),
            ("sub", self.sub, own.sub),
            ("label", self.label, own.label),
            ("value", self.value, own.value),
        ];
        let Some((name, theirs, own)) = of_each.into_iter().find(|(_, theirs, own)| theirs > own) else {
            return Ok(());
        };
        let what =
            format!("the checkpoint's files are of a store with `limits.{name}` = {theirs}, this one's is {own}");
        Err(Error::new(ErrorKind::LimitExceeded, what).about(format!("limits.{name}")).advise(format!(
            "set `limits.{name}` to {theirs}, or recover a savepoint, whose rows are looked at one by one"
        )))
    }
}

/// A state of a part, in the order of the store's catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartState {
    pub(super) spec: StateSpec,
    /// Not known of native parts, as the next.
    pub(super) rows: Option<u64>,
    pub(super) bytes: Option<u64>,
}

/// A range of key groups as records and reports write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// The first group.
    pub start: u16,
    /// The group behind the last.
    pub end: u16,
    /// The namespace's number of groups.
    pub of: u16,
}

impl Groups {
    /// The range, if it is one.
    pub(super) fn checked(self) -> Result<KeyGroups> {
        KeyGroups::new(self.start..self.end, self.of).map_err(|e| Error::corrupt(e.message()))
    }
}

impl From<KeyGroups> for Groups {
    fn from(groups: KeyGroups) -> Self {
        let range = groups.range();
        Self { start: range.start, end: range.end, of: groups.total() }
    }
}

/// One object of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Object {
    pub(super) name: ObjectName,
    /// Of native parts: what the engine calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    pub(super) bytes: u64,
    /// 0 of native parts.
    pub(super) rows: u64,
    /// The least and the greatest group of its rows.
    pub(super) first_group: u16,
    pub(super) last_group: u16,
}

impl Object {
    /// The greatest size of an object that is read: one row at the engines' greatest limits fits.
    pub(super) const MAX_BYTES: u64 = 1 << 30;

    /// Whether it may have rows of `groups`.
    pub(super) fn overlaps(&self, groups: KeyGroups) -> bool {
        self.first_group < groups.range().end && self.last_group >= groups.range().start
    }
}

/// `<blake3 of the content>-<claim>.<attempt>`: written once, by one attempt of one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct ObjectName {
    pub(super) hash: blake3::Hash,
    pub(super) claim: u64,
    pub(super) attempt: u64,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.{}", self.hash.to_hex(), self.claim, self.attempt)
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for ObjectName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for ObjectName {
    type Err = Error;

    /// Takes exactly what `Display` gives, so no name reaches another folder.
    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (hash, rest) = text.split_once('-')?;
            let (claim, attempt) = rest.split_once('.')?;
            let hash = blake3::Hash::from_hex(hash).ok()?;
            let name = Self { hash, claim: claim.parse().ok()?, attempt: attempt.parse().ok()? };
            (name.to_string() == text).then_some(name)
        };
        parse().ok_or_else(|| {
            let shown: String = text.chars().take(128).collect();
            Error::corrupt(format!("`{}` is not an object's name", shown.escape_debug()))
        })
    }
}

impl Part {
    /// The most states of a part that are read.
    const MAX_STATES: usize = 1 << 20;

    /// Checks everything that its fields' types do not: nothing in a record is believed.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::corrupt(what));
        Name::new(&self.store).map_err(|e| Error::corrupt(e.message()))?;
        let groups = self.groups.checked()?;
        if self.states.len() > Self::MAX_STATES {
            return wrong(format!("{} states", self.states.len()));
        }
        let mut names = BTreeSet::new();
        for state in &self.states {
            let name = &state.spec.name;
            Name::new(name).map_err(|e| Error::corrupt(e.message()))?;
            if !names.insert(name) {
                return wrong(format!("state `{name}` appears twice"));
            }
        }
        match &self.form {
            Form::Portable => self.check_portable(groups),
            Form::Native(format) => {
                Name::new(format).map_err(|e| Error::corrupt(e.message()))?;
                self.check_native()
            }
        }
    }

    fn check_portable(&self, groups: KeyGroups) -> Result<()> {
        let wrong = |what: String| Err(Error::corrupt(what));
        let mut from = 0;
        for object in &self.objects {
            let inside = groups.contains(KeyGroup(object.first_group)) && groups.contains(KeyGroup(object.last_group));
            if !inside || object.first_group < from || object.first_group > object.last_group {
                return wrong(format!("object `{}` has groups out of place", object.name));
            }
            if object.rows == 0 || object.bytes > Object::MAX_BYTES || object.file.is_some() {
                return wrong(format!("object `{}` has {} rows in {} bytes", object.name, object.rows, object.bytes));
            }
            from = object.last_group;
        }
        let of_states = sum(self.states.iter().map(|s| s.rows));
        let of_objects = sum(self.objects.iter().map(|o| Some(o.rows)));
        if of_states.is_none() || of_states != of_objects {
            return wrong("the rows of its states and of its objects differ".into());
        }
        if self.bytes().is_none() {
            return wrong("the bytes of its states overflow".into());
        }
        Ok(())
    }

    fn check_native(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        for object in &self.objects {
            let name = object.file.as_deref().unwrap_or_default();
            // It becomes a file's name: no path escapes.
            let flat = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
            if !flat || name.len() > 255 || matches!(name, "" | "." | "..") || !names.insert(name) {
                let shown: String = name.chars().take(64).collect();
                return Err(Error::corrupt(format!(
                    "`{}` is no name of a file, or appears twice",
                    shown.escape_debug()
                )));
            }
        }
        Ok(())
    }

    /// The attempts of its own claim among its objects, as ranges.
    pub(super) fn attempts(&self) -> Vec<(u64, u64)> {
        let own = self.objects.iter().filter(|o| o.name.claim == self.claim);
        let attempts: BTreeSet<u64> = own.map(|o| o.name.attempt).collect();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for attempt in attempts {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(attempt) => *last = attempt,
                _ => ranges.push((attempt, attempt)),
            }
        }
        ranges
    }

    /// The format of its files, if it is an engine's own.
    pub(super) fn native(&self) -> Option<&str> {
        match &self.form {
            Form::Portable => None,
            Form::Native(format) => Some(format),
        }
    }

    /// The names of its objects.
    pub(super) fn names(&self) -> Vec<ObjectName> {
        self.objects.iter().map(|o| o.name).collect()
    }

    /// Bytes of its objects.
    pub(super) fn size(&self) -> u64 {
        total(self.objects.iter().map(|o| o.bytes))
    }

    /// Rows of all states, where they are known.
    pub(super) fn rows(&self) -> Option<u64> {
        sum(self.states.iter().map(|s| s.rows))
    }

    /// Bytes of all states, where they are known.
    pub(super) fn bytes(&self) -> Option<u64> {
        sum(self.states.iter().map(|s| s.bytes))
    }
}

/// Whether `outer` has all groups of `inner`.
pub(super) fn within(inner: KeyGroups, outer: KeyGroups) -> bool {
    let (inner, outer) = ((inner.range(), inner.total()), (outer.range(), outer.total()));
    inner.1 == outer.1 && inner.0.start >= outer.0.start && inner.0.end <= outer.0.end
}

/// The sum; what a damaged record says may be more than a number holds.
pub(super) fn total(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// `None` where one is not known, or they are too many.
pub(super) fn sum(mut numbers: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    numbers.try_fold(0_u64, |sum, number| sum.checked_add(number?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_4_an_objects_name_is_taken_only_as_it_is_written() {
        let name = ObjectName { hash: blake3::hash(b"x"), claim: 3, attempt: 12 };
        assert_eq!(name.to_string().parse::<ObjectName>().unwrap(), name);
        let hash = name.hash.to_hex();
        for text in [
            String::new(),
            "../../etc/passwd".into(),
            format!("{hash}-3.12/../x"),
            format!("{hash}-03.12"),
            format!("{hash}-+3.12"),
            format!("{}-3.12", hash.to_uppercase()),
            format!("{hash}-3.12 "),
            format!("{}-3.12", &hash[1..]),
        ] {
            assert!(text.parse::<ObjectName>().is_err(), "{text}");
        }
    }
}
