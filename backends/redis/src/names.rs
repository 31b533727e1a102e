//! [`Names`]: what the keys of a store are called.

use statehold_core::{KeyGroup, KeyGroups};

/// The part of a store that is committed to and cut at once: all of it on a single server, a key
/// group in a Cluster. Every key of it begins with `base`, whose braces hold the hash tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) base: String,
    pub(crate) meta: String,
}

/// The names of one store, whose short number the registry gave.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
    number: u64,
    cluster: bool,
}

impl Names {
    pub(crate) fn new(prefix: &str, number: u64, cluster: bool) -> Self {
        Self { prefix: prefix.to_owned(), number, cluster }
    }

    /// The hash of all stores under a prefix: their numbers and key groups.
    pub(crate) fn registry(prefix: &str) -> String {
        format!("{prefix}{{registry}}")
    }

    /// The hash of the store's states and of who owns it.
    pub(crate) fn catalog(&self) -> String {
        format!("{}{{{}}}c", self.prefix, self.number)
    }

    /// The unit of a group.
    pub(crate) fn unit(&self, group: KeyGroup) -> Unit {
        let base = if self.cluster {
            format!("{}{{{}.{group}}}", self.prefix, self.number)
        } else {
            format!("{}{{{}}}", self.prefix, self.number)
        };
        Unit { meta: format!("{base}m"), base }
    }

    /// All units of the store, each with its groups.
    pub(crate) fn units(&self, groups: KeyGroups) -> Vec<(Unit, Vec<KeyGroup>)> {
        if self.cluster {
            groups.iter().map(|group| (self.unit(group), vec![group])).collect()
        } else {
            vec![(self.unit(KeyGroup(groups.range().start)), groups.iter().collect())]
        }
    }

    /// Whether two groups are in one unit.
    pub(crate) fn together(&self, a: KeyGroup, b: KeyGroup) -> bool {
        !self.cluster || a == b
    }
}
