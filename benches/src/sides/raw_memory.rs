//! [`RawMemory`]: plain hash maps, which belong to one task.

use std::{
    collections::{BTreeMap, HashMap},
    mem::take,
};

use bytes::Bytes;
use statehold::{Error, Result};
use statehold_bench_kit::{
    Access, Client, Op,
    op::{head, modified},
};

use super::missing;

/// Whether the maps were given away.
#[derive(Default)]
pub(super) struct RawMemory {
    given: bool,
}

impl Access for RawMemory {
    type Client = Maps;

    async fn client(&mut self) -> Result<Maps> {
        if std::mem::replace(&mut self.given, true) {
            return Err(Error::unsupported("a plain HashMap belongs to one task"));
        }
        Ok(Maps::default())
    }

    fn durability(&self) -> String {
        "visible".to_owned()
    }

    fn engine(&self) -> Option<String> {
        Some("std::collections::HashMap".to_owned())
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}

/// What a program without a framework would have.
#[derive(Default)]
pub(super) struct Maps {
    values: HashMap<u64, Bytes>,
    maps: HashMap<u64, BTreeMap<u64, Bytes>>,
    lists: HashMap<u64, Vec<Bytes>>,
    counts: HashMap<u64, u64>,
}

fn sum<'a>(values: impl IntoIterator<Item = &'a Bytes>) -> u64 {
    values.into_iter().fold(0, |sum, value| sum.wrapping_add(head(value)))
}

impl Client for Maps {
    #[inline]
    async fn apply(&mut self, op: &mut Op) -> Result<u64> {
        match op {
            Op::Put(key, value) => drop(self.values.insert(*key, take(value))),
            &mut Op::Get(key) => return self.values.get(&key).cloned().map(|value| head(&value)).ok_or_else(missing),
            &mut Op::GetAbsent(key) => return Ok(u64::from(!self.values.contains_key(&key))),
            &mut Op::Modify(key) => {
                let value = self.values.get_mut(&key).ok_or_else(missing)?;
                let read = head(value);
                *value = modified(take(value));
                return Ok(read);
            }
            &mut Op::Increment(key) => {
                let count = self.counts.entry(key).or_default();
                *count += 1;
                return Ok(*count);
            }
            Op::PutMany(rows) => self.values.extend(rows.drain(..)),
            Op::GetMany(keys) => {
                let found: Option<Vec<Bytes>> = keys.iter().map(|key| self.values.get(key).cloned()).collect();
                return found.map(|found| sum(&found)).ok_or_else(missing);
            }
            Op::CountKeys => return Ok(self.values.keys().map(std::hint::black_box).count() as u64),
            Op::PutEntry(key, sub, value) => drop(self.maps.entry(*key).or_default().insert(*sub, take(value))),
            &mut Op::GetEntry(key, sub) => {
                let found = self.maps.get(&key).and_then(|map| map.get(&sub)).cloned();
                return found.map(|value| head(&value)).ok_or_else(missing);
            }
            &mut Op::EntryAbsent(key, sub) => {
                return Ok(u64::from(!self.maps.get(&key).is_some_and(|map| map.contains_key(&sub))));
            }
            &mut Op::Entries(key) => {
                let map = self.maps.get(&key).ok_or_else(missing)?;
                return Ok(sum(map.values()).wrapping_add(map.keys().sum()));
            }
            &mut Op::Page(key, from, limit) => {
                let map = self.maps.get(&key).ok_or_else(missing)?;
                return Ok(sum(map.range(from..).take(limit).map(|(_, value)| value)));
            }
            Op::Append(key, value) => self.lists.entry(*key).or_default().push(take(value)),
            Op::Replace(key, values) => drop(self.lists.insert(*key, take(values))),
            &mut Op::Elements(key) => return Ok(self.lists.get(&key).map_or(0, sum)),
        }
        Ok(0)
    }
}
