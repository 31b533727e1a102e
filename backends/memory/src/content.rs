//! [`Content`]: ordered rows, one copy-on-write map a key group.

use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use bytes::Bytes;
use statehold_core::{
    Result,
    ordered::{EngineRead, Visit},
};

type Group = BTreeMap<Bytes, Bytes>;

/// Rows by the first two bytes of their key, which are the key group. A clone shares every map
/// until one of both is changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    groups: BTreeMap<[u8; 2], Arc<Group>>,
    bytes: u64,
}

/// What a row is charged beyond its key and value.
const ROW_BYTES: u64 = 64;

/// A range with fewer rows than one in so many of its group is removed row by row.
const SCATTERED: usize = 16;

fn group_of(key: &[u8]) -> [u8; 2] {
    [key.first().copied().unwrap_or(0), key.get(1).copied().unwrap_or(0)]
}

fn size(key: &[u8], value: &[u8]) -> u64 {
    key.len() as u64 + value.len() as u64 + ROW_BYTES
}

impl Content {
    pub(crate) fn put(&mut self, key: Bytes, value: Bytes) {
        let group = Arc::make_mut(self.groups.entry(group_of(&key)).or_default());
        self.bytes += size(&key, &value);
        let key_bytes = key.len() as u64;
        if let Some(old) = group.insert(key, value) {
            self.bytes -= key_bytes + old.len() as u64 + ROW_BYTES;
        }
    }

    pub(crate) fn delete(&mut self, key: &[u8]) {
        if let Some(group) = self.groups.get_mut(&group_of(key))
            && group.contains_key(key)
            && let Some(old) = Arc::make_mut(group).remove(key)
        {
            self.bytes -= size(key, &old);
        }
    }

    pub(crate) fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        if from >= to {
            return;
        }
        for (_, group) in self.groups.range_mut(group_of(from)..=group_of(to)) {
            let mut rows = group.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to))).peekable();
            if rows.peek().is_none() {
                continue;
            }
            let mut count = 0;
            self.bytes -= rows.inspect(|_| count += 1).map(|(key, value)| size(key, value)).sum::<u64>();
            // Splitting and joining moves every row of the group.
            if count <= group.len() / SCATTERED {
                let rows = group.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
                let keys: Vec<_> = rows.map(|(key, _)| key.clone()).collect();
                let group = Arc::make_mut(group);
                keys.iter().for_each(|key| drop(group.remove(key)));
                continue;
            }
            let group = Arc::make_mut(group);
            let mut removed = group.split_off(from);
            group.append(&mut removed.split_off(to));
        }
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl EngineRead for Content {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.groups.get(&group_of(key)).and_then(|group| group.get(key)).cloned())
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        for (_, group) in self.groups.range(group_of(from)..=group_of(to)) {
            for (key, value) in group.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to))) {
                if let ControlFlow::Break(()) = visit(key, value) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(content: &Content) -> Vec<Vec<u8>> {
        let mut rows = Vec::new();
        content
            .scan(&[], &[0xFF; 3], &mut |key, _| {
                rows.push(key.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
        rows
    }

    fn filled(keys: &[&'static [u8]]) -> Content {
        let mut content = Content::default();
        for key in keys {
            content.put(Bytes::from_static(key), Bytes::from_static(b"v"));
        }
        content
    }

    #[test]
    fn a_scan_runs_over_groups_in_byte_order() {
        let content = filled(&[b"\0\x02a", b"\0\x01b", b"\0\x01a", b"\xFF\xFF\0"]);
        assert_eq!(rows(&content), [&b"\0\x01a"[..], b"\0\x01b", b"\0\x02a", b"\xFF\xFF\0"]);
    }

    #[test]
    fn a_range_is_removed_over_several_groups_and_nothing_else() {
        let mut content = filled(&[b"\0\x01a", b"\0\x01b", b"\0\x02a", b"\0\x03a", b"\0\x03b"]);
        content.delete_range(b"\0\x01b", b"\0\x03b");
        assert_eq!(rows(&content), [&b"\0\x01a"[..], b"\0\x03b"]);
        assert_eq!(content.bytes(), filled(&[b"\0\x01a", b"\0\x03b"]).bytes());
    }

    #[test]
    fn a_clone_stays_as_it_was() {
        let mut content = filled(&[b"\0\x01a"]);
        let image = content.clone();
        content.put(Bytes::from_static(b"\0\x01a"), Bytes::from_static(b"new"));
        content.delete(b"\0\x01a");
        assert_eq!(rows(&content), Vec::<Vec<u8>>::new());
        assert_eq!(content.bytes(), 0);
        assert_eq!(image.get(b"\0\x01a").unwrap(), Some(Bytes::from_static(b"v")));
    }
}
